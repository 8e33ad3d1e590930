package integration

import (
	"bufio"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cashew-proxy/cashew/internal/memcachedtest"
	"github.com/cashew-proxy/cashew/internal/redistest"
	"github.com/cashew-proxy/cashew/internal/servertest"
	"github.com/cashew-proxy/cashew/test/harness"
)

// dialect is what a client and a server say to each other in one of the protocols.
type dialect struct {
	name   string
	pool   func(servers []string, more ...string) string
	start  func(t testing.TB, args ...string) string // a real server
	get    func(key string) string
	value  func(key, v string) string // the reply if there is such a value
	miss   string
	errorf string // the reply for an error of the proxy's
	dial   func(t testing.TB, addr string) rawClient
}

// rawClient is what the clients for both protocols can do.
type rawClient interface {
	TryRead() (string, error)
	Conn() net.Conn
	Close()
}

var redisDialect = dialect{
	name: "redis", pool: pool, start: redistest.StartServer,
	get:   func(key string) string { return redistest.Request("GET", key) },
	value: func(_, v string) string { return fmt.Sprintf("$%d\r\n%s\r\n", len(v), v) },
	miss:  "$-1\r\n", errorf: "-ERR %s\r\n",
	dial: func(t testing.TB, addr string) rawClient { return redistest.Dial(t, addr) },
}

var memcachedDialect = dialect{
	name: "memcached", pool: memcachedPool, start: memcachedtest.StartServer,
	get:   func(key string) string { return "get " + key + "\r\n" },
	value: func(key, v string) string { return fmt.Sprintf("VALUE %s 0 %d\r\n%s\r\nEND\r\n", key, len(v), v) },
	miss:  "END\r\n", errorf: "SERVER_ERROR %s\r\n",
	dial: func(t testing.TB, addr string) rawClient { return memcachedtest.Dial(t, addr) },
}

// read takes one request: its words.
func (d *dialect) read(r *bufio.Reader) (words []string, err error) {
	line, err := r.ReadString('\n')
	if err != nil || d.name == "memcached" {
		return strings.Fields(line), err
	}
	n, err := strconv.Atoi(strings.TrimSpace(line[1:]))
	if err != nil {
		return nil, err
	}
	for range n {
		if _, err := r.ReadString('\n'); err != nil { // the length: keys here have no line ends
			return nil, err
		}
		word, err := r.ReadString('\n')
		if err != nil {
			return nil, err
		}
		words = append(words, strings.TrimSpace(word))
	}
	return words, nil
}

// badServer serves get: the value of a key is the key. In between it does what its trouble says.
type badServer struct {
	*dialect
	Addr string

	mu       sync.Mutex
	trouble  *trouble // nil while it is well
	every    int      // which requests it has trouble with; 1 is all
	requests int
	accepted int
}

// trouble is a way of failing.
type trouble struct {
	name string
	// accept is done to a new connection, request instead of a reply; nil is nothing special. They return
	// whether the connection goes on.
	accept  func(c *net.TCPConn) bool
	request func(c *net.TCPConn, d *dialect, words []string) bool

	settings []string
	// want has what the client may get: the text of an error of the proxy's, "closed", "own" for the right
	// reply, or a reply as it is if that has a line end.
	want []string
	// counts says that it is a failure of the server: two in a row eject it, if that is its limit.
	counts bool
	// keeps says that the connection to the server goes on.
	keeps bool
}

// startBad runs a bad server, which is well at first, until the test ends.
func startBad(t *testing.T, d *dialect) *badServer {
	t.Helper()
	s := &badServer{dialect: d, every: 1}
	s.Addr = servertest.Fake(t, s.serve)
	return s
}

// set has the server fail at every nth request from now on, or be well if x is nil.
func (s *badServer) set(x *trouble, every int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.trouble, s.every = x, every
}

// forget does not count the connection last accepted.
func (s *badServer) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.accepted--
}

// connections is how many it has accepted for clients' requests.
func (s *badServer) connections() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.accepted
}

// next counts a connection or a request and returns what is wrong with it.
func (s *badServer) next(counter *int) *trouble {
	s.mu.Lock()
	defer s.mu.Unlock()
	*counter++
	if *counter%s.every != 0 {
		return nil
	}
	return s.trouble
}

func (s *badServer) serve(c *net.TCPConn) {
	if err := c.SetDeadline(time.Now().Add(10 * harness.Limit)); err != nil {
		return
	}
	if x := s.next(&s.accepted); x != nil && x.accept != nil && !x.accept(c) {
		return
	}
	r := bufio.NewReader(c)
	for {
		words, err := s.read(r)
		if err != nil || len(words) == 0 {
			return
		}
		if strings.EqualFold(words[0], "info") { // the proxy's own, which asks for the version
			s.forget()
			if say(c, s.reply(words)) != nil {
				return
			}
			continue
		}
		if x := s.next(&s.requests); x != nil && x.request != nil {
			if !x.request(c, s.dialect, words) {
				return
			}
			continue
		}
		if say(c, s.reply(words)) != nil {
			return
		}
	}
}

// reply is what the server says when it is well.
func (d *dialect) reply(words []string) string {
	if !strings.EqualFold(words[0], "get") {
		return "+OK\r\n"
	}
	reply := ""
	for _, key := range words[1:] { // several, where gets share a line
		reply = strings.TrimSuffix(reply, d.miss) + d.value(key, key)
	}
	return reply
}

func say(c net.Conn, text string) error {
	_, err := c.Write([]byte(text))
	return err
}

// reset ends a connection the hard way.
func reset(c *net.TCPConn) bool {
	_ = c.SetLinger(0) // an error means that it has ended already
	return false
}

// saying is a trouble's request that says something.
func saying(redis, memcached string, goOn bool) func(*net.TCPConn, *dialect, []string) bool {
	return func(c *net.TCPConn, d *dialect, _ []string) bool {
		text := redis
		if d.name == "memcached" {
			text = memcached
		}
		return say(c, text) == nil && goOn
	}
}

// halfValue sends one half of 10 MB and then resets the connection.
func halfValue(c *net.TCPConn, d *dialect, words []string) bool {
	whole := d.value(words[1], strings.Repeat("v", 10<<20))
	_ = say(c, whole[:len(whole)/2])
	return reset(c)
}
