package eventloop

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"runtime"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/cashew-proxy/cashew/internal/clock"
	"github.com/cashew-proxy/cashew/internal/message"
	"github.com/cashew-proxy/cashew/internal/topology"
)

// patience is how long a test waits for what must happen.
const patience = 20 * time.Second

func TestMain(m *testing.M) {
	// The runtime's own poller opens descriptors at its first use; they are not leaks of ours.
	if ln, err := net.Listen("tcp", "127.0.0.1:0"); err == nil {
		ln.Close()
	}
	goleak.VerifyTestMain(m)
}

// note is what the toy tells the test.
type note struct {
	what string // "accepted", "connected", "received", "lost", "paused", "timer"
	id   message.ConnID
	n    int
	err  error
	peer netip.AddrPort
}

// toy is a handler that sends everything back. It is loop-confined but for notes, and for what a
// test sets before it starts the loop.
type toy struct {
	loop     *Loop
	notes    chan note
	sessions []*session
	free     []uint32
	dirty    []message.ConnID
	timer    clock.Instant

	limit  int  // pauses a session with so many unsent bytes; 0 is 1 MiB
	sink   bool // pauses a session after its first bytes, which it keeps
	refuse bool // refuses all
	keep   bool // does not close what is lost
	quiet  bool // no notes of received bytes
	chunk  int  // output is cut in pieces of so many bytes
	onData func(now clock.Instant, id message.ConnID, in []byte)
	onSent func(id message.ConnID)

	accepts, mostAccepts int // in this turn, and in any
	turns                int
	inDial               bool
}

type session struct {
	id     message.ConnID
	open   bool
	fin    bool
	paused bool
	out    []byte
	sent   int
}

func newToy() *toy { return &toy{notes: make(chan note, 100000)} }

func (h *toy) tell(n note) {
	if h.inDial && n.what == "connected" {
		panic("connected inside Dial")
	}
	h.notes <- n
}

func (h *toy) newSession() *session {
	if n := len(h.free); n > 0 {
		s := h.sessions[h.free[n-1]]
		h.free = h.free[:n-1]
		*s = session{id: message.NewConnID(s.id.Slot(), s.id.Generation()+1), open: true, out: s.out[:0]}
		return s
	}
	s := &session{id: message.NewConnID(uint32(len(h.sessions)), 1), open: true}
	h.sessions = append(h.sessions, s)
	return s
}

func (h *toy) session(id message.ConnID) *session {
	s := h.sessions[id.Slot()]
	if s.id != id || !s.open {
		panic(fmt.Sprintf("called for %x, which is closed", id))
	}
	return s
}

func (h *toy) close(s *session) {
	h.loop.Close(s.id)
	s.open = false
	h.free = append(h.free, s.id.Slot())
}

func (h *toy) dial(server *topology.Server) *session {
	s := h.newSession()
	h.inDial = true
	h.loop.Dial(s.id, server)
	h.inDial = false
	return s
}

func (h *toy) send(s *session, b []byte) {
	s.out = append(s.out, b...)
	h.dirty = append(h.dirty, s.id)
}

func (h *toy) Accept(_ clock.Instant, _ int, peer netip.AddrPort) message.ConnID {
	h.accepts++
	h.mostAccepts = max(h.mostAccepts, h.accepts)
	if h.refuse {
		return 0
	}
	s := h.newSession()
	h.tell(note{what: "accepted", id: s.id, peer: peer})
	return s.id
}

func (h *toy) Connected(_ clock.Instant, id message.ConnID, err error) {
	s := h.session(id)
	h.tell(note{what: "connected", id: id, err: err})
	if err != nil {
		h.close(s)
	}
}

func (h *toy) Space(_ message.ConnID, scratch []byte) []byte { return scratch }

func (h *toy) Received(now clock.Instant, id message.ConnID, in []byte) {
	s := h.session(id)
	if s.paused || s.fin {
		panic("received although paused or after FIN")
	}
	if !h.quiet {
		h.tell(note{what: "received", id: id, n: len(in)})
	}
	if h.onData != nil {
		h.onData(now, id, in)
		return
	}
	if h.sink {
		s.paused = true
		h.loop.Interest(id, false)
		return
	}
	h.send(s, in)
	limit := h.limit
	if limit == 0 {
		limit = 1 << 20
	}
	if len(s.out)-s.sent > limit {
		s.paused = true
		h.loop.Interest(id, false)
		h.tell(note{what: "paused", id: id})
	}
}

func (h *toy) Lost(_ clock.Instant, id message.ConnID, err error) {
	s := h.session(id)
	h.tell(note{what: "lost", id: id, err: err})
	s.fin = true
	if !h.keep && (err != nil || s.sent == len(s.out)) {
		h.close(s)
	}
}

func (h *toy) Output(id message.ConnID, iov [][]byte) [][]byte {
	s := h.session(id)
	rest := s.out[s.sent:]
	for h.chunk > 0 && len(rest) > h.chunk {
		iov = append(iov, rest[:h.chunk])
		rest = rest[h.chunk:]
	}
	if len(rest) > 0 {
		iov = append(iov, rest)
	}
	return iov
}

func (h *toy) Sent(_ clock.Instant, id message.ConnID, n int) {
	s := h.session(id)
	s.sent += n
	if s.sent > len(s.out) {
		panic("sent more than there was")
	}
	if s.sent == len(s.out) {
		s.out, s.sent = s.out[:0], 0
		if h.onSent != nil {
			h.onSent(id)
		}
		if s.fin {
			h.close(s)
			return
		}
	}
	if s.paused && !h.sink && s.sent == 0 {
		s.paused = false
		h.loop.Interest(id, true)
	}
}

func (h *toy) Turn(now clock.Instant) ([]message.ConnID, clock.Instant) {
	h.accepts = 0
	h.turns++
	h.dirty = compact(h.dirty, h)
	dirty := h.dirty
	h.dirty = h.dirty[:0]
	if h.timer == 0 {
		return dirty, clock.Never
	}
	if now >= h.timer {
		h.timer = 0
		h.tell(note{what: "timer", n: h.turns})
		return dirty, clock.Never
	}
	return dirty, h.timer
}

// compact drops what was closed since it became dirty.
func compact(ids []message.ConnID, h *toy) []message.ConnID {
	kept := ids[:0]
	for _, id := range ids {
		if s := h.sessions[id.Slot()]; s.id == id && s.open {
			kept = append(kept, id)
		}
	}
	return kept
}

// fixture is a running loop with a toy and a listener.
type fixture struct {
	*testing.T
	loop    *Loop
	toy     *toy
	address string
	ran     chan error
}

// drivers runs a test with every driver of the platform.
func drivers(t *testing.T, test func(t *testing.T, o Options)) {
	names := []string{"poll"}
	if runtime.GOOS == "linux" {
		names = append(names, "epoll")
	}
	for _, name := range names {
		t.Run(name, func(t *testing.T) { test(t, Options{Driver: name}) })
	}
}

// prepare makes a loop that listens; run starts it. What is set in between is seen by the loop.
func prepare(t *testing.T, o Options, h *toy, listen topology.Listen) *fixture {
	t.Helper()
	before := descriptors(t)
	loop, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	h.loop = loop
	ln, err := Listen(listen)
	if err != nil {
		loop.Discard()
		t.Fatal(err)
	}
	f := &fixture{T: t, loop: loop, toy: h, address: ln.Address(), ran: make(chan error, 1)}
	if err := loop.AddListener(0, ln, false); err != nil {
		loop.Discard()
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if after := descriptors(t); after > before {
			t.Errorf("%d descriptors before, %d after the loop has ended", before, after)
		}
	})
	return f
}

func (f *fixture) run() *fixture {
	go func() { f.ran <- f.loop.Run(f.toy) }()
	f.Cleanup(func() {
		f.loop.Stop()
		select {
		case err := <-f.ran:
			if err != nil {
				f.Errorf("Run: %v", err)
			}
		case <-time.After(patience):
			f.Error("Run does not end")
		}
	})
	return f
}

func start(t *testing.T, o Options, h *toy) *fixture {
	t.Helper()
	return prepare(t, o, h, topology.Listen{Network: "tcp", Address: "127.0.0.1:0"}).run()
}

// connect makes a client, which is closed before the loop ends.
func (f *fixture) connect() net.Conn {
	f.Helper()
	network := "tcp"
	if f.address[0] == '/' {
		network = "unix"
	}
	c, err := net.Dial(network, f.address)
	if err != nil {
		f.Fatal(err)
	}
	c.SetDeadline(time.Now().Add(patience))
	f.Cleanup(func() { c.Close() })
	return c
}

// in runs g in the loop's goroutine and waits for it.
func (f *fixture) in(g func(now clock.Instant)) {
	f.Helper()
	done := make(chan struct{})
	if !f.loop.Post(func(now clock.Instant) { g(now); close(done) }) {
		f.Fatal("the loop has ended")
	}
	select {
	case <-done:
	case <-time.After(patience):
		f.Fatal("mail is not run")
	}
}

// expect waits for a note of a kind and skips others.
func (f *fixture) expect(what string) note {
	f.Helper()
	late := time.After(patience)
	for {
		select {
		case n := <-f.toy.notes:
			if n.what == what {
				return n
			}
		case <-late:
			f.Fatalf("no note %q", what)
		}
	}
}

// until waits for a condition of the counters.
func (f *fixture) until(what string, ok func(Stats) bool) {
	f.Helper()
	for end := time.Now().Add(patience); !ok(f.loop.Stats()); runtime.Gosched() {
		if time.Now().After(end) {
			f.Fatalf("never %s: %+v", what, f.loop.Stats())
		}
	}
}

// restful fails if the loop makes turns although there is nothing to do.
func (f *fixture) restful() {
	f.Helper()
	var before int
	f.in(func(now clock.Instant) {
		before = f.toy.turns
		f.toy.timer = now.Add(50 * time.Millisecond)
	})
	if after := f.expect("timer").n; after-before > 10 {
		f.Errorf("%d turns in 50 ms of rest", after-before)
	}
}

func descriptors(t *testing.T) int {
	t.Helper()
	list, err := os.ReadDir("/dev/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(list)
}
