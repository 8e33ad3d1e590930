package console

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/cashew-proxy/cashew/internal/admin"
)

// process answers for status and events. Each time it is asked for events it has one more, until it is gone.
type process struct {
	mu      sync.Mutex
	started time.Time
	events  []admin.Event
	gone    bool
}

func (p *process) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.gone {
		http.Error(w, `{"error": "gone"}`, http.StatusInternalServerError)
		p.gone = false // another one has taken its place, which counts from the beginning
		p.started, p.events = p.started.Add(time.Hour), nil
		return
	}
	if r.URL.Path == "/api/status" {
		json.NewEncoder(w).Encode(admin.Status{Started: p.started}) //nolint:errcheck // the client complains
		return
	}
	after, err := strconv.Atoi(r.URL.Query().Get("after"))
	if err != nil {
		after = 0
	}
	p.events = append(p.events, admin.Event{Number: uint64(len(p.events) + 1), Text: p.started.Format(clock)})
	p.gone = len(p.events) == 3
	json.NewEncoder(w).Encode(p.events[min(after, len(p.events)):]) //nolint:errcheck // as above
}

// TestFollow: no event is shown twice or left out, and whoever follows goes on with a process that takes the place
// of another.
func TestFollow(t *testing.T) {
	server := httptest.NewServer(&process{started: time.Date(2026, 1, 1, 1, 0, 0, 0, time.UTC)})
	defer server.Close()
	c, err := NewClient(server.Listener.Addr().String(), "")
	if err != nil {
		t.Fatal(err)
	}
	var seen []string
	enough, troubles := errors.New("enough"), 0
	err = c.Follow(t.Context(), 0, func(list []admin.Event) error {
		for _, e := range list {
			seen = append(seen, e.Text+" "+strconv.FormatUint(e.Number, 10))
		}
		if len(seen) > 4 {
			return enough
		}
		return nil
	}, func(error) { troubles++ })
	want := []string{"01:00:00 1", "01:00:00 2", "01:00:00 3", "02:00:00 1", "02:00:00 2"}
	if !errors.Is(err, enough) || !slices.Equal(seen, want) || troubles != 1 {
		t.Errorf("%v, %d troubles, %q, want %q", err, troubles, seen, want)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := c.Follow(ctx, 0, nil, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("who has left gets %v", err)
	}
}

// TestWatch: the process is shown again and again, and whoever watches goes on when it has been away.
func TestWatch(t *testing.T) {
	p := &process{started: time.Date(2026, 1, 1, 1, 0, 0, 0, time.UTC)}
	server := httptest.NewServer(p)
	defer server.Close()
	c, err := NewClient(server.Listener.Addr().String(), "")
	if err != nil {
		t.Fatal(err)
	}
	var seen []time.Time
	enough, troubles := errors.New("enough"), 0
	err = c.Watch(t.Context(), func(s *admin.Status) error {
		if seen = append(seen, s.Started); len(seen) == 2 {
			return enough
		}
		p.mu.Lock()
		p.gone = true
		p.mu.Unlock()
		return nil
	}, func(error) { troubles++ })
	if !errors.Is(err, enough) || troubles != 1 || seen[1].Sub(seen[0]) != time.Hour {
		t.Errorf("%v, %d troubles, %v", err, troubles, seen)
	}
	server.Close()
	if err := c.Watch(t.Context(), nil, nil); err == nil || errors.Is(err, context.Canceled) {
		t.Errorf("with nobody there: %v", err)
	}
}

// TestPrintable: what others have chosen does not command the terminal.
func TestPrintable(t *testing.T) {
	for text, want := range map[string]string{
		"":             "",
		`plain "ü" \x`: `plain "ü" \x`,
		"a\x1b[2J":     `a\x1b[2J`,
		"a\r\nb\t":     `a\r\nb\t`,
		"\xff":         `\xff`,
		"\u202eabc":    `\u202eabc`,
		"\u009b2J":     `\u009b2J`,
	} {
		if got := printable(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

// TestUnits are numbers for people.
func TestUnits(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0s", 59 * time.Second: "59s", 61 * time.Second: "1m01s", 3*time.Hour + 12*time.Minute: "3h12m", 49 * time.Hour: "2d01h",
	} {
		if got := span(d); got != want {
			t.Errorf("%v: %s, want %s", d, got, want)
		}
	}
	for n, want := range map[int64]string{0: "0B", 1023: "1023B", 1024: "1.0KiB", 5 << 30: "5.0GiB", 5 << 50: "5120.0TiB"} {
		if got := size(n); got != want {
			t.Errorf("%d: %s, want %s", n, got, want)
		}
	}
}
