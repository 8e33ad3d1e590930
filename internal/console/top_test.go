package console

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"

	"github.com/cashew-proxy/cashew/internal/admin"
)

// TestTopKeys: keys choose the pool, the order and what is scrolled to, and never leave what there is.
func TestTopKeys(t *testing.T) {
	m := &top{sample: Sample{Now: status(1)}, view: View{Width: 80, Height: 24}}
	beta := m.sample.Now.Pools[1].Name
	for _, c := range []struct {
		keys string
		want View
	}{
		{"up", View{}},
		{"down", View{Pool: beta}},
		{"down", View{Pool: beta}},
		{"pgdown", View{Pool: beta}}, // it has one server
		{"up", View{Pool: "alpha"}},
		{"pgdown", View{Pool: "alpha", Skip: 8}},
		{"pgdown", View{Pool: "alpha", Skip: 11}},
		{"pgup", View{Pool: "alpha", Skip: 3}},
		{"pgup", View{Pool: "alpha"}},
		{"s", View{Pool: "alpha", Order: ByRequests}},
		{"s s s s", View{Pool: "alpha", Order: ByName}},
		{"x enter", View{Pool: "alpha"}},
	} {
		for key := range strings.FieldsSeq(c.keys) {
			if m.key(key) != nil {
				t.Fatalf("%s: it ends", key)
			}
		}
		c.want.Width, c.want.Height = 80, 24
		if m.view != c.want {
			t.Errorf("%s: %+v, want %+v", c.keys, m.view, c.want)
		}
	}
	for _, key := range []string{"q", "ctrl+c", "esc"} {
		if cmd := m.key(key); cmd == nil || cmd() != (tea.QuitMsg{}) {
			t.Errorf("%s does not end it", key)
		}
	}
	m.Update(tea.WindowSizeMsg{Width: 30, Height: 10})
	if n := strings.Count(m.View().Content, "\n"); n != 9 || !m.View().AltScreen {
		t.Errorf("the screen has %d line ends", n)
	}
}

// TestTopTakes: rates are of one process, and trouble is told for as long as it lasts.
func TestTopTakes(t *testing.T) {
	m := &top{}
	m.take(look{status: status(1), events: happenings()[:1]})
	if m.sample.Before != nil {
		t.Error("a rate, of one answer")
	}
	m.take(look{status: status(2), events: happenings()[1:3]})
	if m.sample.Before == nil || len(m.sample.Events) != 3 {
		t.Errorf("%+v", m.sample)
	}
	for i := range 4 {
		m.take(look{err: errors.New("nobody is there"), at: start.Add(time.Duration(i) * time.Second)})
	}
	if m.view.Trouble != "NO ANSWER for 3s, trying again: nobody is there" || m.sample.Now == nil {
		t.Errorf("%+v", m.view)
	}
	again := status(1)
	again.Started = again.Started.Add(time.Hour)
	m.take(look{status: again, events: happenings()[:1]})
	if m.view.Trouble != "" || m.sample.Before != nil || len(m.sample.Events) != 1 {
		t.Errorf("another process is taken for the old one: %+v, %+v", m.view, m.sample)
	}
	for range 2 * keptEvents {
		m.take(look{status: again, events: happenings()})
	}
	if len(m.sample.Events) != keptEvents {
		t.Errorf("%d events are kept", len(m.sample.Events))
	}
}

// TestTopAsks: events are asked for once each, and anew of another process.
func TestTopAsks(t *testing.T) {
	var asked []string
	now := status(1)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.RequestURI)
		var answer any = now
		if r.URL.Path != StatusPath {
			answer = []admin.Event{{Number: 7}}
		}
		json.NewEncoder(w).Encode(answer) //nolint:errcheck // the client complains
	}))
	defer server.Close()
	c, err := NewClient(server.Listener.Addr().String(), "")
	if err != nil {
		t.Fatal(err)
	}
	m := &top{ctx: context.Background(), client: c}
	m.take(m.ask())
	m.take(m.ask())
	now.PID++
	m.take(m.ask())
	want := "/api/status /api/events?limit=100 /api/status /api/events?after=7 /api/status /api/events?limit=100"
	if got := strings.Join(asked, " "); got != want || m.view.Trouble != "" {
		t.Errorf("asked %s, want %s; %s", got, want, m.view.Trouble)
	}
	server.Close()
	if l := m.ask(); l.err == nil || !strings.Contains(l.err.Error(), "nothing listens at") {
		t.Errorf("%v", l.err)
	}
	if err := c.Top(t.Context(), nil, nil); err == nil {
		t.Error("it begins without a process")
	}
}
