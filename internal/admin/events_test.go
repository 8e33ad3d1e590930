package admin

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/cashew-proxy/cashew/internal/proxy"
)

func TestEventsOfTheLog(t *testing.T) {
	e := NewEvents()
	var text bytes.Buffer
	log := slog.New(e.Tee(slog.NewTextHandler(&text, &slog.HandlerOptions{Level: slog.LevelWarn})))
	log.Debug("too small")
	log.Info(proxy.AccessLine, "key", "somebody's") // keys are for the access log alone
	log.Info("started", "pid", 7)
	log.With("a", 1).WithGroup("g").With("b", time.Second).Warn("failed", "c", errors.New("no"), slog.Group("h", "d", "x"))
	log.Error("long", "text", strings.Repeat("x", 5000)+"\xff")
	if got := text.String(); strings.Contains(got, "started") || !strings.Contains(got, "msg=failed a=1 g.b=1s g.c=no g.h.d=x") || strings.Count(got, "\n") != 2 {
		t.Errorf("the log is\n%s", got)
	}
	all := e.newest(10)
	if len(all) != 3 || all[0].Number != 1 || all[0].Text != "started" || all[0].Fields["pid"] != "7" || all[0].Level != "INFO" ||
		!maps.Equal(all[1].Fields, map[string]string{"a": "1", "g.b": "1s", "g.c": "no", "g.h.d": "x"}) || all[1].Level != "WARN" ||
		len(all[2].Fields["text"]) > longestValue+10 {
		t.Errorf("%+v", all)
	}
}

// So many are kept, and they are found by their numbers.
func TestEventsAreBounded(t *testing.T) {
	e := NewEvents()
	now, cancel := context.WithCancel(t.Context())
	cancel()
	if got := e.newest(5); got == nil || len(got) != 0 {
		t.Errorf("%v", got)
	}
	check := func(got []Event, first, n int) {
		t.Helper()
		if len(got) != n {
			t.Errorf("%d events, want %d", len(got), n)
		}
		for i, one := range got {
			if one.Number != uint64(first+i) || one.Text != fmt.Sprint(first+i) {
				t.Fatalf("%d is %+v, want %d", i, one, first+i)
			}
		}
	}
	for n := 1; n <= 3*keptEvents+7; n++ {
		e.add(Event{Text: fmt.Sprint(n)})
		if n == 3 || n == keptEvents-1 || n == keptEvents || n == keptEvents+1 || n == 3*keptEvents+7 {
			kept := min(n, keptEvents)
			check(e.newest(keptEvents), n-kept+1, kept)
			check(e.newest(2), n-1, 2)
			check(e.after(now, 0, keptEvents), n-kept+1, kept)
			check(e.after(now, uint64(n-2), 1), n-1, 1)
			check(e.after(now, uint64(n), 5), 0, 0)
			check(e.after(now, uint64(n+1), 1), n-kept+1, 1) // from before a restart
		}
	}
}

// Whoever waits hears of what comes, when it comes; nobody waits in vain for longer than he wants.
func TestEventsAreAwaited(t *testing.T) {
	f := newFake(t)
	e := NewEvents()
	e.add(Event{Text: "one"})
	ending, end := context.WithCancel(context.Background())
	h := newHandler(Options{System: f, Process: f, Events: e}, ending)
	s := serveHandler(t, h)
	waits := make(chan []Event, 2)
	wait := func(after string) {
		go func() { waits <- read[[]Event](t, s, "GET", "/api/events?after="+after+"&wait=30s", "") }()
		until := time.After(limit)
		for {
			e.mu.Lock()
			waiting := e.more != nil
			e.mu.Unlock()
			if waiting {
				return
			}
			select {
			case <-until:
				t.Fatal("nobody waits")
			case <-time.After(time.Millisecond):
			}
		}
	}
	wait("1")
	e.add(Event{Text: "two"})
	if got := <-waits; len(got) != 1 || got[0].Text != "two" || got[0].Number != 2 {
		t.Errorf("%+v", got)
	}
	wait("2")
	end()
	if got := <-waits; len(got) != 0 {
		t.Errorf("%+v", got)
	}
	began := time.Now()
	if got := read[[]Event](t, s, "GET", "/api/events?after=2", ""); len(got) != 0 || time.Since(began) > limit/2 {
		t.Errorf("%+v after %v", got, time.Since(began))
	}
}

// However many wait for events, others find a place.
func TestEventsLeavePlaces(t *testing.T) {
	e := NewEvents()
	for i := range mostWaiting {
		if !e.enter() {
			t.Fatalf("number %d may not wait", i)
		}
	}
	if e.enter() || mostWaiting >= maxCallers {
		t.Error("all places are taken by callers that wait")
	}
	e.leave()
	if !e.enter() {
		t.Error("a place that was left is not free")
	}
}
