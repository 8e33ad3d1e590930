package engine_test

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/cashew-proxy/cashew/internal/clock"
	"github.com/cashew-proxy/cashew/internal/downstream"
	"github.com/cashew-proxy/cashew/internal/engine"
	"github.com/cashew-proxy/cashew/internal/message"
	"github.com/cashew-proxy/cashew/internal/ring"
	"github.com/cashew-proxy/cashew/internal/topology"
	"github.com/cashew-proxy/cashew/internal/upstream"
)

// peer is the other end of one connection: a client, or a server that was dialed.
type peer struct {
	name     string
	id       message.ConnID
	server   *topology.Server // nil for a client
	pending  bool             // a dial that has no outcome yet
	reading  bool             // the proxy reads from it
	closed   bool             // the connection is gone, for either side
	byProxy  bool             // it was the proxy that closed it
	stopped  bool             // it accepts no bytes
	writable bool             // the engine said that there is output
	fin      bool             // it has closed its side
	finTold  bool
	toProxy  []byte // sent, but not read by the proxy yet
	received []byte // what the proxy sent and the script has not looked at
}

// stage is the engine with a host that has no sockets: it moves bytes between the engine and the
// peers, in pieces of a given size, and keeps the time.
type stage struct {
	t       testing.TB
	e       *engine.Engine
	snap    *topology.Snapshot
	now     clock.Instant
	next    clock.Instant
	chunk   int // most bytes moved by one call
	peers   map[message.ConnID]*peer
	byName  map[string]*peer
	order   []*peer
	dials   map[string]int
	policy  map[string]string       // of a server's dials: "" accepts, "down" refuses, "silent" does nothing
	early   map[message.ConnID]bool // Interest before Accept has returned
	moved   bool
	clients byte // ever
	events  []string
	// ejected servers are not in the ring, unless it is kept.
	ejected  map[string]bool
	keepRing bool
	ledger   *engine.Ledger

	scratch [64 << 10]byte
}

var (
	errRefused = &message.Failure{Text: "Connection refused"}
	errReset   = &message.Failure{Text: "Connection reset by peer"}
)

func newStage(t testing.TB, snap *topology.Snapshot, chunk int) *stage {
	s := &stage{
		t: t, snap: snap, now: clock.Instant(time.Hour), chunk: chunk,
		peers: map[message.ConnID]*peer{}, byName: map[string]*peer{},
		dials: map[string]int{}, policy: map[string]string{},
		early: map[message.ConnID]bool{}, ejected: map[string]bool{},
	}
	s.ledger = engine.NewLedger(snap, 1)
	s.e = engine.NewWith(s, s, snap, 1, s.ledger, 0)
	s.e.Buffers().Mangle = true
	return s
}

// Dial implements engine.Host.
func (s *stage) Dial(id message.ConnID, server *topology.Server) {
	s.dials[server.Name]++
	p := &peer{name: fmt.Sprintf("%s.%d", server.Name, s.dials[server.Name]), id: id, server: server, pending: true, reading: true}
	s.add(p)
	s.byName[server.Name] = p // the latest
}

// Interest implements engine.Host.
func (s *stage) Interest(id message.ConnID, read bool) {
	if p := s.peers[id]; p != nil {
		if p.reading == read {
			s.t.Errorf("the engine wants interest %v in %s again", read, p.name)
		}
		p.reading = read
		s.moved = true
		return
	}
	s.early[id] = read
}

// Close implements engine.Host.
func (s *stage) Close(id message.ConnID) {
	p := s.peers[id]
	if p == nil {
		s.t.Fatalf("the engine closed %x, which is not open", id)
	}
	p.closed, p.byProxy = true, true
	delete(s.peers, id)
	s.moved = true
}

// Finish implements engine.Host.
func (s *stage) Finish(id message.ConnID) { s.Close(id) }

// Server implements engine.Observer.
func (s *stage) Server(_ *topology.Pool, server *topology.Server, e upstream.Event, err error) {
	text := [...]string{"connected", "connect-failed", "lost"}[e]
	if err != nil {
		text += " " + err.Error()
	}
	s.events = append(s.events, server.Name+" "+text)
}

// Client implements engine.Observer.
func (s *stage) Client(_ *topology.Pool, _ netip.AddrPort, e downstream.Event, reason string) {
	text := [...]string{"protocol-error", "stalled", "overflowed", "refused"}[e]
	s.events = append(s.events, "client "+text+" "+reason)
}

// Failed implements engine.Observer.
func (s *stage) Failed(_ *topology.Pool, server *topology.Server, f upstream.Failure) {
	s.events = append(s.events, server.Name+" failed: "+f.Err.Error())
}

// Recovered implements engine.Observer.
func (s *stage) Recovered(_ *topology.Pool, server *topology.Server) {
	s.events = append(s.events, server.Name+" recovered")
}

// Access implements engine.Observer.
func (s *stage) Access(a engine.Access) {
	s.events = append(s.events, fmt.Sprintf("access %s %s %s %q waiting=%v serving=%v %d/%d %s",
		a.Pool, a.Server, a.Command, a.Key, a.Waiting, a.Serving, a.Request, a.Reply, a.Failure))
}

func (s *stage) add(p *peer) {
	s.peers[p.id] = p
	s.byName[p.name] = p
	s.order = append(s.order, p)
	s.moved = true
}

// client returns the client of a name, and connects it if it is new.
func (s *stage) client(name string) *peer {
	if p := s.byName[name]; p != nil {
		return p
	}
	p := &peer{name: name, reading: true}
	s.clients++
	p.id = s.e.Accept(s.now, 0, netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 0, s.clients}), 4000))
	if read, said := s.early[p.id]; said {
		p.reading = read
		delete(s.early, p.id)
	}
	s.add(p)
	return p
}

// settle runs turns until nothing moves any more.
func (s *stage) settle() {
	for {
		s.moved = false
		for _, p := range append([]*peer(nil), s.order...) {
			s.visit(p)
		}
		s.turn()
		if !s.moved {
			return
		}
	}
}

func (s *stage) turn() {
	var dirty []message.ConnID
	dirty, s.next = s.e.Turn(s.now, s.snap)
	if counted, waiting := s.e.Outstanding(); counted != waiting {
		s.t.Fatalf("clients count %d requests that servers have of theirs, and those have %d", counted, waiting)
	}
	for _, id := range dirty {
		p := s.peers[id]
		if p == nil {
			s.t.Fatalf("the engine has output for %x, which is not open", id)
		}
		s.moved = s.moved || !p.writable
		p.writable = true
	}
}

// visit does for one peer what an event loop would: finish its dial, read from it, write to it.
func (s *stage) visit(p *peer) {
	if p.pending && !p.closed {
		switch s.policy[p.server.Name] {
		case "":
			p.pending, s.moved = false, true
			s.e.Connected(s.now, p.id, nil)
		case "down":
			p.pending, s.moved = false, true
			s.e.Connected(s.now, p.id, errRefused)
		}
	}
	if p.pending {
		return
	}
	s.write(p)
	s.read(p)
}

func (s *stage) read(p *peer) {
	scratch := s.scratch[:min(s.chunk, len(s.scratch))]
	for !p.closed && p.reading && len(p.toProxy) > 0 {
		s.moved = true
		room := s.e.Space(p.id, scratch)
		n := copy(room[:min(len(room), s.chunk)], p.toProxy)
		p.toProxy = p.toProxy[n:]
		s.e.Received(s.now, p.id, room[:n])
		clear(scratch[:min(n, len(scratch))]) // what was lent must not have been kept
	}
	if p.fin && !p.finTold && !p.closed && p.reading && len(p.toProxy) == 0 {
		p.finTold, s.moved = true, true
		s.e.Lost(s.now, p.id, nil)
	}
}

func (s *stage) write(p *peer) {
	var iov [8][]byte
	for p.writable && !p.closed {
		n := 0
		for _, b := range s.e.Output(p.id, iov[:0]) {
			b = b[:min(len(b), s.chunk-n)]
			if !p.stopped {
				p.received = append(p.received, b...)
			}
			n += len(b)
		}
		if n == 0 {
			p.writable = false
			return
		}
		if p.stopped {
			return
		}
		s.moved = true
		s.e.Sent(s.now, p.id, n)
	}
}

// advance lets time pass, with a turn whenever the engine asked for one.
func (s *stage) advance(d time.Duration) {
	end := s.now.Add(d)
	for s.now < end {
		s.now = min(end, max(s.next, s.now+1))
		s.settle()
	}
}

// eject publishes a snapshot in which a server gets no keys, or gets its own again.
func (s *stage) eject(server string, out bool) {
	s.ejected[server] = out
	next, pool := *s.snap, *s.snap.Pools[0]
	var nodes []ring.Node
	pool.Servers = nil
	for _, server := range s.snap.Pools[0].Servers {
		changed := *server
		changed.Ejected = s.ejected[server.Name]
		pool.Servers = append(pool.Servers, &changed)
		if !changed.Ejected || s.keepRing {
			nodes = append(nodes, ring.Node{Name: server.Name, Weight: 1, Index: server.Index})
		}
	}
	pool.Ring = ring.New(pool.Distribution, nodes)
	next.Epoch++
	next.Pools = []*topology.Pool{&pool}
	s.snap = &next
}

// reload has another configuration be in force.
func (s *stage) reload(next *topology.Snapshot) {
	next.Epoch = s.snap.Epoch + 1
	s.ledger = s.ledger.Reloaded(s.snap, next, 1)
	s.snap = next
	s.e.Reload(s.now, next, s.ledger, time.Second)
}

// reset ends a peer's connection with a reset.
func (s *stage) reset(p *peer) {
	p.toProxy = nil
	s.e.Lost(s.now, p.id, errReset)
	if p.server != nil {
		p.byProxy = true // the engine closes its side in the same call
	}
}

// leftovers names what a script has not accounted for.
func (s *stage) leftovers() error {
	var left []string
	for _, p := range s.order {
		if len(p.received) > 0 {
			left = append(left, fmt.Sprintf("%s received %s", p.name, quote(p.received)))
		}
		if len(p.toProxy) > 0 && !p.closed {
			left = append(left, fmt.Sprintf("%s has %d bytes that the proxy did not read", p.name, len(p.toProxy)))
		}
	}
	if left == nil {
		return nil
	}
	return errors.New(strings.Join(left, "; "))
}

// end closes all and sees to it that no buffer is missing.
func (s *stage) end() error {
	s.e.Shutdown(s.now)
	for server := range s.dials {
		s.dials[server] = 0
	}
	s.advance(10 * time.Second)
	for server, n := range s.dials {
		if n > 0 {
			return fmt.Errorf("%s was dialed after the end", server)
		}
	}
	if n := s.e.Clients(); n != 0 {
		return fmt.Errorf("%d clients are left after the end", n)
	}
	if n := s.e.Buffers().InUse(); n != 0 {
		return fmt.Errorf("%d bytes of buffers were not given back", n)
	}
	return nil
}

// quote writes bytes as a script would, long runs cut.
func quote(b []byte) string {
	if len(b) > 1000 {
		return fmt.Sprintf("%s… (%d bytes)", quote(b[:200]), len(b))
	}
	q := fmt.Sprintf("%q", bytes.TrimSpace(append([]byte{'x'}, append(b, 'x')...)))
	q = q[2 : len(q)-2]
	return strings.ReplaceAll(q, `\"`, `"`)
}
