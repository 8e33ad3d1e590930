package downstream

import (
	"bytes"
	"errors"
	"fmt"
	"testing"

	"github.com/cashew-proxy/cashew/internal/bytebuf"
	"github.com/cashew-proxy/cashew/internal/clock"
	"github.com/cashew-proxy/cashew/internal/hashkit"
	"github.com/cashew-proxy/cashew/internal/message"
	"github.com/cashew-proxy/cashew/internal/ring"
	"github.com/cashew-proxy/cashew/internal/route"
	"github.com/cashew-proxy/cashew/internal/stats"
	"github.com/cashew-proxy/cashew/internal/topology"
)

// post is an owner that keeps the tickets of what was sent.
type post struct {
	Owner   // for what no test here needs
	desk    *Desk
	tickets []message.Ticket
	refuse  error
	reading bool
}

func (p *post) Send(_ *Session, _ int, t message.Ticket, b []byte, owned bool) error {
	if owned {
		p.desk.Pool.Put(b)
	}
	if p.refuse != nil {
		return p.refuse
	}
	p.tickets = append(p.tickets, t)
	return nil
}
func (p *post) Enter(*Session, message.Lane) (uint16, bool) { return 0, true }
func (p *post) Leave(*Session, uint16)                      {}
func (p *post) LacksRESP3(*topology.Pool) bool              { return false }
func (p *post) Awaken(*Session)                             {}
func (p *post) Judged(*Session, int) bool                   { return false }
func (p *post) AnyServer(*Session) int                      { return 0 }
func (p *post) Writable(s *Session)                         { s.Dirty = true }
func (p *post) Interest(_ *Session, read bool)              { p.reading = read }
func (p *post) Wake(*Session, clock.Instant)                {}
func (p *post) ClientEvent(*Session, Event, string)         {}

func newSession(t *testing.T) (*Session, *post, *bytebuf.Pool) {
	t.Helper()
	h, ok := hashkit.ByName("fnv1a_32")
	if !ok {
		t.Fatal("no hash fnv1a_32")
	}
	p := &topology.Pool{Hash: h, Distribution: ring.Modula}
	p.Protocol = topology.Redis
	p.Limits = topology.Limits{RequestBytes: 1 << 20, Arguments: 1 << 10, InlineBytes: 1 << 10, ClientOutput: 1 << 20}
	var nodes []ring.Node
	for i := range 2 {
		p.Servers = append(p.Servers, &topology.Server{Index: i})
		nodes = append(nodes, ring.Node{Name: fmt.Sprint(i), Weight: 1, Index: i})
	}
	p.Ring = ring.New(p.Distribution, nodes)
	pool := &bytebuf.Pool{Mangle: true}
	o := &post{reading: true}
	o.desk = &Desk{Owner: o, Pool: pool, Router: route.NewRouter(1), Now: 1}
	s := &Session{}
	s.Open(o.desk, 7, p, stats.NewPool(), "")
	return s, o, pool
}

func output(s *Session) string {
	b := bytes.Join(s.Output(make([][]byte, 0, 64), 1<<30), nil)
	s.Sent(len(b))
	return string(b)
}

// Answers find their places also where the numbers of the requests wrap, in any order.
func TestSequenceWraps(t *testing.T) {
	s, o, pool := newSession(t)
	s.inFlight.head = 1<<32 - 5
	s.Received(bytes.Repeat([]byte("*2\r\n$3\r\nGET\r\n$1\r\na\r\n"), 10))
	s.Received([]byte("*3\r\n$4\r\nMGET\r\n$1\r\na\r\n$1\r\nb\r\n"))
	s.Received([]byte("PING\r\n"))
	if len(o.tickets) != 12 {
		t.Fatalf("%d requests were sent", len(o.tickets))
	}
	want := ""
	for i := range 10 {
		want += fmt.Sprintf("+%d\r\n", i)
	}
	for _, i := range []int{9, 4, 6, 5, 1, 2, 3, 8, 7} {
		s.Reply(o.tickets[i], fmt.Appendf(nil, "+%d\r\n", i), true)
	}
	s.Reply(o.tickets[11], []byte("*1\r\n$1\r\nB\r\n"), true)
	s.Reply(o.tickets[10], []byte("*1\r\n$1\r\nA\r\n"), true)
	if got := output(s); got != "" {
		t.Fatalf("%q came before its turn", got)
	}
	s.Reply(o.tickets[0], []byte("+0\r\n"), true)
	want += "*2\r\n$1\r\nA\r\n$1\r\nB\r\n+PONG\r\n"
	if got := output(s); got != want {
		t.Fatalf("the client got %q, want %q", got, want)
	}
	// What comes for them once more is nobody's.
	for _, k := range o.tickets {
		s.Reply(k, []byte("+again\r\n"), true)
		s.Fail(k, message.ErrTimeout)
	}
	if got := output(s); got != "" || s.Gone {
		t.Fatalf("late answers were delivered: %q, gone %v", got, s.Gone)
	}
	if s.Held() != 0 || s.Unanswered() != 0 || pool.InUse() != 0 {
		t.Errorf("held %d bytes, %d unanswered, %d bytes in use", s.Held(), s.Unanswered(), pool.InUse())
	}
}

// Requests refused at once are answered in their turn as well, and a split request once, however many
// fragments are refused.
func TestRefusedSends(t *testing.T) {
	s, o, pool := newSession(t)
	s.Received([]byte("GET a\r\n"))
	o.refuse = errors.New("no server")
	s.Received([]byte("GET a\r\nMSET a 1 b 2\r\nDEL b a b\r\nSUNION a c\r\n"))
	if got := output(s); got != "" {
		t.Fatalf("%q came before its turn", got)
	}
	s.Reply(o.tickets[0], []byte("+first\r\n"), true)
	want := "+first\r\n"
	for range 4 {
		want += "-ERR no server\r\n"
	}
	if got := output(s); got != want {
		t.Fatalf("the client got %q, want %q", got, want)
	}
	if pool.InUse() != 0 {
		t.Errorf("%d bytes in use", pool.InUse())
	}
}

// A session that ends with everything half done gives everything back, and its place can be reused.
func TestReleaseGivesAllBack(t *testing.T) {
	s, o, pool := newSession(t)
	for range 3 {
		o.tickets = nil
		s.Received([]byte("GET a\r\nGET b\r\nMGET a b\r\nMGET b a\r\nPING\r\n*2\r\n$3\r\nGET\r\n$100\r\nabc"))
		s.Reply(o.tickets[0], []byte("$10\r\n01234"), false)
		s.Reply(o.tickets[1], []byte("$10\r\n01234"), false)
		s.Reply(o.tickets[2], []byte("*1\r\n$-1\r\n"), true)
		s.Reply(o.tickets[4], []byte("*1\r\n$1"), false)
		if s.Held() == 0 {
			t.Fatal("the session holds nothing")
		}
		p, c := s.Pool, s.counters
		s.Release()
		if pool.InUse() != 0 {
			t.Fatalf("%d bytes in use", pool.InUse())
		}
		s.Open(o.desk, 7, p, c, "")
		if s.Held() != 0 || s.Unanswered() != 0 {
			t.Fatalf("a new session holds %d bytes, %d unanswered", s.Held(), s.Unanswered())
		}
	}
}

// What a client says of itself counts as memory in use, for as long as it is there.
func TestNamesCount(t *testing.T) {
	s, _, pool := newSession(t)
	s.Received([]byte("CLIENT SETNAME someone\r\nCLIENT SETINFO lib-name rueidis\r\nCLIENT SETNAME else\r\n"))
	s.Sent(s.out.Len())
	if got, want := pool.InUse(), int64(len("else")+len("rueidis")); got != want {
		t.Errorf("%d bytes are in use, want %d", got, want)
	}
	s.Received([]byte("RESET\r\n"))
	s.Release()
	if n := pool.InUse(); n != 0 {
		t.Errorf("%d bytes are in use after the end", n)
	}
}
