package upstream

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/cashew-proxy/cashew/internal/clock"
	"github.com/cashew-proxy/cashew/internal/memcached"
	"github.com/cashew-proxy/cashew/internal/message"
	"github.com/cashew-proxy/cashew/internal/stats"
	"github.com/cashew-proxy/cashew/internal/topology"
)

// get sends a get, or a gets, that may share its line.
func get(t *testing.T, c *Conn, now clock.Instant, who message.Ticket, verb, key string) {
	t.Helper()
	at := len(verb) + 1
	b := []byte(verb + " " + key + "\r\n")
	if err := c.Send(now, who, stats.Read, b, false, message.Key{At: at, End: at + len(key), Joinable: true, Mergeable: true}); err != nil {
		t.Fatal(err)
	}
}

func gets(t *testing.T, c *Conn, first uint32, keys ...string) {
	t.Helper()
	for i, key := range keys {
		get(t, c, 1, ticket(first+uint32(i)), "get", key)
	}
}

func memcachedConn(t *testing.T, set topology.Settings) (*Conn, *log) {
	t.Helper()
	set.Protocol = topology.Memcached
	return watched(t, set)
}

// A line takes no more bytes than a server must look at, and no more keys than are good for the others that wait.
func TestSharedLinesAreBounded(t *testing.T) {
	for _, size := range []int{1, 7, 30, 200, 250} {
		c, _ := memcachedConn(t, topology.Settings{})
		for n := range uint32(300) {
			get(t, c, 1, ticket(n), "gets", strings.Repeat("k", size))
		}
		longest, most := 0, 0
		for _, line := range strings.SplitAfter(sent(c), "\n") {
			longest = max(longest, len(line))
			most = max(most, strings.Count(line, " "))
		}
		if longest > longestLine || most > mostMerged || most < mostMerged && longest+size < longestLine {
			t.Errorf("keys of %d bytes: lines of up to %d bytes and %d keys", size, longest, most)
		}
	}
}

// The keys that are remembered are bounded, whatever the server takes its time for.
func TestRememberedKeysAreBounded(t *testing.T) {
	c, _ := memcachedConn(t, topology.Settings{})
	key := strings.Repeat("k", 250)
	for n := range uint32(2 * mostKeys / 250) {
		get(t, c, 1, ticket(n), "get", key)
		if n%100 == 99 {
			sent(c)
		}
	}
	if got := len(c.merge.keys); got < mostKeys || got > mostKeys+2*len(key) {
		t.Errorf("%d bytes of keys are remembered, the bound is %d", got, mostKeys)
	}
	if got := c.counters.Local(stats.MergedGets); got < mostKeys/256/2 {
		t.Errorf("only %d gets were sent in others' lines", got)
	}
	c.Lost(2, message.ErrEOF)
	c.Trim()
	if got := cap(c.merge.keys); got != 0 {
		t.Errorf("room for %d bytes of keys is kept for nothing", got)
	}
}

// Of a line that is partly sent nothing is taken back, and its reply cannot come before the rest of it.
func TestPartlySentLines(t *testing.T) {
	c, l := memcachedConn(t, topology.Settings{})
	gets(t, c, 1, "a", "b")
	c.Sent(1, 1)
	gets(t, c, 3, "c", "d")
	if got := sent(c); got != "et a b\r\nget c d\r\n" {
		t.Fatalf("%q was sent", got)
	}
	c.Received(2, []byte("VALUE b 0 1\r\nx\r\nEND\r\nVALUE c 0 1\r\ny\r\nEND\r\n"))
	check(t, l, `1 and 1 more: "END\r\nVALUE b 0 1\r\nx\r\nEND\r\n"`, `3 and 1 more: "VALUE c 0 1\r\ny\r\nEND\r\nEND\r\n"`)

	gets(t, c, 5, "a", "b")
	c.Sent(2, len("get a b\r"))
	c.Received(3, []byte("VALUE a 0 1\r\nx\r\n"))
	check(t, l, "5: Invalid argument", "6: Invalid argument")
}

// What is answered at once are requests of one client in a row.
func TestSharedLineOfSeveralClients(t *testing.T) {
	c, l := memcachedConn(t, topology.Settings{})
	other := message.Ticket{Client: 2, Sequence: 7}
	gets(t, c, 1, "a", "b")
	get(t, c, 1, other, "get", "a")
	gets(t, c, 3, "c")
	gets(t, c, 5, "d", "e")
	if got := sent(c); got != "get a b a c d e\r\n" {
		t.Fatalf("%q was sent", got)
	}
	c.Received(2, []byte("VALUE a 0 1\r\nx\r\nVALUE a 0 1\r\nx\r\nVALUE d 0 1\r\nx\r\nVALUE e 0 1\r\ny\r\n"))
	check(t, l, `1 and 1 more: "VALUE a 0 1\r\nx\r\nEND\r\nEND\r\n"`, `7: "VALUE a 0 1\r\nx\r\nEND\r\n" true`, `3: "END\r\n" true`,
		`5: "VALUE d 0 1\r\nx\r\nEND\r\n" true`, `6: "VALUE e 0 1\r\n" false`, `6: "y\r\n" false`)
	c.Received(2, []byte("END\r\n"))
	check(t, l, `6: "END\r\n" true`)
	if n := c.counters.Local(stats.ServerResponses); n != 6 || c.merge.head != len(c.merge.lines) {
		t.Errorf("%d replies were counted, %d of %d lines are left", n, len(c.merge.lines)-c.merge.head, len(c.merge.lines))
	}
}

// Each request of a shared line is measured, picked and weighed by itself.
func TestSharedLinesAreWatched(t *testing.T) {
	big := strings.Repeat("v", 3000)
	c, l := memcachedConn(t, topology.Settings{SlowThreshold: 5 * time.Millisecond, BigThreshold: 2048, HotKeysSample: 1})
	gets(t, c, 1, "a", "bb", "c")
	sent(c)
	c.Received(10*ms, []byte("VALUE bb 0 3000\r\n"+big+"\r\nEND\r\n"))
	expect(t, l.told(),
		`slow 1: "get a\r\n" waiting 10ms, serving 0s, <nil>`,
		`sample 1 for 1: "get a\r\n" waiting 10ms, serving 0s, 7 and 5 bytes, <nil>`,
		`slow 2: "get bb\r\n" waiting 10ms, serving 0s, <nil>`,
		`sample 2 for 1: "get bb\r\n" waiting 10ms, serving 0s, 8 and 3024 bytes, <nil>`,
		`big 2: "get bb\r\n""" 0 and 3024 bytes`,
		`slow 3: "get c\r\n" waiting 10ms, serving 0s, <nil>`,
		`sample 3 for 1: "get c\r\n" waiting 10ms, serving 0s, 7 and 5 bytes, <nil>`)
}

// gatherer is an owner that puts together what each ticket gets.
type gatherer struct {
	*log
	random *rand.Rand
	got    map[message.Ticket]string
	over   map[message.Ticket]bool
	room   []byte
	fault  string
}

func (g *gatherer) Reply(t message.Ticket, b []byte, last bool) {
	if g.over[t] {
		g.fault = fmt.Sprintf("%v gets %q behind its reply", t, b)
	}
	g.got[t] += string(b)
	g.over[t] = last
}

func (g *gatherer) Replies(t message.Ticket, b []byte, count uint32) bool {
	if g.random.IntN(4) == 0 {
		return false
	}
	for range count {
		n := memcached.Short(b)
		g.Reply(t, b[:n], true)
		t.Sequence++
		b = b[n:]
	}
	return true
}

func (g *gatherer) Room(_ message.Ticket, want int) []byte {
	g.room = make([]byte, min(want, 1+g.random.IntN(50000)))
	return g.room
}

func (g *gatherer) Filled(t message.Ticket, n int, last bool) { g.Reply(t, g.room[:n], last) }

// Whatever is asked, however it is sent and however the replies come: each client gets what it would have got alone.
func TestSharedLinesTellNobody(t *testing.T) {
	for seed := range uint64(100) {
		w := newSharing(t, seed)
		for range 60 {
			w.step()
		}
		w.drain()
		w.compare()
	}
}

// sharing is a connection between clients that ask at random and a server that knows what it has.
type sharing struct {
	t       *testing.T
	seed    uint64
	random  *rand.Rand
	c       *Conn
	g       *gatherer
	values  map[string]string
	want    map[message.Ticket]string
	next    map[message.ConnID]uint32
	request string // sent, and not served
	reply   []byte // not received
}

func newSharing(t *testing.T, seed uint64) *sharing {
	w := &sharing{
		t: t, seed: seed, random: rand.New(rand.NewPCG(seed, 1)),
		values: map[string]string{}, want: map[message.Ticket]string{}, next: map[message.ConnID]uint32{},
	}
	for i, size := range []int{0, 1, 5, 900, 2000, 70000} {
		w.values[fmt.Sprintf("k%d", i)] = strings.Repeat("END\r\nVALUE k1 0 1\r\n", 1+size/10)[:size]
	}
	c, l := memcachedConn(t, topology.Settings{JoinReads: seed%3 == 0, HotKeysSample: int(seed % 5)})
	w.c = c
	w.g = &gatherer{log: l, random: w.random, got: map[message.Ticket]string{}, over: map[message.Ticket]bool{}}
	c.owner = w.g
	return w
}

// serve is a server's reply to one line.
func (w *sharing) serve(line string) string {
	words := strings.Fields(line)
	out := ""
	for _, key := range words[1:] {
		if v, ok := w.values[key]; ok {
			unique := ""
			if words[0] == "gets" {
				unique = " 77"
			}
			out += fmt.Sprintf("VALUE %s 0 %d%s\r\n%s\r\n", key, len(v), unique, v)
		}
	}
	return out + "END\r\n"
}

func (w *sharing) step() {
	switch w.random.IntN(4) {
	case 0, 1:
		for range w.random.IntN(12) {
			w.ask()
		}
	case 2:
		b := []byte(strings.Join(output(w.c), ""))
		if w.random.IntN(3) == 0 {
			b = b[:w.random.IntN(len(b)+1)]
		}
		w.send(b)
	default:
		w.receive(w.random.IntN(3000))
	}
}

func output(c *Conn) (parts []string) {
	for _, b := range c.Output(make([][]byte, 0, 64), 1<<30) {
		parts = append(parts, string(b))
	}
	return parts
}

func (w *sharing) ask() {
	client := message.ConnID(1 + w.random.IntN(3))
	verb, key := "get", fmt.Sprintf("k%d", w.random.IntN(10))
	if w.random.IntN(10) == 0 {
		verb = "gets"
	}
	who := message.Ticket{Client: client, Sequence: w.next[client]}
	get(w.t, w.c, 1, who, verb, key)
	w.next[client]++
	w.want[who] = w.serve(verb + " " + key)
}

func (w *sharing) send(b []byte) {
	w.request += string(b)
	w.c.Sent(1, len(b))
	for {
		line, rest, ok := strings.Cut(w.request, "\r\n")
		if !ok {
			return
		}
		w.reply = append(w.reply, w.serve(line)...)
		w.request = rest
	}
}

// receive has the connection read up to n bytes, in pieces of any size.
func (w *sharing) receive(n int) {
	scratch := make([]byte, 64<<10)
	for n = min(n, len(w.reply)); n > 0; {
		b := w.c.Space(scratch[:1+w.random.IntN(len(scratch))])
		k := copy(b, w.reply[:n])
		w.c.Received(2, b[:k])
		w.reply = w.reply[k:]
		n -= k
	}
}

func (w *sharing) drain() {
	w.send([]byte(strings.Join(output(w.c), "")))
	w.receive(len(w.reply))
}

func (w *sharing) compare() {
	w.t.Helper()
	if w.g.fault != "" || w.c.fifo.n != 0 || w.c.state != ready {
		w.t.Fatalf("seed %d: %s; %d requests are left, the connection is in state %d", w.seed, w.g.fault, w.c.fifo.n, w.c.state)
	}
	for who, want := range w.want {
		if got := w.g.got[who]; got != want || !w.g.over[who] {
			w.t.Fatalf("seed %d: %v got\n%.2000q\nwant\n%.2000q", w.seed, who, got, want)
		}
	}
}
