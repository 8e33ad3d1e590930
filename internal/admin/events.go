package admin

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/cashew-proxy/cashew/internal/proxy"
)

const (
	keptEvents = 1000
	// longestValue bounds what is kept of one value: the stack of a panic may be long.
	longestValue = 1000
)

// Events are the last lines of the log of level info and above, whatever the log's own level is. Any goroutine may
// use it.
type Events struct {
	mu   sync.Mutex
	ring []Event // ring[i] has a Number of which i is the remainder
	last uint64
	here int           // callers that wait
	more chan struct{} // closed when there is one more; nil if nobody waits
}

// NewEvents returns what has no events yet.
func NewEvents() *Events { return &Events{} }

func (e *Events) add(one Event) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.last++
	one.Number = e.last
	if len(e.ring) < keptEvents {
		if len(e.ring) == 0 {
			e.ring = append(e.ring, Event{}) // numbers begin at 1
		}
		e.ring = append(e.ring, one)
	} else {
		e.ring[e.last%keptEvents] = one
	}
	if e.more != nil {
		close(e.more)
		e.more = nil
	}
}

// newest are the last ones, at most limit.
func (e *Events) newest(limit int) []Event {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.from(e.last-min(e.last, uint64(limit)), limit)
}

// mostWaiting leaves most of the callers' places to others: health is asked for there, too.
const mostWaiting = maxCallers / 2

// enter notes a caller that waits, unless enough do already. Each that enters leaves.
func (e *Events) enter() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.here >= mostWaiting {
		return false
	}
	e.here++
	return true
}

func (e *Events) leave() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.here--
}

// after are those that came after the one of a number, at most limit; the oldest that are kept if that is none of this
// process. If there are none it waits for one, as long as ctx.
func (e *Events) after(ctx context.Context, number uint64, limit int) []Event {
	for {
		e.mu.Lock()
		if number > e.last {
			number = 0 // it is of the process before
		}
		if number < e.last {
			defer e.mu.Unlock()
			return e.from(number, limit)
		}
		if e.more == nil {
			e.more = make(chan struct{})
		}
		more := e.more
		e.mu.Unlock()
		select {
		case <-more:
		case <-ctx.Done():
			return []Event{}
		}
	}
}

// from copies at most limit of those that came after the one of a number.
func (e *Events) from(number uint64, limit int) []Event {
	first := max(number+1, e.last-min(e.last, keptEvents)+1)
	all := []Event{}
	for n := first; n <= e.last && len(all) < limit; n++ {
		all = append(all, e.ring[n%keptEvents])
	}
	return all
}

// Tee returns a handler that keeps what it is given as events, and passes to next what that wants.
func (e *Events) Tee(next slog.Handler) slog.Handler { return &tee{next: next, events: e} }

type tee struct {
	next   slog.Handler
	events *Events
	prefix string // of names, by the groups that are open
	fields []slog.Attr
}

func (t *tee) Enabled(ctx context.Context, level slog.Level) bool {
	return level >= slog.LevelInfo || t.next.Enabled(ctx, level)
}

func (t *tee) Handle(ctx context.Context, r slog.Record) error {
	// The access log has keys, and so many lines that nothing else would be left.
	if r.Level >= slog.LevelInfo && r.Message != proxy.AccessLine {
		one := Event{Time: r.Time.Round(0), Level: r.Level.String(), Text: cut(r.Message)}
		if len(t.fields)+r.NumAttrs() > 0 {
			one.Fields = map[string]string{}
		}
		for _, a := range t.fields {
			one.Fields[a.Key] = a.Value.String()
		}
		r.Attrs(func(a slog.Attr) bool {
			flatten(one.Fields, t.prefix, a)
			return true
		})
		t.events.add(one)
	}
	if !t.next.Enabled(ctx, r.Level) {
		return nil
	}
	return t.next.Handle(ctx, r)
}

func (t *tee) WithAttrs(attrs []slog.Attr) slog.Handler {
	flat := map[string]string{}
	for _, a := range attrs {
		flatten(flat, t.prefix, a)
	}
	with := *t
	with.next, with.fields = t.next.WithAttrs(attrs), slices.Clone(t.fields)
	for name, value := range flat {
		with.fields = append(with.fields, slog.String(name, value))
	}
	return &with
}

func (t *tee) WithGroup(name string) slog.Handler {
	with := *t
	with.next, with.prefix = t.next.WithGroup(name), t.prefix+name+"."
	return &with
}

// flatten notes a named value; those of a group have its name in front of theirs.
func flatten(to map[string]string, prefix string, a slog.Attr) {
	v := a.Value.Resolve()
	switch {
	case v.Kind() == slog.KindGroup:
		if a.Key != "" {
			prefix += a.Key + "."
		}
		for _, inner := range v.Group() {
			flatten(to, prefix, inner)
		}
	case v.Kind() == slog.KindTime:
		to[prefix+a.Key] = v.Time().Format(time.RFC3339Nano)
	case a.Key != "":
		to[prefix+a.Key] = cut(v.String())
	}
}

// cut keeps a text to a length, and to what JSON can hold.
func cut(text string) string {
	if len(text) > longestValue {
		text = text[:longestValue] + "…"
	}
	return strings.ToValidUTF8(text, "\uFFFD")
}
