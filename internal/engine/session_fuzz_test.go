package engine_test

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cashew-proxy/cashew/internal/resp"
)

// FuzzSession has two clients send valid commands in any order and any pieces, those among them that change how
// the client's next requests travel and are answered. Each is answered exactly once, in its turn, as the client
// then was: a server's answer names the database and the protocol of the connection that the request came by.
//
// The first byte says how many bytes are moved at a time, each further one is a command of one of the clients.
func FuzzSession(f *testing.F) {
	every := make([]byte, 0, 2*commandKinds+1)
	for i := range commandKinds {
		every = append(every, byte(i), byte(i)|1<<7)
	}
	for _, chunk := range []byte{0, 1, 7, 255} {
		f.Add(append([]byte{chunk}, every...))
	}
	// A name in capitals has all happen that can before the next command; b: is the other client.
	for _, order := range []string{
		"ping SKIP b:PAUSE get get", "get hello3 get hello2 get hello3 get", "GET select get get hello3 get reset get",
		"get hello3 get select get mget reset get mget", "off get mget hello3 get on get", "skip get get skip select get",
		"pause get mget select get", "get off select get skip on hello3 mget getname", "skip pause get get", "skip reset get",
	} {
		seed := []byte{3}
		for _, name := range strings.Fields(order) {
			name, other := strings.CutPrefix(name, "b:")
			b := kindOf(f, strings.ToLower(name))
			for name == strings.ToUpper(name) && b < 0x40 {
				b += commandKinds
			}
			if other {
				b |= 1 << 7
			}
			seed = append(seed, byte(b))
		}
		f.Add(seed)
	}
	if len(kinds) != commandKinds {
		f.Fatalf("there are %d kinds", len(kinds))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) < 2 || len(data) > 200 {
			return
		}
		chunk := int(data[0])
		if chunk == 0 {
			chunk = 1 << 30
		}
		w := &parlour{stage: newStage(t, snapshot(t, "config"), chunk), databases: map[*peer]string{}, threes: map[*peer]bool{}, last: map[string]int{}}
		w.e.Start(w.now)
		guests := [2]*guest{w.guest("a", 1), w.guest("b", 2)}
		for i, b := range data[1:] {
			guests[b>>7].say(int(b&0x7f)%commandKinds, i)
			if b&0x40 != 0 { // else they pile up
				w.serve()
			}
		}
		for _, g := range guests {
			g.say(kindOf(t, "on"), 0)
			g.say(kindOf(t, "get"), len(data))
		}
		w.serve()
		for range data { // each may be a pause, of 30 ms at most
			w.advance(30 * time.Millisecond)
			w.serve()
		}
		for _, g := range guests {
			if got, want := string(g.p.received), g.want.String(); got != want {
				t.Errorf("%s sent %s\nreceived %q\nwant     %q", g.p.name, g.sent.String(), got, want)
			}
			g.p.received = nil
		}
		if err := w.end(); err != nil {
			t.Error(err)
		}
	})
}

// parlour is a stage with servers that answer.
type parlour struct {
	*stage
	databases map[*peer]string
	threes    map[*peer]bool
	last      map[string]int // by client and server: the command of the last request that came
}

// serve lets all happen that can.
func (w *parlour) serve() {
	for again := true; again; {
		again = false
		w.settle()
		for _, p := range w.order {
			if p.server == nil {
				continue
			}
			for len(p.received) > 0 && !p.closed {
				args, n := firstRequest(p.received)
				if n == 0 {
					break
				}
				p.received = p.received[n:]
				p.toProxy = append(p.toProxy, w.answer(p, args)...)
				again = true
			}
		}
	}
}

// inOrder sees to it that no request overtakes another of its client on the way to a server, whatever the lanes.
func (w *parlour) inOrder(p *peer, key string) {
	words := strings.Split(key, ":")
	number, err := strconv.Atoi(words[2])
	whose := words[1] + p.server.Name
	if last, any := w.last[whose]; err != nil || any && number < last {
		w.t.Errorf("%s was overtaken on its way to %s by one of command %d", key, p.name, last)
	}
	w.last[whose] = number
}

// answer is what a server says.
func (w *parlour) answer(p *peer, args []string) string {
	switch strings.ToLower(args[0]) {
	case "hello":
		w.threes[p] = true
		return "%1\r\n+proto\r\n:3\r\n"
	case "select":
		w.databases[p] = args[1]
		return "+OK\r\n"
	case "mget":
		out := fmt.Sprintf("*%d\r\n", len(args)-1)
		for _, key := range args[1:] {
			w.inOrder(p, key)
			out += valueOf(key, w.databases[p], w.threes[p])
		}
		return out
	case "get":
		w.inOrder(p, args[1])
		return valueOf(args[1], w.databases[p], w.threes[p])
	}
	w.t.Errorf("a server received %q", args)
	return "-ERR what\r\n"
}

// valueOf is a key's value, which differs by where it was read.
func valueOf(key, database string, three bool) string {
	if database == "" {
		database = "0"
	}
	if three {
		database += " in RESP3"
	}
	return string(resp.AppendBulkString(nil, key+"@"+database))
}

// firstRequest takes the request at the front of b apart. n is 0 if it has not come whole.
func firstRequest(b []byte) (args []string, n int) {
	rest := b
	number := func() int {
		line, after, ok := bytes.Cut(rest, []byte("\r\n"))
		v, err := strconv.Atoi(string(line[min(1, len(line)):]))
		if !ok || err != nil {
			return -1
		}
		rest = after
		return v
	}
	count := number()
	for range count {
		size := number()
		if size < 0 || len(rest) < size+2 {
			return nil, 0
		}
		args = append(args, string(rest[:size]))
		rest = rest[size+2:]
	}
	if count < 0 {
		return nil, 0
	}
	return args, len(b) - len(rest)
}

// guest is a client, and what it ought to be told.
type guest struct {
	p          *peer
	number     int
	three      bool
	database   string
	name       string
	off        bool
	skip       int // 2: the next answer is not heard; 1: this one is not
	want, sent strings.Builder
}

func (w *parlour) guest(name string, number int) *guest {
	return &guest{p: w.client(name), number: number, database: "0"}
}

// key is one that tells whose it is and of which command.
func (g *guest) key(letters string, i int) string {
	return fmt.Sprintf("%s:%s:%d", letters, g.p.name, i)
}

// hear notes an answer, if it is to be heard.
func (g *guest) hear(answer string) {
	if !g.off && g.skip != 1 {
		g.want.WriteString(answer)
	}
}

// kinds are the commands: i makes each different. do changes the guest and hears the answer.
var kinds = []struct {
	name    string
	request func(g *guest, i int) string
	do      func(g *guest, i int)
}{
	{"get", func(g *guest, i int) string { return "GET " + g.key("k", i) }, func(g *guest, i int) {
		g.hear(valueOf(g.key("k", i), g.database, g.three))
	}},
	{"mget", func(g *guest, i int) string {
		return "MGET " + g.key("k", i) + " " + g.key("l", i) + " " + g.key("kk", i)
	}, func(g *guest, i int) {
		answer := "*3\r\n"
		for _, key := range []string{"k", "l", "kk"} {
			answer += valueOf(g.key(key, i), g.database, g.three)
		}
		g.hear(answer)
	}},
	{"ping", func(_ *guest, _ int) string { return "PING" }, func(g *guest, _ int) { g.hear("+PONG\r\n") }},
	{"echo", func(_ *guest, i int) string { return fmt.Sprint("ECHO ", i) }, func(g *guest, i int) {
		g.hear(string(resp.AppendBulkString(nil, strconv.Itoa(i))))
	}},
	{"select", func(_ *guest, i int) string { return fmt.Sprint("SELECT ", i%3) }, func(g *guest, i int) {
		g.database = strconv.Itoa(i % 3)
		g.hear("+OK\r\n")
	}},
	{"select99", func(_ *guest, _ int) string { return "SELECT 99" }, func(g *guest, _ int) { g.hear("-ERR DB index is out of range\r\n") }},
	{"hello2", func(_ *guest, _ int) string { return "HELLO 2" }, func(g *guest, _ int) { g.three = false; g.hear(g.welcome()) }},
	{"hello3", func(_ *guest, _ int) string { return "HELLO 3" }, func(g *guest, _ int) { g.three = true; g.hear(g.welcome()) }},
	{"hello", func(_ *guest, i int) string { return fmt.Sprintf("HELLO %d SETNAME h%d", 2+i%2, i) }, func(g *guest, i int) {
		g.three, g.name = i%2 == 1, fmt.Sprint("h", i)
		g.hear(g.welcome())
	}},
	{"hello9", func(_ *guest, _ int) string { return "HELLO 9" }, func(g *guest, _ int) { g.hear("-NOPROTO unsupported protocol version\r\n") }},
	{"setname", func(_ *guest, i int) string { return fmt.Sprint("CLIENT SETNAME n", i) }, func(g *guest, i int) {
		g.name = fmt.Sprint("n", i)
		g.hear("+OK\r\n")
	}},
	{"getname", func(_ *guest, _ int) string { return "CLIENT GETNAME" }, func(g *guest, _ int) {
		switch {
		case g.name != "":
			g.hear(string(resp.AppendBulkString(nil, g.name)))
		case g.three:
			g.hear("_\r\n")
		default:
			g.hear("$-1\r\n")
		}
	}},
	{"id", func(_ *guest, _ int) string { return "CLIENT ID" }, func(g *guest, _ int) { g.hear(fmt.Sprintf(":%d\r\n", g.number)) }},
	{"on", func(_ *guest, _ int) string { return "CLIENT REPLY ON" }, func(g *guest, _ int) {
		g.off, g.skip = false, 0
		g.hear("+OK\r\n")
	}},
	{"off", func(_ *guest, _ int) string { return "CLIENT REPLY OFF" }, func(g *guest, _ int) { g.off = true }},
	{"skip", func(_ *guest, _ int) string { return "CLIENT REPLY SKIP" }, func(g *guest, _ int) {
		if !g.off {
			g.skip = 2
		}
	}},
	{"reset", func(_ *guest, _ int) string { return "RESET" }, func(g *guest, _ int) {
		g.off, g.three, g.database, g.name = false, false, "0", ""
		g.hear("+RESET\r\n")
	}},
	{"multi", func(_ *guest, _ int) string { return "MULTI" }, func(g *guest, _ int) { g.hear("-ERR MULTI is not supported by the proxy\r\n") }},
	{"nonsense", func(_ *guest, _ int) string { return "NONSENSE" }, func(g *guest, _ int) {
		g.hear("-ERR unknown command 'NONSENSE', with args beginning with: \r\n")
	}},
	{"arity", func(_ *guest, _ int) string { return "GET" }, func(g *guest, _ int) {
		g.hear("-ERR wrong number of arguments for 'get' command\r\n")
	}},
	{"pause", func(_ *guest, i int) string { return fmt.Sprintf("CLIENT PAUSE 30 %s", []string{"ALL", "WRITE"}[i%2]) }, func(g *guest, _ int) {
		g.hear("+OK\r\n")
	}},
	{"unpause", func(_ *guest, _ int) string { return "CLIENT UNPAUSE" }, func(g *guest, _ int) { g.hear("+OK\r\n") }},
	{"inline", func(_ *guest, _ int) string { return "" }, func(g *guest, i int) {
		g.hear(string(resp.AppendBulkString(nil, strconv.Itoa(i))))
	}},
}

// commandKinds is their number, for a loop before the test can ask.
const commandKinds = 23

func kindOf(t testing.TB, name string) int {
	for i, k := range kinds {
		if k.name == name {
			return i
		}
	}
	t.Fatalf("there is no %s among %d", name, len(kinds))
	return 0
}

// say sends a command, and notes what has to come of it.
func (g *guest) say(kind, i int) {
	k := kinds[kind]
	request := k.request(g, i)
	g.sent.WriteString(k.name + " ")
	if request == "" {
		request = fmt.Sprintf("echo %d\r\n", i)
		g.p.toProxy = append(g.p.toProxy, request...)
	} else {
		words := strings.Fields(request)
		b := resp.AppendArray(nil, len(words))
		for _, w := range words {
			b = resp.AppendBulkString(b, w)
		}
		g.p.toProxy = append(g.p.toProxy, b...)
	}
	if g.skip > 0 {
		g.skip--
	}
	k.do(g, i)
	if g.skip == 1 {
		g.skip = 0
	}
}

// welcome is the answer to HELLO.
func (g *guest) welcome() string {
	head, proto := "*14\r\n", 2
	if g.three {
		head, proto = "%7\r\n", 3
	}
	return head + fmt.Sprintf("$6\r\nserver\r\n$5\r\nredis\r\n$7\r\nversion\r\n$5\r\n7.0.0\r\n$5\r\nproto\r\n:%d\r\n$2\r\nid\r\n:%d\r\n"+
		"$4\r\nmode\r\n$10\r\nstandalone\r\n$4\r\nrole\r\n$6\r\nmaster\r\n$7\r\nmodules\r\n*0\r\n", proto, g.number)
}
