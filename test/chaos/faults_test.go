package chaos

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"net"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/cashew-proxy/cashew/internal/memcachedtest"
	"github.com/cashew-proxy/cashew/internal/redistest"
	"github.com/cashew-proxy/cashew/internal/servertest"
	"github.com/cashew-proxy/cashew/test/harness"
)

// fault is something bad that is over when do returns.
type fault struct {
	name string
	do   func(w *world, rng *rand.Rand)
}

// Two schedules run beside each other, so that faults of servers and of the proxy's surroundings meet.
var (
	serverFaults = []fault{
		{"server killed and restarted", kill},
		{"server stopped for a while", stop},
		{"server resets its connections", reset},
		{"server stopped, then reset", func(w *world, rng *rand.Rand) { stop(w, rng); reset(w, rng) }},
	}
	proxyFaults = []fault{
		{"reload: workers", func(w *world, rng *rand.Rand) {
			w.change(rng, func(s *settings) { s.threads = []string{"1", "2", "3", "auto"}[rng.IntN(4)] })
		}},
		{"reload: timeouts", func(w *world, rng *rand.Rand) {
			w.change(rng, func(s *settings) { s.timeout = 100 + rng.IntN(400) })
		}},
		{"reload: connections to servers", func(w *world, rng *rand.Rand) {
			w.change(rng, func(s *settings) { s.connections = 1 + rng.IntN(3) })
		}},
		{"reload: server added or removed", func(w *world, rng *rand.Rand) {
			w.change(rng, func(s *settings) { s.movers = 1 + rng.IntN(3) })
		}},
		{"reload: pool added or removed", func(w *world, rng *rand.Rand) {
			w.change(rng, func(s *settings) { s.spare = !s.spare })
		}},
		{"reload: a file with a mistake", func(w *world, rng *rand.Rand) {
			s := w.set
			s.mistake = true
			w.reload(s, rng.IntN(2) == 0)
		}},
		{"open files run out", crowd},
		{"clients never read", neverRead},
		{"requests beyond the limits", beyond},
	}
)

// schedule has faults happen in an order that the seed decides, each as often as the others.
func (w *world) schedule(ctx context.Context, all []fault, rng *rand.Rand) {
	for ctx.Err() == nil {
		for _, i := range rng.Perm(len(all)) {
			if ctx.Err() != nil {
				return
			}
			pause := time.Duration(50+rng.IntN(400)) * time.Millisecond
			mine := rand.New(rand.NewPCG(rng.Uint64(), 0)) // so that the order does not hang on what a fault draws
			w.t.Logf("%s %s", time.Now().Format("15:04:05.000"), all[i].name)
			all[i].do(w, mine)
			w.count(w.faults, all[i].name)
			time.Sleep(pause)
		}
	}
}

func (w *world) change(rng *rand.Rand, by func(*settings)) {
	s := w.set
	by(&s)
	w.reload(s, rng.IntN(2) == 0)
}

// kill ends a server that may lose its data, and starts it again, empty.
func kill(w *world, rng *rand.Rand) {
	s := w.servers[rng.IntN(len(w.servers))]
	for !s.mortal {
		s = w.servers[rng.IntN(len(w.servers))]
	}
	away := time.Duration(rng.IntN(800)) * time.Millisecond
	pid := s.pid(w)
	s.forgotAt.Store(math.MaxInt64)
	s.signal(w, pid, syscall.SIGKILL)
	harness.Eventually(w.t, harness.Limit, "the server is dead", func() bool {
		conn, err := net.Dial("tcp", s.addr)
		if err == nil {
			conn.Close()
		}
		return err != nil
	})
	time.Sleep(away)
	if s.memcached {
		memcachedtest.StartServerAt(w.t, s.addr)
	} else {
		redistest.StartServerAt(w.t, s.addr)
	}
	s.forgotAt.Store(time.Now().UnixNano())
}

// stop has a server do nothing for a while. It loses nothing.
func stop(w *world, rng *rand.Rand) {
	s := w.servers[rng.IntN(len(w.servers))]
	pid := s.pid(w)
	s.signal(w, pid, syscall.SIGSTOP)
	time.Sleep(time.Duration(rng.IntN(1200)) * time.Millisecond)
	s.signal(w, pid, syscall.SIGCONT)
}

// reset closes the connections of a Redis server, with whatever is on them.
func reset(w *world, rng *rand.Rand) {
	s := w.servers[rng.IntN(6)]
	if line, err := servertest.Ask(s.addr, "CLIENT KILL TYPE normal SKIPME yes\r\n", answerWithin); err != nil || line[0] != ':' {
		w.violation("CLIENT KILL of %s: %q, %v", s.name, line, err)
	}
}

// crowd connects idle clients until one is refused, and more.
func crowd(w *world, rng *rand.Rand) {
	p := w.pools[rng.IntN(len(w.pools))]
	var all []net.Conn
	for range openFiles {
		conn, err := net.DialTimeout("tcp", p.addr, time.Second)
		if err != nil {
			break // nobody accepts
		}
		all = append(all, conn)
	}
	time.Sleep(time.Duration(rng.IntN(500)) * time.Millisecond)
	for _, conn := range all {
		conn.Close()
	}
}

// neverRead asks for much and takes nothing of it, longer than the proxy bears.
func neverRead(w *world, rng *rand.Rand) {
	p := w.pools[rng.IntN(3)]
	value := strings.Repeat("x", 100<<10)
	for range 3 {
		conn, err := net.DialTimeout("tcp", p.addr, time.Second)
		if err != nil {
			return
		}
		defer conn.Close()
		_ = conn.SetWriteDeadline(time.Now().Add(time.Second))
		out := appendRESP(nil, "SET", "unread", value)
		for range 300 {
			out = appendRESP(out, "GET", "unread")
		}
		_, _ = conn.Write(out) // it may be refused, as open files are few
	}
	time.Sleep(time.Duration(1000+rng.IntN(4500)) * time.Millisecond)
}

// beyond sends what the proxy refuses and judges what it says.
func beyond(w *world, rng *rand.Rand) {
	for _, i := range rng.Perm(len(refused)) {
		p := w.pools[0]
		conn, err := net.DialTimeout("tcp", p.addr, answerWithin)
		if err != nil {
			w.violation("%v", err)
			return
		}
		_ = conn.SetDeadline(time.Now().Add(answerWithin))
		go func() { _, _ = io.WriteString(conn, refused[i].request) }() // it may be closed before all is written
		text, err := io.ReadAll(io.LimitReader(bufio.NewReader(conn), int64(len(refused[i].reply))))
		conn.Close()
		got := string(text)
		// The error may be lost with the connection when the proxy closes it with bytes unread.
		if full := "-ERR max number of clients reached\r\n"; got != refused[i].reply && !strings.HasPrefix(full, got) {
			w.violation("%s: %q, %v", refused[i].name, got, err)
		}
	}
}

var refused = []struct{ name, request, reply string }{
	{"a value beyond request_size_limit", "*3\r\n$3\r\nSET\r\n$6\r\nbeyond\r\n$" + strconv.Itoa(5<<20) + "\r\n" + strings.Repeat("x", 1<<20), "-ERR Protocol error"},
	{"arguments beyond request_arguments_limit", "*2000000\r\n", "-ERR Protocol error"},
	{"an inline command without an end", strings.Repeat("x", 100<<10), "-ERR Protocol error"},
	{"no request at all", "PING\r\n*1\r\n+PING\r\n", "+PONG\r\n-ERR Protocol error"},
	{"a command that is not there", "nonsuch\r\nPING\r\n", "-ERR unknown command 'nonsuch', with args beginning with: \r\n+PONG\r\n"},
	{"a command that is not served", "SUBSCRIBE a\r\nPING\r\n", "-ERR SUBSCRIBE is not supported by the proxy\r\n+PONG\r\n"},
}

func (s *server) pid(w *world) int {
	question, word := "INFO server\r\n", "process_id:"
	if s.memcached {
		question, word = "stats\r\n", "STAT pid "
	}
	conn, err := net.DialTimeout("tcp", s.addr, answerWithin)
	if err != nil {
		w.t.Errorf("the pid of %s: %v", s.name, err)
		return 0
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(answerWithin))
	_, _ = io.WriteString(conn, question) // the answer tells
	for lines := bufio.NewScanner(conn); lines.Scan(); {
		if v, ok := strings.CutPrefix(lines.Text(), word); ok {
			pid, _ := strconv.Atoi(strings.TrimSpace(v))
			return pid
		}
	}
	w.t.Errorf("%s does not tell its pid", s.name)
	return 0
}

func (s *server) signal(w *world, pid int, what syscall.Signal) {
	if pid <= 1 {
		return // it was not found, which has been told
	}
	if err := syscall.Kill(pid, what); err != nil {
		w.t.Error(fmt.Errorf("%s: %w", s.name, err))
	}
}
