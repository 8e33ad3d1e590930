package proxy

import (
	"cmp"
	"context"
	"log/slog"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/cashew-proxy/cashew/internal/clock"
	"github.com/cashew-proxy/cashew/internal/downstream"
	"github.com/cashew-proxy/cashew/internal/engine"
	"github.com/cashew-proxy/cashew/internal/message"
	"github.com/cashew-proxy/cashew/internal/topology"
	"github.com/cashew-proxy/cashew/internal/upstream"
)

// journal carries what the engine observes to the log without making a worker wait: a bounded queue
// that drops and counts, and a goroutine that writes. Lines that repeat are written once per
// interval, with how many there were in between.
type journal struct {
	log     *slog.Logger
	lines   chan line
	dropped atomic.Uint64 // not told of yet
	lost    atomic.Uint64 // ever
	end     chan struct{} // closed when what is queued is to be written, and no more
	done    chan struct{}
}

// line is one observation. Two with the same key within the interval are one line in the log.
type line struct {
	key    key
	level  slog.Level
	client string // "" if none is concerned
	each   bool   // it is written each time, in its turn: a change of state, of which the last is what counts
	// access is a line of the access log, which is never summed up.
	access *engine.Access
}

type key struct {
	text, pool, server, address, resolved, reason string
}

const (
	journalQueue    = 1024
	journalInterval = 5 * time.Second
)

func newJournal(log *slog.Logger) *journal {
	j := &journal{log: log, lines: make(chan line, journalQueue), end: make(chan struct{}), done: make(chan struct{})}
	go j.write()
	return j
}

// close writes what is queued and ends the goroutine. What is put after it is lost.
func (j *journal) close() {
	close(j.end)
	<-j.done
}

func (j *journal) put(l line) {
	select {
	case j.lines <- l:
	default:
		j.dropped.Add(1)
		j.lost.Add(1)
	}
}

// Server notes a change in a server connection's life. That the proxy itself ends is no news.
func (j *journal) Server(p *topology.Pool, s *topology.Server, e upstream.Event, err error) {
	if err == message.ErrShutdown || err == message.ErrRemoved {
		return
	}
	l := line{key: key{pool: p.Name, server: s.Name, address: s.Address}, level: slog.LevelWarn}
	if err != nil {
		l.key.reason = reasonOf(err)
	}
	switch e {
	case upstream.Connected:
		l.key.text, l.level = "connected to server", slog.LevelInfo
	case upstream.ConnectFailed:
		l.key.text = "cannot connect to server"
	case upstream.ConnectionLost:
		l.key.text = "server connection lost"
	}
	j.put(l)
}

// note takes what the control plane has to say of a server.
func (j *journal) note(level slog.Level, text string, p *topology.Pool, s *topology.Server, err error, each bool) {
	l := line{key: key{text: text, pool: p.Name, server: s.Name, address: s.Address}, level: level, each: each}
	if err != nil {
		l.key.reason = reasonOf(err)
	}
	j.put(l)
}

// AccessLine is the text of a line of the access log.
const AccessLine = "access"

// Access notes a request that was picked for the access log.
func (j *journal) Access(a engine.Access) { j.put(line{access: &a}) }

// reasonOf says to an operator what clients get in twemproxy's words.
func reasonOf(err error) string {
	switch err {
	case message.ErrEOF:
		return "closed by the server"
	case message.ErrReply:
		return "a malformed reply, or one to no request"
	}
	return err.Error()
}

// Client notes something in a client's life.
func (j *journal) Client(p *topology.Pool, peer netip.AddrPort, e downstream.Event, reason string) {
	// The client itself reads what it sent instead; in a log it could be a byte of somebody's data.
	reason, _, _ = strings.Cut(reason, ", got ")
	l := line{key: key{pool: p.Name, reason: reason}, level: slog.LevelWarn, client: "unix socket"}
	if peer.IsValid() {
		l.client = peer.String()
	}
	switch e {
	case downstream.ProtocolError:
		l.key.text = "client closed: protocol error"
	case downstream.Stalled:
		l.key.text = "client closed: stalled"
	case downstream.Overflowed:
		l.key.text = "client closed: limit reached"
	case downstream.Refused:
		l.key.text = "client refused"
	}
	j.put(l)
}

// name notes what is new of a server's name: its address in use, and an error if it resolves no more.
func (j *journal) name(address, last string, err error) {
	l := line{key: key{text: "server name resolves", address: address, resolved: last}, level: slog.LevelInfo}
	if err != nil {
		l.key.text, l.level = "server name does not resolve", slog.LevelWarn
		l.key.reason = err.Error()
	}
	j.put(l)
}

// repeats is what happened of one kind since it was last written.
type repeats struct {
	since clock.Instant
	count int
	last  line
	at    clock.Instant // of the last one
}

// write writes lines until close.
func (j *journal) write() {
	defer close(j.done)
	seen := map[key]*repeats{}
	tick := time.NewTicker(journalInterval / 5)
	defer tick.Stop()
	for {
		select {
		case l := <-j.lines:
			j.take(seen, l)
		case <-tick.C:
			j.flush(seen, journalInterval)
		case <-j.end:
			for n := len(j.lines); n > 0; n-- {
				j.take(seen, <-j.lines)
			}
			j.flush(seen, 0)
			return
		}
	}
}

// take writes a line, or counts it if it repeats.
func (j *journal) take(seen map[key]*repeats, l line) {
	if l.each {
		j.emit(l, 0)
		return
	}
	if l.access != nil {
		j.emitAccess(l.access)
		return
	}
	if r := seen[l.key]; r != nil {
		r.count++
		r.last, r.at = l, clock.System()
		return
	}
	seen[l.key] = &repeats{since: clock.System()}
	j.emit(l, 0)
}

// flush writes what repeated, in the order in which it did so last, and forgets what has been quiet for the
// interval.
func (j *journal) flush(seen map[key]*repeats, age time.Duration) {
	var due []*repeats
	for k, r := range seen {
		switch {
		case clock.System().Sub(r.since) < age:
		case r.count == 0:
			delete(seen, k)
		default:
			due = append(due, r)
		}
	}
	slices.SortFunc(due, func(a, b *repeats) int { return cmp.Compare(a.at, b.at) })
	for _, r := range due {
		j.emit(r.last, r.count)
		r.count, r.since = 0, clock.System()
	}
	if n := j.dropped.Swap(0); n > 0 {
		j.log.Warn("log lines dropped: too many at once", "count", n)
	}
}

// emitAccess writes a line of the access log. It is the only one with a key in it: the pool has asked for that.
func (j *journal) emitAccess(a *engine.Access) {
	client, outcome := "", cmp.Or(a.Failure, "ok")
	if a.Client.IsValid() {
		client = a.Client.String()
	}
	key := strconv.QuoteToASCII(a.Key)
	j.log.Info(AccessLine, "pool", a.Pool, "client", client, "command", strings.ToLower(a.Command), "key", key[1:len(key)-1],
		"server", a.Server, "waiting", a.Waiting, "serving", a.Serving, "request_bytes", a.Request, "reply_bytes", a.Reply,
		"outcome", outcome)
}

func (j *journal) emit(l line, repeated int) {
	var args []any
	if l.key.pool != "" {
		args = append(args, "pool", l.key.pool)
	}
	if l.key.server != "" {
		args = append(args, "server", l.key.server)
	}
	if l.key.address != "" {
		args = append(args, "address", l.key.address)
	}
	if l.key.resolved != "" {
		args = append(args, "resolved", l.key.resolved)
	}
	if l.client != "" {
		args = append(args, "client", l.client)
	}
	if l.key.reason != "" {
		args = append(args, "reason", l.key.reason)
	}
	if repeated > 0 {
		args = append(args, "repeated", repeated)
	}
	j.log.Log(context.Background(), l.level, l.key.text, args...)
}
