package engine_test

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cashew-proxy/cashew/internal/clock"
	"github.com/cashew-proxy/cashew/internal/downstream"
	"github.com/cashew-proxy/cashew/internal/topology"
)

// A conversation is a text file in testdata. Each line says what one party does, or must find; the
// engine then does all it can do before the next line. Lines that begin with # are comments.
//
//	config k=v …        settings, before anything else; see settings_test.go for the keys
//	client a            client a connects (it also does so with its first bytes)
//	client a> DATA      client a sends
//	client a< DATA      client a has received exactly this, and maybe more for the next line
//	client a<~ N        client a has received N bytes, whatever they are
//	client a fin|rst    client a closes its side, or resets the connection
//	client a stop|go    client a accepts no bytes; accepts them again
//	server s0> DATA     likewise for the newest connection to server 0; s0.1 is the first ever made,
//	server s0< DATA     s0.2 the second. s0, s1 … are the servers; with two of them and the keys
//	server s0 fin|rst   used here, a key of odd letters (a, c, e) lives on s0, of even ones on s1
//	server s0 stop|go
//	server s0 down|silent|up   further dials are refused, stay unanswered, or succeed (the default;
//	                    those that were unanswered then do, too)
//	advance 400ms       time passes
//	closed a|s0.1       the proxy has closed the connection (and what it sent has been looked at)
//	cut a               it has closed the connection within a reply, of which some bytes may have come
//	open a|s0           it has not
//	paused a, reading a whether the proxy reads from it
//	dials s0 2          server 0 has been dialed so often in all
//	count clients_closed 1, count s0 dials 2   a counter of the pool, or a counter or gauge of a server
//	event TEXT          the oldest event reported that no line has named yet contains TEXT
//	eject s0            a snapshot is published without server 0 in the ring; readmit s0 undoes it
//	bar s0              likewise, but the ring keeps it
//	verdict s0          it is decided what becomes of server 0
//	reload k=v …        another configuration is in force; what leaves has a second. names=s0,s2 are its
//	                    servers, host=x is another host for all of them, pool=x another name of the pool
//	operator pause 1s   the operator has all requests wait; with write those that may write; with resume none
//	drain               the process is to end
//	memory 4096         at most so many bytes of buffers are in use
//	asleep              the engine wants no turn until somebody moves
//	nothing             nobody has received anything that was not looked at
//
// In DATA, [GET a] stands for a request as an array of bulk strings, {x*3} for xxx, and Go's escapes
// for bytes. A < line takes the bytes it names, the next one goes on behind them. Bytes that nobody
// looked at are an error at the end, as are buffers that were not given back.
//
// Each conversation is held three times: with bytes moved as many as possible at a time, by sevens
// and one by one. They must not differ.

var update = flag.Bool("update", false, "rewrite what the < lines of testdata/*.txt say to what was received")

func TestConversations(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("no conversations in testdata: ", err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		name := strings.TrimSuffix(filepath.Base(file), ".txt")
		chunks := []int{1 << 30, 7, 1}
		if bytes.HasPrefix(text, []byte("# large\n")) {
			chunks = []int{1 << 30, 4096} // a byte at a time takes too long
		}
		for _, chunk := range chunks {
			t.Run(fmt.Sprintf("%s/%d", name, chunk), func(t *testing.T) {
				converse(t, file, string(text), chunk)
			})
			if *update || t.Failed() {
				break
			}
		}
	}
}

func converse(t *testing.T, file, text string, chunk int) {
	r := &runner{}
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		if line == "" || line[0] == '#' {
			continue
		}
		if r.stage == nil {
			r.stage = newStage(t, snapshot(t, line), chunk)
			if strings.HasPrefix(line, "config") {
				r.e.Start(r.now)
				r.settle()
				continue
			}
		}
		fixed, err := r.line(line)
		if err != nil {
			t.Fatalf("%s:%d: %s\n%v", file, i+1, line, err)
		}
		lines[i] = fixed
		r.settle()
	}
	if err := r.leftovers(); err != nil && !*update {
		t.Fatalf("%s: at the end: %v", file, err)
	}
	if err := r.end(); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	if *update {
		if err := os.WriteFile(file, []byte(strings.Join(lines, "\n")), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

type runner struct{ *stage }

// line does what a line says, and returns it as it should have been.
func (r *runner) line(line string) (string, error) {
	verb, rest, _ := strings.Cut(line, " ")
	words := strings.Fields(rest)
	switch verb {
	case "client", "server":
		return r.party(verb, line, rest)
	case "advance":
		d, err := time.ParseDuration(rest)
		r.advance(d)
		return line, err
	case "eject", "readmit", "bar":
		r.keepRing = verb == "bar"
		r.eject(rest, verb != "readmit")
		return line, nil
	case "verdict":
		server := slices.IndexFunc(r.snap.Pools[0].Servers, func(s *topology.Server) bool { return s.Name == rest })
		r.e.Verdict(r.now, r.snap, r.snap.Pools[0].Servers[server].ID())
		return line, nil
	case "reload":
		r.reload(snapshot(r.t, "config "+rest))
		return line, nil
	case "drain":
		r.e.Drain(r.now)
		return line, nil
	case "operator":
		mode := map[string]downstream.Pause{"pause": downstream.PauseAll, "write": downstream.PauseWrites, "resume": downstream.PauseNone}
		long := time.Duration(0)
		if len(words) > 1 {
			long = duration(r.t, words[1])
		}
		r.e.Pause(r.now, 0, mode[words[0]], r.now.Add(long))
		return line, nil
	case "nothing":
		return line, r.leftovers()
	case "memory":
		if most := number(r.t, rest); r.e.Buffers().InUse() > int64(most) {
			return line, fmt.Errorf("%d bytes are in use", r.e.Buffers().InUse())
		}
		return line, nil
	case "asleep":
		return line, equal("it sleeps", strconv.FormatBool(r.next == clock.Never), "true")
	case "cut":
		if p := r.byName[rest]; p != nil {
			p.received = nil
		}
		return line, r.check("closed", rest)
	case "closed", "open", "paused", "reading":
		return line, r.check(verb, rest)
	case "dials":
		return line, equal(rest, strconv.Itoa(r.dials[words[0]]), words[1])
	case "count":
		return line, r.count(words)
	case "event":
		if len(r.events) == 0 || !strings.Contains(r.events[0], rest) {
			return line, fmt.Errorf("the events are %q", r.events)
		}
		r.events = r.events[1:]
		return line, nil
	}
	return line, fmt.Errorf("%q is no verb", verb)
}

func (r *runner) check(verb, name string) error {
	p := r.byName[name]
	if p == nil {
		return fmt.Errorf("there is no %s", name)
	}
	if verb == "closed" && len(p.received) > 0 {
		return fmt.Errorf("%s has unseen bytes: %s", name, quote(p.received))
	}
	is := map[string]bool{"closed": p.byProxy, "open": !p.closed, "paused": !p.reading && !p.closed, "reading": p.reading && !p.closed}
	if !is[verb] {
		return fmt.Errorf("%s is not %s: %+v", name, verb, is)
	}
	return nil
}

var partyLine = regexp.MustCompile(`^(\w+(?:\.\d+)?)(> |< |<~ |>$|<$| |$)(.*)$`)

func (r *runner) party(kind, line, rest string) (string, error) {
	m := partyLine.FindStringSubmatch(rest)
	if m == nil {
		return line, fmt.Errorf("%q is not understood", rest)
	}
	name, what, arg := m[1], strings.TrimSpace(m[2]), m[3]
	if kind == "server" && r.setPolicy(name, arg) {
		return line, nil
	}
	p := r.byName[name]
	if kind == "client" {
		p = r.client(name)
	} else if p == nil {
		return line, fmt.Errorf("there is no connection %s", name)
	}
	switch what {
	case ">":
		data, err := bytesOf(arg)
		p.toProxy = append(p.toProxy, data...)
		return line, err
	case "<":
		return r.expect(line, arg, p)
	case "<~":
		n, err := strconv.Atoi(arg)
		if err != nil || n > len(p.received) {
			return line, fmt.Errorf("%s received %d bytes: %s", name, len(p.received), quote(p.received))
		}
		p.received = p.received[n:]
		return line, nil
	}
	switch arg {
	case "":
	case "fin":
		p.fin = true
	case "rst":
		r.reset(p)
	case "stop", "go":
		p.stopped = arg == "stop"
	default:
		return line, fmt.Errorf("%q is nothing a %s does", arg, kind)
	}
	return line, nil
}

func (r *runner) setPolicy(server, word string) bool {
	switch word {
	case "up":
		r.policy[server] = ""
	case "down", "silent":
		r.policy[server] = word
	default:
		return false
	}
	r.moved = true
	return true
}

func (r *runner) expect(line, arg string, p *peer) (string, error) {
	want, err := bytesOf(arg)
	if err != nil {
		return line, err
	}
	if bytes.HasPrefix(p.received, want) && len(want) > 0 {
		p.received = p.received[len(want):]
		return line, nil
	}
	if *update {
		line = strings.TrimSuffix(line, arg) + quote(p.received)
		p.received = nil
		return line, nil
	}
	return line, fmt.Errorf("%s received %s", p.name, quote(p.received))
}

func (r *runner) count(words []string) error {
	if len(words) == 2 {
		c, ok := poolCounter(words[0])
		if !ok {
			return fmt.Errorf("no counter %q", words[0])
		}
		return equal(words[0], fmt.Sprint(r.e.PoolCounters(0).Read(c)), words[1])
	}
	c, ok := serverCounter(words[1])
	if !ok {
		return fmt.Errorf("no counter %q", words[1])
	}
	i, err := strconv.Atoi(words[0][1:])
	if err != nil {
		return err
	}
	r.e.Gauge()
	return equal(words[1], fmt.Sprint(r.e.ServerCounters(0, i).Local(c)), words[2])
}

func equal(what, got, want string) error {
	if got != want {
		return fmt.Errorf("%s: it is %s, not %s", what, got, want)
	}
	return nil
}

var (
	repeated = regexp.MustCompile(`\{([^{}]*)\*(\d+)\}`)
	command  = regexp.MustCompile(`\[([^\[\]]*)\]`)
)

// bytesOf reads DATA.
func bytesOf(s string) ([]byte, error) {
	s = repeated.ReplaceAllStringFunc(s, func(m string) string {
		part := repeated.FindStringSubmatch(m)
		n, _ := strconv.Atoi(part[2]) // the expression lets digits through only
		return strings.Repeat(part[1], n)
	})
	s = command.ReplaceAllStringFunc(s, func(m string) string {
		words := strings.Fields(m[1 : len(m)-1])
		out := fmt.Sprintf(`*%d\r\n`, len(words))
		for _, w := range words {
			out += fmt.Sprintf(`$%d\r\n%s\r\n`, len(w), w)
		}
		return out
	})
	s = strings.ReplaceAll(s, `\"`, `"`)
	text, err := strconv.Unquote(`"` + strings.ReplaceAll(s, `"`, `\"`) + `"`)
	return []byte(text), err
}
