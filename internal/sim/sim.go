// Package sim runs a whole fleet in memory from one seed: clients, the engine of one worker, fake
// servers, a network that cuts, delays and breaks, and a clock. It is for tests only.
//
//	clients ─► network ─► engine ─► network ─► fake servers
//	   └──── oracle: each request answered once, in order, with its own reply ────┘
//
// The same seed and Config give the same run, to the byte. All randomness comes from generators that
// are seeded from Config.Seed; time is a number that the loop moves on; nothing iterates over a map.
// One goroutine owns a run from beginning to end.
//
// Files: acts.go is the course of a run, world.go the event loop's part (the engine's Host), pipe.go a
// socket, eject.go the control plane, which ejects servers, reload.go what changes the configuration; client.go and generate.go the clients, lanes.go
// those that change their database or their version of the protocol; oracle.go what their replies must be,
// cell.go what it knows of a key; server.go the servers, value.go and types.go what commands do to keys (the
// servers' and the oracle's common notion), wire.go a codec that shares nothing with the one under test,
// dialect.go what a protocol has to bring along; the files that begin with memcached_ are the same for
// memcached. fault.go is what goes wrong, sabotage.go what is broken on purpose to prove that the oracle
// notices. stream.go lends the requests of a client to tests with real servers.
package sim

import (
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/cashew-proxy/cashew/internal/hashkit"
	"github.com/cashew-proxy/cashew/internal/ring"
	"github.com/cashew-proxy/cashew/internal/topology"
)

// Config says what one run consists of. FromSeed draws one; tests set fields to steer.
type Config struct {
	Seed uint64

	Memcached     bool // the protocol, instead of Redis'
	MissOnFailure bool
	FlushAll      bool

	Lanes     bool // clients change their database and protocol
	Databases int  // how many there are, if they do
	Talk      bool // they use CLIENT and RESET, too
	// OldServer: the first server knows no HELLO until all is healed.
	OldServer bool

	Servers           int // at least 1
	ServerConnections int // per server, at least 1
	Clients           int // at least 1; those that go are replaced while requests are left
	Requests          int // per client
	Window            int // most requests that a client has unanswered
	Keys              int // private keys per client and kind of value

	Chunk    int // most bytes that one read or write of a socket moves
	Buffer   int // bytes that a socket takes before its reader has read
	Value    int // length of most values, at most
	Huge     int // length of the others, at most; 0 for none
	HugeOnce int // one value in HugeOnce is huge

	Tick           time.Duration // a busy turn takes up to so long
	Timeout        time.Duration // the pool's
	ConnectTimeout time.Duration
	Auth           string
	User           string
	Database       int
	FirstKey       bool
	Preconnect     bool
	MemoryLimit    int64
	Limits         topology.Limits

	// FailureLimit failures in a row eject a server; 0 is no ejection. The others are of control.Policy.
	FailureLimit int
	RetryTimeout time.Duration
	EjectLimit   int
	KeepRing     bool

	JoinReads bool // reads join others that wait to be sent

	ReloadOnce int // another configuration in so many turns, on average; 0 is never
	Workers    int // of the proxy; 0 is one
	MoveOnce   int // clients are moved between workers once in so many turns

	Faults    Fault // what may go wrong
	FaultOnce int   // a fault in so many turns, on average

	Sabotage Sabotage // what is broken on purpose
	After    int      // how many chances sabotage lets pass first

	// StopAfter so many turns the engine is shut down with everything under way; 0 is never. DrainAfter
	// so many turns it is told to end its clients.
	StopAfter, DrainAfter int

	Plain bool // only commands whose answers do not depend on the number of servers
	Keep  bool // keep all that clients received, in Result.Received
	Trace bool // keep the last events, in Result.Trace
}

// Result is what came of a run.
type Result struct {
	Requests           int // that clients sent
	Answers            int // that were right
	Errors             int // that stood for a failed server, rightly
	Cut                int // connections that the proxy closed with requests unanswered, rightly
	Dropped            int // requests that the end of the run came before
	Faults             int
	Turns              int
	Ejections, Returns int    // of servers
	Reloads            int    // of the configuration
	Moves              int    // of clients between workers
	Digest             uint64 // of everything that clients received, in order of time

	// Counted has the engine's own counters by name, servers' after "server ".
	Counted map[string]uint64

	Sabotaged bool // something was broken on purpose

	Received [][]byte // by client, if Config.Keep: all but the end
	Trace    string   // if Config.Trace
}

// Violation is a promise that was not kept.
type Violation struct {
	Seed uint64
	What string
}

func (v *Violation) Error() string { return fmt.Sprintf("seed %d: %s", v.Seed, v.What) }

// Run runs a fleet to its end. The error is a *Violation, or nil if every promise was kept.
func Run(c Config) (Result, error) {
	w := newWorld(c)
	w.run()
	w.result.Turns = w.turns
	w.count()
	if c.Trace {
		w.result.Trace = w.trace.text()
	}
	if w.violation != nil {
		return w.result, w.violation
	}
	return w.result, nil
}

// draw returns a number from 1 to n.
func draw(r *rand.Rand, n int) int { return 1 + r.IntN(max(n, 1)) }

// oneIn is true once in n times.
func oneIn(r *rand.Rand, n int) bool { return n > 0 && r.IntN(n) == 0 }

// FromSeed draws a fleet. Without faults every request must be answered without an error.
func FromSeed(seed uint64, faults bool) Config {
	r := rand.New(rand.NewPCG(seed, 1))
	c := Config{
		Seed:              seed,
		Servers:           draw(r, 5),
		ServerConnections: 1 + r.IntN(8)/6,
		Clients:           draw(r, 24),
		Requests:          60 + r.IntN(200),
		Window:            1 << r.IntN(7),
		Keys:              draw(r, 6),
		Chunk:             16 << r.IntN(13),
		Buffer:            1 << (8 + r.IntN(12)),
		Value:             8 << r.IntN(6),
		HugeOnce:          400,
		Tick:              time.Microsecond << r.IntN(8),
		Limits:            DefaultLimits(),
	}
	switch r.IntN(6) {
	case 0:
		c.Huge, c.HugeOnce = 4<<20, 4000
		c.Chunk = max(c.Chunk, 8<<10)
		c.Buffer = max(c.Buffer, 16<<10)
	case 1, 2:
		c.Huge = 200 << 10
		c.Chunk = max(c.Chunk, 1<<10)
		c.Buffer = max(c.Buffer, 2<<10)
	case 3:
		c.Chunk, c.Requests, c.Value = draw(r, 12), 40, 24
	}
	if oneIn(r, 4) {
		c.Auth = "open sesame"
		if oneIn(r, 2) {
			c.User = "ali"
		}
	}
	if oneIn(r, 6) {
		c.Database = 3
	}
	c.FirstKey = oneIn(r, 6)
	c.Preconnect = oneIn(r, 4)
	if oneIn(r, 30) { // more requests than a client may have unanswered
		c.Window, c.Requests, c.Clients, c.Buffer = 8192, 6000, min(c.Clients, 2), 1<<20
		c.Chunk = max(c.Chunk, 4<<10)
	}
	c.drawProtocol()
	if faults {
		c.drawFaults(r)
		c.drawEjection()
	}
	c.drawLanes()
	c.drawReloads()
	c.drawWorkers()
	c.JoinReads = rand.New(rand.NewPCG(c.Seed, 11)).IntN(5) < 2
	return c
}

// drawProtocol makes memcacheds of two fleets in five. It has a generator of its own, so that the others
// are what they were before there were any.
func (c *Config) drawProtocol() {
	r := rand.New(rand.NewPCG(c.Seed, 3))
	if r.IntN(5) >= 2 {
		return
	}
	c.Memcached = true
	c.MissOnFailure = oneIn(r, 2)
	c.FlushAll = oneIn(r, 3)
	c.Auth, c.User, c.Database = "", "", 0
}

// drawLanes lets the clients of two Redis fleets in five change their lanes. It has a generator of its own too.
func (c *Config) drawLanes() {
	r := rand.New(rand.NewPCG(c.Seed, 4))
	if c.Memcached || r.IntN(5) >= 2 {
		return
	}
	c.Lanes = true
	c.Databases = max(draw(r, 5), c.Database+1)
	c.Talk = oneIn(r, 2)
	c.OldServer = c.Faults != 0 && oneIn(r, 4)
}

// drawFaults chooses what goes wrong, how often, and the timeouts that are then needed.
func (c *Config) drawFaults(r *rand.Rand) {
	c.Faults = Fault(r.Uint32())&AllFaults | Fault(1)<<r.IntN(faultCount)
	c.FaultOnce = 10 << r.IntN(6)
	if !oneIn(r, 4) {
		c.Timeout = time.Duration(20+r.IntN(400)) * time.Millisecond
		c.ConnectTimeout = time.Duration(10+r.IntN(100)) * time.Millisecond
		c.Tick = time.Microsecond << r.IntN(11)
	}
	if oneIn(r, 8) {
		c.Limits.ServerQueue = 4 << 10
	}
	if oneIn(r, 12) { // clients that ask for more than they take
		c.Limits.ClientOutput = 64 << 10
		c.Faults |= Stall
		c.Huge, c.HugeOnce, c.Clients, c.Window = 300<<10, 8, min(c.Clients, 6), 64
		c.Chunk, c.Buffer = max(c.Chunk, 8<<10), 16<<10
	}
	if oneIn(r, 8) {
		c.Limits.StalledClient = 20 * time.Millisecond
		c.Faults |= Stall
		c.Buffer = min(c.Buffer, 1<<10)
	}
	if oneIn(r, 10) {
		c.MemoryLimit = 256 << 10
	}
	switch r.IntN(10) {
	case 0:
		c.StopAfter = draw(r, 1000)
	case 1:
		c.DrainAfter = draw(r, 1000)
	}
}

// DefaultLimits are bounds that a fleet without faults does not reach.
func DefaultLimits() topology.Limits {
	return topology.Limits{
		RequestBytes: 512 << 20,
		Arguments:    1 << 20,
		InlineBytes:  64 << 10,
		Nesting:      8,
		ClientOutput: 256 << 20,
		ServerQueue:  256 << 20,
	}
}

// newSnapshot is a topology of the run: one pool with some of the servers.
func newSnapshot(c *Config, numbers []int, address int) *topology.Snapshot {
	p := &topology.Pool{
		Name: "sim", Distribution: ring.Ketama, Hash: hashkit.FNV1a_64,
		Settings: topology.Settings{
			Protocol: topology.Redis, MissOnFailure: c.MissOnFailure, FlushAll: c.FlushAll,
			Timeout: c.Timeout, ConnectTimeout: c.ConnectTimeout, ServerConnections: c.ServerConnections,
			Preconnect: c.Preconnect, Auth: c.Auth, User: c.User, Database: c.Database, Databases: max(c.Databases, c.Database+1), FirstKey: c.FirstKey, JoinReads: c.JoinReads, FailureLimit: c.FailureLimit, Limits: c.Limits,
			// What is watched must change nothing for anybody: it is on in most fleets.
			SlowThreshold: time.Duration(c.Seed%3) * time.Millisecond, BigThreshold: int64(c.Seed%6) << 11, HotKeysSample: int(c.Seed % 4), AccessLogSample: int(c.Seed % 5),
		},
	}
	if c.Memcached {
		p.Protocol = topology.Memcached
	}
	var nodes []ring.Node
	for i, number := range numbers {
		name := fmt.Sprintf("s%d", number)
		p.Servers = append(p.Servers, &topology.Server{Pool: p.Name, Name: name, Index: i, Network: "tcp", Address: addressOf(number, address), Weight: 1})
		nodes = append(nodes, ring.Node{Name: name, Weight: 1, Index: i})
	}
	p.Ring = ring.New(p.Distribution, nodes)
	return &topology.Snapshot{Epoch: 1, Pools: []*topology.Pool{p}, MemoryLimit: c.MemoryLimit}
}
