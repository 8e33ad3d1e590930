package engine_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/cashew-proxy/cashew/internal/clock"
	"github.com/cashew-proxy/cashew/internal/downstream"
	"github.com/cashew-proxy/cashew/internal/engine"
	"github.com/cashew-proxy/cashew/internal/message"
	"github.com/cashew-proxy/cashew/internal/stats"
	"github.com/cashew-proxy/cashew/internal/topology"
	"github.com/cashew-proxy/cashew/internal/upstream"
)

// mill is a host for one workload in steady state: every client sends the same batch each round, and
// every server answers whatever the batch made it get, which was learnt in the first round. It parses
// nothing, so that what is measured is the engine.
type mill struct {
	t       testing.TB
	e       *engine.Engine
	snap    *topology.Snapshot
	now     clock.Instant
	clients []message.ConnID
	requests,
	replies int // per client and round; bytes of the replies
	batches  [][]byte           // by client
	length   func(b []byte) int // of the request at the front of b
	reply    func(request []byte) string
	servers  []*millServer
	byID     map[message.ConnID]*millServer
	dialed   []message.ConnID
	iov      [][]byte
	scratch  []byte
	learn    bool
	accesses int
	got      int // bytes that clients got in this round
}

type millServer struct {
	id      message.ConnID
	seen    []byte // requests of the first round
	pending int    // bytes sent to it in this round
	want    int    // bytes a round sends to it
	answer  []byte
}

func (m *mill) Dial(id message.ConnID, s *topology.Server) {
	m.dialed = append(m.dialed, id)
	m.servers[s.Index].id = id
	m.byID[id] = m.servers[s.Index]
}
func (m *mill) Interest(message.ConnID, bool)                                   {}
func (m *mill) Finish(id message.ConnID)                                        { m.Close(id) }
func (m *mill) Close(id message.ConnID)                                         { m.t.Fatalf("%x was closed", id) }
func (m *mill) Server(*topology.Pool, *topology.Server, upstream.Event, error)  {}
func (m *mill) Client(*topology.Pool, netip.AddrPort, downstream.Event, string) {}
func (m *mill) Failed(*topology.Pool, *topology.Server, upstream.Failure)       {}
func (m *mill) Recovered(*topology.Pool, *topology.Server)                      {}
func (m *mill) Access(engine.Access)                                            { m.accesses++ }

// newMill prepares a workload of Redis: reply answers one request or fragment as a server would.
func newMill(t testing.TB, clients, requests int, batch []byte, reply func([]byte) string) *mill {
	return start(t, "config "+watched, requestLength, clients, requests, batch, reply)
}

// watched is what most pools have to do for every request.
const watched = "timeout=1s stalled=30s idle=1h slow=100ms hot=1000"

// newMemcachedMill is newMill for memcached.
func newMemcachedMill(t testing.TB, clients, requests int, batch string, reply func([]byte) string) *mill {
	return start(t, "config memcached miss "+watched, memcachedLength, clients, requests, []byte(batch), reply)
}

func start(t testing.TB, config string, length func([]byte) int, clients, requests int, batch []byte, reply func([]byte) string) *mill {
	snap := snapshot(t, config)
	return startAs(t, snap, engine.NewLedger(snap, 1), 0, length, clients, requests, batch, reply)
}

// startAs is start for one of the workers of a ledger.
func startAs(t testing.TB, snap *topology.Snapshot, l *engine.Ledger, number int, length func([]byte) int, clients, requests int, batch []byte, reply func([]byte) string) *mill {
	m := &mill{
		t: t, snap: snap, now: 1 << 40, requests: requests, length: length, reply: reply,
		byID: map[message.ConnID]*millServer{}, iov: make([][]byte, 0, 64), scratch: make([]byte, 64<<10),
	}
	for range m.snap.Pools[0].Servers {
		m.servers = append(m.servers, &millServer{})
	}
	m.e = engine.NewWith(m, m, snap, 1, l, number)
	keys := rand.New(rand.NewPCG(1, 1))
	for range clients {
		m.clients = append(m.clients, m.e.Accept(m.now, 0, netip.AddrPort{}))
		m.batches = append(m.batches, scatter(batch, keys))
	}
	m.learn = true
	m.round()
	m.learn = false
	m.replies = m.got
	for range 400 {
		m.round() // the pools find their sizes, and samples their keys
	}
	return m
}

var numberedKey = regexp.MustCompile(`key:\d{12}`)

// scatter gives a batch keys without an order: the processor learns one that comes again and again, and foresees each
// key's server as it cannot in life.
func scatter(batch []byte, random *rand.Rand) []byte {
	return numberedKey.ReplaceAllFunc(batch, func([]byte) []byte {
		return fmt.Appendf(nil, "key:%012d", random.IntN(100000))
	})
}

// round is a turn that takes everybody's requests and one that takes the servers' replies.
func (m *mill) round() {
	m.now++
	m.got = 0
	for i, id := range m.clients {
		m.receive(id, m.batches[i])
	}
	for _, id := range m.dialed {
		m.e.Connected(m.now, id, nil)
	}
	m.dialed = m.dialed[:0]
	m.turn()
	for _, s := range m.servers {
		if m.learn {
			s.want = s.pending
			for b := s.seen; len(b) > 0; {
				n := m.length(b)
				s.answer = append(s.answer, m.reply(b[:n])...)
				b = b[n:]
			}
		}
		if s.pending != s.want {
			m.t.Fatalf("a server got %d bytes in a round, not %d", s.pending, s.want)
		}
		s.pending = 0
		if s.want > 0 {
			m.receive(s.id, s.answer)
		}
	}
	m.turn()
	if !m.learn && m.replies != 0 && m.got != m.replies {
		m.t.Fatalf("clients got %d bytes in a round, not %d", m.got, m.replies)
	}
}

func (m *mill) receive(id message.ConnID, b []byte) {
	for len(b) > 0 {
		room := m.e.Space(id, m.scratch)
		n := copy(room, b)
		m.e.Received(m.now, id, room[:n])
		b = b[n:]
	}
}

func (m *mill) turn() {
	dirty, _ := m.e.Turn(m.now, m.snap)
	for _, id := range dirty {
		for {
			m.iov = m.e.Output(id, m.iov[:0])
			n := 0
			for _, b := range m.iov {
				n += len(b)
			}
			if n == 0 {
				break
			}
			if s := m.byID[id]; s != nil {
				s.pending += n
				if m.learn {
					s.seen = append(s.seen, bytes.Join(m.iov, nil)...)
				}
			} else {
				m.got += n
			}
			m.e.Sent(m.now, id, n)
		}
	}
}

// requestLength is the length of the array of bulk strings at the beginning of b.
func requestLength(b []byte) int {
	line := func(i int) (n, next int) {
		end := i + bytes.IndexByte(b[i:], '\r')
		for _, c := range b[i+1 : end] {
			n = n*10 + int(c-'0')
		}
		return n, end + 2
	}
	count, i := line(0)
	for range count {
		size, next := line(i)
		i = next + size + 2
	}
	return i
}

// memcachedLength is the length of the line at the beginning of b, and of the data behind it.
func memcachedLength(b []byte) int {
	n := bytes.IndexByte(b, '\n') + 1
	words := strings.Fields(string(b[:n]))
	size := map[string]int{"set": 4, "ms": 2}[words[0]]
	if size == 0 {
		return n
	}
	data, _ := strconv.Atoi(words[size]) // the batches are right
	return n + data + 2
}

func array(words ...string) string {
	out := fmt.Sprintf("*%d\r\n", len(words))
	for _, w := range words {
		out += fmt.Sprintf("$%d\r\n%s\r\n", len(w), w)
	}
	return out
}

// gets is a pipeline of n GETs over both servers.
func gets(n int) []byte {
	var out strings.Builder
	for i := range n {
		out.WriteString(array("GET", fmt.Sprintf("key:%012d", i*7919)))
	}
	return []byte(out.String())
}

func value32([]byte) string { return "$32\r\n" + strings.Repeat("v", 32) + "\r\n" }

func ok([]byte) string { return "+OK\r\n" }

// mget is an MGET of n keys, and values answers its fragments.
func mget(n int) []byte {
	words := []string{"MGET"}
	for i := range n {
		words = append(words, fmt.Sprintf("key:%012d", i*7919))
	}
	return []byte(array(words...))
}

func values(fragment []byte) string {
	n := bytes.Count(fragment, []byte("key:"))
	return fmt.Sprintf("*%d\r\n", n) + strings.Repeat(value32(nil), n)
}

// mustNotAllocate fails when a round allocates, or gets no replies and so shows nothing.
func (m *mill) mustNotAllocate(t *testing.T) {
	t.Helper()
	if m.replies == 0 {
		t.Fatal("the clients get nothing")
	}
	if n := testing.AllocsPerRun(100, m.round); n != 0 {
		t.Errorf("%v allocations in a round", n)
	}
}

func TestSteadyRequestsDoNotAllocate(t *testing.T) {
	set16k := []byte(array("SET", "a", strings.Repeat("x", 16<<10)))
	set100k := []byte(array("SET", "a", strings.Repeat("x", 100<<10)))
	large := func([]byte) string { return "$100000\r\n" + strings.Repeat("x", 100000) + "\r\n" }
	for _, c := range []struct {
		name     string
		requests int
		batch    []byte
		reply    func([]byte) string
	}{
		{"GET", 1, gets(1), value32},
		{"SET", 1, []byte(array("SET", "a", "value")), ok},
		{"pipeline of 100", 100, gets(100), value32},
		{"MGET over two servers", 1, mget(10), values},
		{"MGET of 1000 keys", 1, mget(1000), values},
		{"MSET over two servers", 1, []byte(array("MSET", "a", "1", "b", "2")), ok},
		{"PING", 1, []byte(array("PING")), ok},
		{"PING behind GET", 2, []byte(array("GET", "a") + array("PING")), value32},
		{"SET of 16 KiB", 1, set16k, ok},
		{"SET of 100 KiB", 1, set100k, ok},
		{"GET of 100 kB", 1, gets(1), large},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := newMill(t, 3, c.requests, c.batch, c.reply)
			m.mustNotAllocate(t)
		})
	}
}

// hotGets is a pipeline of n GETs of one key, the same for all clients.
func hotGets(n int) []byte { return bytes.Repeat([]byte(array("GET", "key:hot-for-all!")), n) }

func TestJoinedReadsDoNotAllocate(t *testing.T) {
	large := func([]byte) string { return "$100000\r\n" + strings.Repeat("x", 100000) + "\r\n" }
	set := array("SET", "key:hot-for-all!", "value")
	common := bytes.ReplaceAll(gets(100), []byte("key:"), []byte("all:")) // not scattered
	for _, c := range []struct {
		name     string
		requests int
		batch    []byte
		reply    func([]byte) string
	}{
		{"GET", 1, hotGets(1), value32},
		{"pipeline of 100", 100, hotGets(100), value32},
		{"100 keys", 100, common, value32},
		{"SET between", 3, slices.Concat(hotGets(1), []byte(set), hotGets(1)), ok},
		{"MGET between", 3, slices.Concat(hotGets(1), mget(10), hotGets(1)), values},
		{"GET of 100 kB", 1, hotGets(1), large},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := start(t, "config join "+watched, requestLength, 20, c.requests, c.batch, c.reply)
			m.mustNotAllocate(t)
			if m.sum(stats.JoinedReads) == 0 {
				t.Error("no read joined another")
			}
		})
	}
}

// sum is what a counter has counted for all servers.
func (m *mill) sum(c stats.Counter) (n uint64) {
	for i := range m.servers {
		n += m.e.ServerCounters(0, i).Local(c)
	}
	return n
}

// memcachedGets is a pipeline of n requests for a key each, and memcachedValues answers requests for any
// number of them.
func memcachedGets(format string, n int) string {
	var out strings.Builder
	for i := range n {
		fmt.Fprintf(&out, format, fmt.Sprintf("key:%012d", i*7919))
	}
	return out.String()
}

func memcachedValues(request []byte) string {
	var out strings.Builder
	for _, w := range strings.Fields(string(request)) {
		if strings.HasPrefix(w, "key:") || strings.HasPrefix(w, "all:") {
			fmt.Fprintf(&out, "VALUE %s 0 32\r\n%s\r\n", w, strings.Repeat("v", 32))
		}
	}
	return out.String() + "END\r\n"
}

// evenValues is memcachedValues for a server that has every second key only.
func evenValues(request []byte) string {
	odd := func(key string) bool { return strings.ContainsAny(key[len(key)-1:], "13579") }
	return memcachedValues([]byte(strings.Join(slices.DeleteFunc(strings.Fields(string(request)), odd), " ")))
}

// largeValues answers requests for any number of the key a.
func largeValues(request []byte) string {
	return strings.Repeat("VALUE a 0 100000\r\n"+strings.Repeat("x", 100000)+"\r\n", bytes.Count(request, []byte(" a"))) + "END\r\n"
}

func multiGet(n int) string { return "get " + memcachedGets("%s ", n) + "\r\n" }

func TestSteadyMemcachedRequestsDoNotAllocate(t *testing.T) {
	always := func(reply string) func([]byte) string { return func([]byte) string { return reply } }
	for _, c := range []struct {
		name     string
		requests int
		batch    string
		reply    func([]byte) string
	}{
		{"get", 1, memcachedGets("get %s\r\n", 1), memcachedValues},
		{"set", 1, "set a 0 0 5\r\nvalue\r\n", always("STORED\r\n")},
		{"set noreply, get", 2, "set a 0 0 5 noreply\r\nvalue\r\n" + memcachedGets("get %s\r\n", 1), memcachedValues},
		{"pipeline of 100", 100, memcachedGets("get %s\r\n", 100), memcachedValues},
		{"get of 10 keys", 1, multiGet(10), memcachedValues},
		{"get of 1000 keys", 1, multiGet(1000), memcachedValues},
		{"gat of 300 keys", 1, "gat 60 " + memcachedGets("%s ", 300) + "\r\n", memcachedValues},
		{"quiet mg and mn", 3, "mg a v q\r\nmg b v q\r\nmn\r\n", always("EN\r\n")},
		{"mg with opaque", 1, "mg a v O1 k\r\n", always("VA 1 O1 ka\r\nx\r\n")},
		{"set of 100 kB", 1, "set a 0 0 100000\r\n" + strings.Repeat("x", 100000) + "\r\n", always("STORED\r\n")},
		{"get of 100 kB", 1, "get a\r\n", largeValues},
		{"bad data, unknown", 2, "set a 0 0 x\r\nnonsense\r\nget a\r\n", memcachedValues},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := newMemcachedMill(t, 3, c.requests, c.batch, c.reply)
			m.mustNotAllocate(t)
		})
	}
}

func TestSharedLinesDoNotAllocate(t *testing.T) {
	get := memcachedGets("get %s\r\n", 100)
	set := "set a 0 0 1\r\nx\r\n"
	for _, c := range []struct {
		name, config string
		requests     int
		batch        string
		reply        func([]byte) string
	}{
		{"one of each client", "", 1, memcachedGets("get %s\r\n", 1), memcachedValues},
		{"pipelines", "", 100, get, memcachedValues},
		{"half missing", "", 100, get, evenValues},
		{"joined", "join ", 100, strings.ReplaceAll(get, "key:", "all:"), memcachedValues}, // not scattered
		{"get and gets", "", 200, get + memcachedGets("gets %s\r\n", 100), memcachedValues},
		{"set between", "", 101, get[:66] + set + get[66:], memcachedValues},
		{"large values", "", 2, "get a\r\nget a\r\n", largeValues},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := start(t, "config memcached "+c.config+watched, memcachedLength, 4, c.requests, []byte(c.batch), c.reply)
			m.mustNotAllocate(t)
			if m.sum(stats.MergedGets) == 0 {
				t.Error("no get was sent in another one's line")
			}
		})
	}
}
