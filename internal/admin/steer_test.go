package admin

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cashew-proxy/cashew/internal/config"
	"github.com/cashew-proxy/cashew/internal/control"
)

// Names of servers have slashes and colons, and may be empty.
func TestServersAreNamed(t *testing.T) {
	f := newFake(t)
	p := f.snapshot.Pool("beta")
	for i, name := range []string{"", "a/b c"} {
		s := *p.Servers[i]
		s.Name = name
		p.Servers[i] = &s
	}
	s := serve(t, f, local)
	for pool, names := range map[string][]string{"beta": {"", "a/b c"}, "alpha": {"/run/redis.sock", "10.0.0.3"}} {
		for _, name := range names {
			path := "/api/pools/" + pool + "/servers/" + url.PathEscape(name)
			if got := read[ServerStatus](t, s, "POST", path+"/eject", ""); got.Name != name || got.State != "held" {
				t.Errorf("%q: %+v", name, got)
			}
			if got := read[ServerStatus](t, s, "POST", path+"/readmit", "{}"); got.Name != name || got.State != "live" {
				t.Errorf("%q: %+v", name, got)
			}
		}
	}
	p.Servers[0].Ejected = true
	if got := read[PoolStatus](t, s, "GET", "/api/pools/beta", ""); got.Servers[0].State != "ejected" {
		t.Errorf("%+v", got)
	}
}

func TestPauses(t *testing.T) {
	f := newFake(t)
	s := serve(t, f, local)
	for body, want := range map[string]string{
		`{"milliseconds": 1}`:                            "pause beta all 1ms",
		`{"milliseconds": 3600000, "writes_only": true}`: "pause beta writes 1h0m0s",
	} {
		f.told = nil
		got := read[PoolStatus](t, s, "POST", "/api/pools/beta/pause", body)
		mode := strings.Fields(want)[2]
		if len(f.told) != 1 || f.told[0] != want || got.PausedUntil == nil || !got.PausedUntil.Equal(moment.Add(30*time.Second)) ||
			got.Paused != strings.TrimSuffix(mode, "s") {
			t.Errorf("%q: %+v", f.told, got)
		}
	}
	f.told = nil
	if got := read[PoolStatus](t, s, "POST", "/api/pools/beta/resume", ""); got.Paused != "" || got.PausedUntil != nil || !slices.Equal(f.told, []string{"pause beta none 0s"}) {
		t.Errorf("%q: %+v", f.told, got)
	}
}

// What is wrong with a configuration is told with its place, and what else stands in the way as well.
func TestReloads(t *testing.T) {
	f := newFake(t)
	s := serve(t, f, local)
	if d := read[control.Differences](t, s, "POST", "/api/reload", ""); len(d.Changes) != 1 || d.Pools[0].Moved != 0.25 || f.told[0] != "reload wet" {
		t.Errorf("%+v, %q", d, f.told)
	}
	mistakes := config.Mistakes{{File: "c.yml", Line: 2, Column: 3, Where: "p.timeout", Text: "wrong"}, {File: "c.yml", Line: 4, Column: 1, Text: "worse"}}
	for _, c := range []struct {
		err  error
		want []string
	}{
		{fmt.Errorf("%w\nsyntax is invalid", mistakes), []string{"c.yml:2:3: p.timeout: wrong", "c.yml:4:1: worse"}},
		{errors.New("the port is taken"), nil},
	} {
		f.refuses = c.err
		status, text := ask(t, s, "POST", "/api/reload", `{"dry_run": true}`)
		var got Error
		if err := json.Unmarshal([]byte(text), &got); err != nil || status != 422 || got.Error != c.err.Error() || !slices.Equal(got.Mistakes, c.want) {
			t.Errorf("%d %s", status, text)
		}
	}
}

// Readiness goes with the first word of the end; the process lives until it is over.
func TestDrain(t *testing.T) {
	f := newFake(t)
	s := serve(t, f, local)
	if status, text := ask(t, s, "GET", pathReady, ""); status != 200 {
		t.Errorf("%d %s", status, text)
	}
	if status, text := ask(t, s, "POST", "/api/drain", ""); status != 202 || !strings.Contains(text, "draining") {
		t.Errorf("%d %s", status, text)
	}
	if status, text := ask(t, s, "GET", pathReady, ""); status != 503 || !strings.Contains(text, "ending") {
		t.Errorf("%d %s", status, text)
	}
	if status, _ := ask(t, s, "GET", pathHealth, ""); status != 200 {
		t.Error(status)
	}
	if !read[Status](t, s, "GET", "/api/status", "").Draining {
		t.Error("the status does not say so")
	}
}

func TestStuckIsNotHealthy(t *testing.T) {
	f := newFake(t)
	f.stuck = true
	s := serve(t, f, local)
	if status, text := ask(t, s, "GET", pathHealth, ""); status != 503 || !strings.Contains(text, "has not turned") {
		t.Errorf("%d %s", status, text)
	}
}

func TestLevel(t *testing.T) {
	f := newFake(t)
	s := serve(t, f, local)
	f.level = 9
	if got := read[Level](t, s, "GET", "/api/log-level", ""); got.Level != 9 {
		t.Errorf("%+v", got)
	}
	if got := read[Level](t, s, "PUT", "/api/log-level", `{"level": 0}`); got.Level != 0 || f.level != 0 {
		t.Errorf("%+v, %d", got, f.level)
	}
}
