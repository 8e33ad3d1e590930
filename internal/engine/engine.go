// Package engine is one worker's whole data plane without I/O: it joins client sessions and server
// connections, and is driven by synchronous calls.
//
// Two hosts drive it: the event loop with sockets, and the simulation without. The engine starts no
// goroutine, takes no lock and asks for no time; `now` comes with every call. It is loop-confined:
// all calls come from the one goroutine that owns the worker.
//
// Files: engine.go has the seam, clients.go and servers.go the two sides' calls, timers.go the
// deadlines, pressure.go what slows senders down, pause.go what stops them, move.go and peers.go the
// other workers, report.go what is counted.
package engine

import (
	"net/netip"

	"github.com/cashew-proxy/cashew/internal/bytebuf"
	"github.com/cashew-proxy/cashew/internal/clock"
	"github.com/cashew-proxy/cashew/internal/downstream"
	"github.com/cashew-proxy/cashew/internal/message"
	"github.com/cashew-proxy/cashew/internal/route"
	"github.com/cashew-proxy/cashew/internal/stats"
	"github.com/cashew-proxy/cashew/internal/topology"
	"github.com/cashew-proxy/cashew/internal/upstream"
)

// Host is what the engine asks for. It never calls back from within a call.
type Host interface {
	// Dial connects to a server; Connected reports the outcome in a later call.
	Dial(id message.ConnID, server *topology.Server)
	// Interest says whether to read from a connection. A new one is read from.
	Interest(id message.ConnID, read bool)
	// Close ends a connection. The id is stale from now on.
	Close(id message.ConnID)
	// Finish is Close for a connection whose peer is to get all that was sent, though it may not have been read to
	// its end.
	Finish(id message.ConnID)
}

// Observer is told what an operator may want to read in the log. The calls must not block and must
// not call back.
type Observer interface {
	Server(pool *topology.Pool, server *topology.Server, e upstream.Event, err error)
	Client(pool *topology.Pool, peer netip.AddrPort, e downstream.Event, reason string)

	// Failed and Recovered are for the control plane, which ejects servers: a failure that counts, and the
	// first good reply after one. Verdict is the answer to Failed.
	Failed(pool *topology.Pool, server *topology.Server, f upstream.Failure)
	Recovered(pool *topology.Pool, server *topology.Server)

	// Access is a request that was picked for the access log.
	Access(a Access)
}

// sendLimit is how many bytes Output lends at a time: what one system call may move.
const sendLimit = 1 << 20

// Engine is one worker's data plane.
type Engine struct {
	host     Host
	observer Observer
	snapshot *topology.Snapshot
	pool     bytebuf.Pool
	desk     downstream.Desk
	now      clock.Instant

	slots []slot
	spare []uint32 // free slots

	pools    []poolState
	sessions []*downstream.Session // free list
	clients  int
	ledger   *Ledger
	worker   int   // its number
	peers    Peers // nil if there are no other workers
	looks    map[message.ConnID]*look

	dirty  []message.ConnID // with output, or an end to meet
	listed []message.ConnID // the list that the last Turn returned

	spareLanes bool // some connection is open that is not of its pool's own lane

	resting  []message.ConnID // clients that may go to another worker: see Depart
	dormant  bool             // see SetDormant
	awakened []message.ConnID // clients that stopped at a request and are to go on

	timers   timers
	nextTrim clock.Instant
	// heldUntil is when clients held because of memory are read again; 0 if there are none.
	heldUntil clock.Instant
	draining  bool
	leaving   bool // some pool or server is leaving: see Reload
	slow      slowLog
	peeked    [][]byte // scratch of peek
	label     []byte   // scratch of shown
}

// slot is one place in the connection table: a client, a server connection or nobody.
type slot struct {
	generation uint32
	client     *downstream.Session
	peer       netip.AddrPort
	conn       *upstream.Conn
	extra      bool // the connection is to another database than its pool's own, for which no open file is set aside
}

// poolState is a pool's part of the worker.
type poolState struct {
	pool     *topology.Pool
	counters *stats.Block
	clients  int
	// connected are the pool's clients, those of the other workers included.
	connected *stats.Tally
	servers   []serverState // by index
	kinds     []laneKind    // of lanes, by number
	accepted  uint32        // clients ever
	turn      int           // where AnyServer goes on
	pauses    pauses
	hot       *hot          // nil until the first sample
	leavers   []leaver      // servers that the pool has no more
	by        clock.Instant // of a pool that is leaving: until when
}

// New returns an engine for the snapshot's pools. seed is for the random distribution.
func New(host Host, observer Observer, s *topology.Snapshot, seed uint64) *Engine {
	return NewWith(host, observer, s, seed, NewLedger(s, 1), 0)
}

// NewWith is New for the worker of a number, with a ledger in which an engine may have counted for it before.
func NewWith(host Host, observer Observer, s *topology.Snapshot, seed uint64, ledger *Ledger, number int) *Engine {
	e := &Engine{host: host, observer: observer, ledger: ledger, worker: number}
	e.desk = downstream.Desk{Owner: clientSide{e}, Pool: &e.pool, Router: route.NewRouter(seed)}
	e.obey(s)
	for i, p := range s.Pools {
		e.pools = append(e.pools, e.newPool(p, i))
	}
	return e
}

// own is what the worker itself counts.
func (e *Engine) own() *Counters { return e.ledger.Workers[e.worker] }

func (e *Engine) newPool(p *topology.Pool, i int) poolState {
	state := poolState{pool: p, counters: e.own().Pools[i], connected: e.ledger.clients[i], kinds: []laneKind{{Lane: own(p)}}}
	for k := range p.Servers {
		state.servers = append(state.servers, e.newServer(p, i, k))
	}
	return state
}

func (e *Engine) newServer(p *topology.Pool, i, k int) serverState {
	s := serverState{counters: e.own().Servers[i][k], ejections: e.ledger.Ejections[i][k]}
	s.lanes = []lane{e.newLane(p, &s, p.Servers[k], own(p))}
	return s
}

// Start dials the servers of the pools that want it.
func (e *Engine) Start(now clock.Instant) {
	e.begin(now)
	e.desk.Started = now
	e.open(now)
}

// open dials the servers of the pools that want it, where that is not done.
func (e *Engine) open(now clock.Instant) {
	for i, p := range e.snapshot.Pools {
		if e.dormant || !p.Preconnect {
			continue
		}
		for k := range e.pools[i].servers {
			for _, c := range e.pools[i].servers[k].lanes[0] {
				_ = c.Open(now) // one that may not be tried yet is opened when it may
			}
		}
	}
}

// begin notes the time of a call.
func (e *Engine) begin(now clock.Instant) {
	e.now = now
	e.desk.Now = now
}

// find returns the slot of an id, nil if the id is stale.
func (e *Engine) find(id message.ConnID) *slot {
	if i := id.Slot(); int(i) < len(e.slots) && e.slots[i].generation == id.Generation() {
		return &e.slots[i]
	}
	return nil
}

// claim takes a free slot.
func (e *Engine) claim() (message.ConnID, *slot) {
	var i uint32
	if n := len(e.spare) - 1; n >= 0 {
		i = e.spare[n]
		e.spare = e.spare[:n]
	} else {
		i = uint32(len(e.slots))
		e.slots = append(e.slots, slot{generation: 1})
	}
	s := &e.slots[i]
	return message.NewConnID(i, s.generation), s
}

// vacate makes an id stale and its slot free.
func (e *Engine) vacate(id message.ConnID) {
	i := id.Slot()
	generation := e.slots[i].generation + 1
	if generation == 0 {
		generation = 1
	}
	e.slots[i] = slot{generation: generation}
	e.spare = append(e.spare, i)
}

// Accept makes a session for a client of pool listener.
func (e *Engine) Accept(now clock.Instant, listener int, peer netip.AddrPort) message.ConnID {
	e.begin(now)
	p, state := e.snapshot.Pools[listener], &e.pools[listener]
	id, slot := e.claim()
	slot.client, slot.peer = e.newSession(), peer
	refusal := ""
	switch {
	case p.ClientConnections > 0 && state.connected.Load() >= int64(p.ClientConnections):
		refusal = "client_connections reached"
	case !e.filesLeft():
		refusal = "no open files left for clients: raise the limit (ulimit -n, LimitNOFILE)"
	}
	e.count(state, 1)
	slot.client.Open(&e.desk, id, p, state.counters, refusal)
	slot.client.SetPause(state.pauses.inForce().mode)
	slot.client.Turn = state.accepted
	slot.client.Number = uint64(e.ledger.common.numbered.Add(1))
	state.accepted++
	if e.draining {
		slot.client.Drain()
	}
	return id
}

// count notes that a client has come to the worker, or gone.
func (e *Engine) count(state *poolState, n int) {
	state.clients += n
	e.clients += n
	state.connected.Add(int64(n))
	e.ledger.common.clients.Add(int64(n))
}

// filesLeft says whether one more file may be open, beside those that are set aside for servers.
func (e *Engine) filesLeft() bool {
	limit, c := e.snapshot.ClientLimit, e.ledger.common
	return limit == 0 || c.clients.Load()+c.extras.Load() < int64(limit)
}

// Connected reports the outcome of Dial.
func (e *Engine) Connected(now clock.Instant, id message.ConnID, err error) {
	e.begin(now)
	if s := e.find(id); s != nil && s.conn != nil {
		s.conn.Connected(now, err)
	}
}

// Space returns where the next bytes of a connection should be read to: scratch, or the place in
// memory where a large value belongs.
func (e *Engine) Space(id message.ConnID, scratch []byte) []byte {
	switch s := e.find(id); {
	case s == nil:
		return scratch
	case s.client != nil:
		return s.client.Space(scratch)
	default:
		return s.conn.Space(scratch)
	}
}

// Received takes bytes that were read to where Space said. It keeps none of scratch, but may overwrite them.
func (e *Engine) Received(now clock.Instant, id message.ConnID, in []byte) {
	e.begin(now)
	switch s := e.find(id); {
	case s == nil:
	case s.client != nil:
		s.client.Received(in)
	default:
		s.conn.Received(now, in)
	}
}

// Lost says that a connection will send nothing more: nil means that the peer closed its side, an
// error that the connection is gone.
func (e *Engine) Lost(now clock.Instant, id message.ConnID, err error) {
	e.begin(now)
	switch s := e.find(id); {
	case s == nil:
	case s.client != nil:
		s.client.Lost(err)
	default:
		s.conn.Lost(now, err)
	}
}

// Output appends to iov, within its capacity, what is to be sent next. It is borrowed until Sent.
func (e *Engine) Output(id message.ConnID, iov [][]byte) [][]byte {
	switch s := e.find(id); {
	case s == nil:
		return iov
	case s.client != nil:
		return s.client.Output(iov, sendLimit)
	default:
		return s.conn.Output(iov, sendLimit)
	}
}

// Sent says how much of the output is on its way.
func (e *Engine) Sent(now clock.Instant, id message.ConnID, n int) {
	e.begin(now)
	switch s := e.find(id); {
	case s == nil:
	case s.client != nil:
		s.client.Sent(n)
		if s.client.Finished() {
			e.closeClient(id, s)
		} else if s.client.Bound != 0 && s.client.Rests() {
			e.resting = append(e.resting, id)
		}
	default:
		s.conn.Sent(now, n)
		e.drainedServer(s.conn)
	}
}

// Turn ends a turn: it runs what is due and returns the connections that have output, and when it
// wants to be called again at the latest. The list is valid until the next Turn.
func (e *Engine) Turn(now clock.Instant, s *topology.Snapshot) (dirty []message.ConnID, next clock.Instant) {
	e.begin(now)
	if s != e.snapshot {
		e.apply(s)
	}
	e.share()
	e.expire()
	e.endPauses()
	e.leave()
	e.goOn()
	e.relieve()
	e.dirty, e.listed = e.listed[:0], e.dirty
	dirty = e.listed[:0]
	for _, id := range e.listed {
		s := e.find(id)
		switch {
		case s == nil:
			continue
		case s.client == nil:
			s.conn.Dirty = false
		default:
			s.client.Dirty = false
			if s.client.Finished() {
				e.closeClient(id, s)
				continue
			}
		}
		dirty = append(dirty, id)
	}
	e.trim()
	e.publish()
	return dirty, e.next()
}

// Verdict says that it is decided what becomes of a server that has failed: s is the snapshot that has it.
func (e *Engine) Verdict(now clock.Instant, s *topology.Snapshot, server topology.ServerID) {
	e.begin(now)
	if s != e.snapshot {
		e.apply(s)
	}
	if p := s.Pool(server.Pool); p != nil {
		if server := p.Server(server.Name); server != nil {
			e.pools[p.Index].servers[server.Index].each((*upstream.Conn).Verdict)
		}
	}
}

// goOn has clients go on that stopped at a request. It may make others stop, and those go on in the next
// turn at the earliest.
func (e *Engine) goOn() {
	n := len(e.awakened)
	for _, id := range e.awakened[:n] {
		if s := e.find(id); s != nil && s.client != nil {
			s.client.GoOn()
		}
	}
	e.awakened = e.awakened[:copy(e.awakened, e.awakened[n:])]
}

// apply takes a new snapshot: same pools and servers, other rings and settings. For others there is Reload.
func (e *Engine) apply(s *topology.Snapshot) {
	for i, p := range s.Pools {
		e.pools[i].pool = p
		for k, server := range p.Servers {
			e.renewServer(&e.pools[i].servers[k], server, p)
		}
	}
	for i := range e.slots {
		if c := e.slots[i].client; c != nil && c.Pool.Index < len(s.Pools) {
			c.Pool = s.Pools[c.Pool.Index]
		}
	}
	e.obey(s)
}

// renewServer has a server's connections obey a new snapshot. Those that nobody uses are closed when the server is
// ejected, and when it returns: their other end may have gone without a word, and the next client to use one would pay
// for finding out.
func (e *Engine) renewServer(s *serverState, server *topology.Server, p *topology.Pool) {
	s.each(func(c *upstream.Conn) {
		turned := c.Server.Ejected != server.Ejected
		c.Apply(server, e.settings(p))
		c.Lasting = e.lasting(p, c.Lane())
		e.spareLanes = e.spareLanes || !c.Lasting && c.ID != 0
		if turned {
			c.Abandon(e.now)
		}
		c.Reopen()
	})
}

// obey puts in force what a snapshot says beside its pools.
func (e *Engine) obey(s *topology.Snapshot) {
	e.snapshot, e.desk.MemoryLimit, e.desk.ClientLimit, e.desk.Process = s, s.MemoryLimit, s.ClientLimit, s.Process
}

func (e *Engine) publish() {
	for i := range e.pools {
		e.pools[i].counters.Publish()
		for k := range e.pools[i].servers {
			e.pools[i].servers[k].counters.Publish()
		}
	}
}

// Drain ends every client as soon as what it asked is answered. New ones get no further.
func (e *Engine) Drain(now clock.Instant) {
	e.begin(now)
	e.draining = true
	for i := range e.slots {
		if c := e.slots[i].client; c != nil {
			c.Drain()
		}
	}
}

// Shutdown closes every connection, whatever is in flight.
func (e *Engine) Shutdown(now clock.Instant) {
	e.begin(now)
	for i := range e.slots {
		if s := &e.slots[i]; s.client != nil {
			e.closeClient(s.client.ID, s)
		}
	}
	e.eachConn(func(c *upstream.Conn) { c.Close(now, message.ErrShutdown) })
}

// Clients is the number of client connections.
func (e *Engine) Clients() int { return e.clients }

// Outstanding is, for tests, how many requests and fragments the sessions count that server connections have of theirs,
// and how many those have of clients that are there: between two calls it is the same.
func (e *Engine) Outstanding() (counted, waiting uint64) {
	for i := range e.slots {
		if c := e.slots[i].client; c != nil {
			counted += uint64(c.Outstanding())
		}
	}
	e.eachConn(func(c *upstream.Conn) {
		c.EachTicket(func(t message.Ticket) {
			if s := e.find(t.Client); s != nil && s.client != nil {
				waiting++
			}
		})
	})
	return counted, waiting
}

// Buffers is the memory of the data plane, for tests and statistics.
func (e *Engine) Buffers() *bytebuf.Pool { return &e.pool }
