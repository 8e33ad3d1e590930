package sim

import (
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"net/netip"
	"time"

	"github.com/cashew-proxy/cashew/internal/clock"
	"github.com/cashew-proxy/cashew/internal/downstream"
	"github.com/cashew-proxy/cashew/internal/engine"
	"github.com/cashew-proxy/cashew/internal/message"
	"github.com/cashew-proxy/cashew/internal/topology"
	"github.com/cashew-proxy/cashew/internal/upstream"
)

// world is one run: the loop that drives the engine, and everything around it.
type world struct {
	cfg      Config
	rng      *rand.Rand
	now      clock.Instant
	workers  []*worker
	moves    *rand.Rand // of clients between workers; nil if there is one
	snapshot *topology.Snapshot
	dialect  dialect

	court    *court             // nil if nobody is ejected
	applied  *topology.Snapshot // what the engine was last given
	eras     []era              // rings that were in force, the last one is
	firstEra int                // the first one that still matters
	ledger   *engine.Ledger
	alter    editor

	pipes   []*pipe // in the order in which they were made
	servers []*server
	clients []*client // the present holder of each seat
	people  int       // clients ever made
	// By database, key and value in one: when a server has put another value in its place, Never if none has.
	shared map[lane]map[string]clock.Instant
	chosen map[lane]bool // lanes that some client has ever been in

	// Requests to forget everything: how many there were, how many are under way, and how many of the
	// first ones were over when last none was.
	flushes, flushing, flushed int

	scratch        []byte
	scratchReply   []byte // of the oracle
	scratchCells   []*cell
	scratchServers []int
	iov            [][]byte

	turns int
	busy  bool          // something moved in this turn, or could have
	idle  bool          // nothing will ever move again
	next  clock.Instant // when somebody other than the engine wants a turn

	stormy   bool            // faults happen
	strict   bool            // everything has healed: no error is excused
	stopped  bool            // in the middle
	draining bool            // the engine was told to end its clients
	gullible bool            // faults excuse errors: always, but for one test
	excused  map[string]bool // error texts that a fault has given reason for
	broken   bool            // some server connection was broken: a reply may have been cut

	chances   int // that sabotage had
	trace     trace
	violation *Violation
	result    Result
}

// beginning is when a world begins.
const beginning = clock.Instant(time.Second)

func newWorld(c Config) *world {
	w := &world{
		cfg: c, rng: rand.New(rand.NewPCG(c.Seed, 2)), now: beginning,
		shared: map[lane]map[string]clock.Instant{}, chosen: map[lane]bool{}, excused: map[string]bool{},
		scratch: make([]byte, 64<<10), alter: newEditor(&c), stormy: c.Faults != 0, gullible: true,
	}
	w.dialect = redis{}
	if c.Memcached {
		w.dialect = memcached{}
	}
	numbers := make([]int, c.Servers)
	for i := range numbers {
		numbers[i] = i
	}
	w.snapshot = newSnapshot(&c, numbers, 0)
	w.newCourt()
	w.hire()
	for i := range c.Servers {
		s := &server{w: w, index: i, old: c.OldServer && i == 0}
		for range max(c.Databases, c.Database+1) {
			s.keys = append(s.keys, map[string]value{})
		}
		w.servers = append(w.servers, s)
	}
	for i := range c.Clients {
		w.clients = append(w.clients, w.newClient(i, c.Requests))
	}
	if c.Limits.ServerQueue < DefaultLimits().ServerQueue {
		w.excused[message.ErrQueueFull.Text] = true
	}
	if c.Timeout > 0 && c.Faults != 0 {
		w.excuse(message.ErrTimeout)
	}
	if c.MemoryLimit > 0 {
		w.excused[message.ErrMemory.Text] = true
	}
	if c.Keep {
		w.result.Received = make([][]byte, c.Clients)
	}
	return w
}

func (w *world) turn() {
	w.turns++
	w.busy, w.next = false, clock.Never
	w.inject()
	w.reload()
	w.move()
	w.judge()
	if oneIn(w.rng, 500) {
		w.publish()
	}
	for i, from := 0, w.rng.IntN(len(w.clients)); i < len(w.clients); i++ {
		w.clients[(i+from)%len(w.clients)].step()
	}
	for _, s := range w.servers {
		s.step()
	}
	w.poll()
	w.apply()
	next := clock.Never
	for _, k := range w.workers {
		next = min(next, k.turn())
	}
	if counted, waiting := w.outstanding(); counted != waiting {
		w.fail("clients count %d requests that servers have of theirs, and those have %d", counted, waiting)
	}
	w.checkBarred()
	w.advance(next)
}

// advance moves the clock: a little while there is something to do, else to the next event.
func (w *world) advance(next clock.Instant) {
	next = min(next, w.next)
	switch {
	case w.busy:
		w.now += clock.Instant(1 + w.rng.Int64N(int64(w.cfg.Tick)))
	case next == clock.Never:
		w.idle = true
	default:
		w.now = max(next, w.now+1)
	}
}

// wakeAt asks for a turn.
func (w *world) wakeAt(t clock.Instant) { w.next = min(w.next, t) }

// portion is how many of n bytes are moved at once: some, or all.
func (w *world) portion(n int) int {
	n = min(n, w.cfg.Chunk)
	if n > 1 && w.rng.IntN(4) > 0 {
		return draw(w.rng, n)
	}
	return n
}

// poll does what an event loop does for every connection that is ready.
func (w *world) poll() {
	live := w.pipes[:0]
	for _, p := range w.pipes {
		if !p.closed || !p.done {
			live = append(live, p)
		}
	}
	clear(w.pipes[len(live):])
	w.pipes = live
	n := len(live) // the engine may dial meanwhile; those come next turn
	for i, from := 0, w.rng.IntN(max(n, 1)); i < n; i++ {
		w.ready(w.pipes[(i+from)%n])
	}
}

// ready handles one connection's events.
func (w *world) ready(p *pipe) {
	switch {
	case p.closed:
		if oneIn(w.rng, 8) && p.at != nil {
			w.stale(p.at.engine, p.id)
		}
		return
	case p.at == nil: // on its way from one worker to another
		return
	case p.dialing:
		w.dialed(p)
		return
	}
	if p.want {
		w.flush(p)
	}
	if p.closed || p.told {
		return
	}
	if p.reset != nil && (p.in.size() == 0 || !p.interest || oneIn(w.rng, 3)) {
		w.lost(p, p.reset)
		return
	}
	if !p.interest {
		return
	}
	switch {
	case p.in.size() > 0:
		w.busy = true
		if oneIn(w.rng, 8) {
			return // not this time
		}
		w.receive(p)
	case p.fin && !p.finTold:
		w.lost(p, nil)
	}
}

// receive reads once.
func (w *world) receive(p *pipe) {
	space := p.at.engine.Space(p.id, w.scratch)
	if len(space) == 0 {
		w.fail("no space to read to")
		return
	}
	n := min(w.portion(p.in.size()), len(space))
	copy(space, p.in.bytes()[:n])
	p.in.drop(n)
	if w.cfg.Trace {
		w.log("recv %s %s", w.name(p), short(space[:n]))
	}
	p.at.engine.Received(w.now, p.id, space[:n])
	for i := range min(n, 256) { // nothing of scratch may have been kept
		w.scratch[i] = 0xee
	}
}

func (w *world) lost(p *pipe, err error) {
	w.busy, p.told = true, err != nil
	if err == nil {
		p.finTold = true
	}
	w.log("lost %s %v", w.name(p), err)
	p.at.engine.Lost(w.now, p.id, err)
}

// stale calls the engine with an id that is no more, as a loop may that closes late.
func (w *world) stale(e *engine.Engine, id message.ConnID) {
	switch w.rng.IntN(5) {
	case 0:
		e.Received(w.now, id, append(e.Space(id, w.scratch)[:0], "+stale\r\n"...))
	case 1:
		e.Lost(w.now, id, nil)
	case 2:
		e.Connected(w.now, id, nil)
	case 3:
		e.Sent(w.now, id, 0)
	case 4:
		if len(e.Output(id, w.iov[:0])) > 0 {
			w.fail("a closed connection has output")
		}
	}
}

// flush writes once.
func (w *world) flush(p *pipe) {
	p.want = false
	if p.closed || p.dialing || p.deserted || p.at == nil {
		return
	}
	if p.reset != nil {
		if !p.told {
			w.lost(p, errPipe)
		}
		return
	}
	room := p.room(w.cfg.Buffer)
	if p.server != nil && p.fin && !p.plugged {
		room = w.cfg.Buffer // the system takes it, the server does not see it
	}
	if cap(w.iov) == 0 {
		w.iov = make([][]byte, 0, 64)
	}
	iov := p.at.engine.Output(p.id, w.iov[:0:1+w.rng.IntN(cap(w.iov))])
	total := 0
	for _, b := range iov {
		total += len(b)
	}
	if total == 0 {
		return
	}
	if w.sabotage(LeakBuffer) {
		_ = p.at.engine.Buffers().Get(1)
	}
	n := min(w.portion(total), room)
	p.want = n < total || len(iov) > 0
	w.busy = w.busy || n > 0
	w.write(p, iov, n)
	p.at.engine.Sent(w.now, p.id, n)
}

// write moves n bytes of iov to the peer.
func (w *world) write(p *pipe, iov [][]byte, n int) {
	for _, b := range iov {
		b = b[:min(len(b), n)]
		n -= len(b)
		if w.cfg.Trace && len(b) > 0 {
			w.log("send %s %s", w.name(p), short(b))
		}
		if p.client != nil && len(b) > 0 {
			w.smuggle(p)
		}
		switch {
		case p.server != nil && p.fin:
		case p.client != nil && len(b) > 0 && w.sabotage(LoseByte):
			p.out.add(b[1:])
		default:
			p.out.add(b)
		}
	}
}

// dialed ends an attempt to connect when its time has come.
func (w *world) dialed(p *pipe) {
	if w.now < p.due {
		w.wakeAt(p.due)
		return
	}
	w.busy, p.dialing = true, false
	if w.now < p.server.down {
		w.log("refused %s", w.name(p))
		p.at.engine.Connected(w.now, p.id, errRefused)
		return
	}
	p.server.links = append(p.server.links, &link{pipe: p})
	p.at.engine.Connected(w.now, p.id, nil)
}

// accept connects a client.
func (w *world) accept(c *client) {
	first := w.workers[0]
	id := first.engine.Accept(w.now, 0, netip.AddrPort{})
	c.pipe = &pipe{id: id, client: c, interest: true}
	first.own(c.pipe)
	w.pipes = append(w.pipes, c.pipe)
	if w.moves != nil {
		first.engine.Send(id, w.moves.IntN(len(w.workers)))
	}
	w.log("accept %s", w.name(c.pipe))
}

// fail notes the first promise that was not kept.
func (w *world) fail(format string, args ...any) {
	if w.violation == nil {
		w.violation = &Violation{w.cfg.Seed, fmt.Sprintf("turn %d: ", w.turns) + fmt.Sprintf(format, args...)}
		w.log("VIOLATION %s", w.violation.What)
	}
}

// received is told of every byte that a client gets.
func (w *world) received(c *client, b []byte) {
	h := fnv.New64a()
	_, _ = fmt.Fprintf(h, "%d %d ", w.result.Digest, c.number)
	_, _ = h.Write(b[:min(len(b), 512)])
	w.result.Digest = h.Sum64()
	if w.cfg.Keep {
		w.result.Received[c.seat] = append(w.result.Received[c.seat], b...)
	}
}

// Server and Client are the engine's Observer.
func (w *world) Server(_ *topology.Pool, s *topology.Server, e upstream.Event, err error) {
	w.log("server event %s %d %v", s.Name, e, err)
}

// Access implements engine.Observer: what is told of a request is possible.
func (w *world) Access(a engine.Access) {
	w.log("access %+v", a)
	longest := (w.now - beginning).Sub(0)
	bad := a.Waiting < 0 || a.Serving < 0 || a.Waiting+a.Serving > longest || a.Command == "" || a.Request <= 0 || a.Done != w.now
	if bad || a.Failure == "" && a.Reply <= 0 {
		w.fail("a request in the access log that cannot be: %+v", a)
	}
}

func (w *world) Client(_ *topology.Pool, _ netip.AddrPort, e downstream.Event, reason string) {
	w.log("client event %d %s", e, reason)
}
