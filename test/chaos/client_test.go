package chaos

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"time"
)

// answerWithin is how long a reply may take before there is none. Servers are stopped for much less.
const answerWithin = 20 * time.Second

// client asks the proxy and judges every reply. It belongs to one goroutine.
type client struct {
	w        *world
	id       int
	rng      *rand.Rand
	pool     *pool
	resp3    bool
	database int // chosen by SELECT, 0 for the pool's
	large    bool
	keys     []*key
	last     []int64 // numbers of the counters
	shared   uint64  // the last number that it has written to the register
	conn     net.Conn
	r        *bufio.Reader
	welcome  bool // the connection was used, and not refused
}

// newClients makes n clients of all kinds. Two of the same pool share names of keys in different databases.
func newClients(w *world, n int, seed uint64) (all []*client) {
	for id := range n {
		c := &client{
			w: w, id: id, rng: rand.New(rand.NewPCG(seed, uint64(id))), pool: w.pools[id%len(w.pools)],
			last: make([]int64, len(w.counters)), large: id%16 >= 12,
		}
		twin := id / len(w.pools)
		if c.pool.redis {
			c.resp3 = twin%3 == 1
			if twin%2 == 1 {
				c.database = 3
			}
		}
		for k := range 30 {
			name := fmt.Sprintf("%s:%d:%d", c.pool.name, twin/2, k)
			if !c.pool.redis {
				name = fmt.Sprintf("%s:%d", name, id)
			}
			c.keys = append(c.keys, newKey(name, id, c.pool.home(name)))
		}
		all = append(all, c)
	}
	return all
}

// run loads the proxy until the context ends.
func (c *client) run(ctx context.Context) {
	defer c.close()
	for ctx.Err() == nil {
		if c.conn == nil && !c.connect() {
			time.Sleep(time.Duration(c.rng.IntN(50)) * time.Millisecond)
			continue
		}
		c.batch()
		time.Sleep(time.Duration(c.rng.IntN(4)) * time.Millisecond)
	}
}

func (c *client) close() {
	if c.conn != nil {
		c.conn.Close()
		c.conn = nil
	}
}

// connect says whether the client is connected, in its protocol and database.
func (c *client) connect() bool {
	conn, err := net.DialTimeout("tcp", c.pool.addr, answerWithin)
	if err != nil {
		c.w.violation("client %d cannot connect: %v", c.id, err)
		return false
	}
	c.welcome = false
	c.conn, c.r = conn, bufio.NewReaderSize(conn, 16<<10)
	if !c.pool.redis {
		return true
	}
	var hello [][]string
	if c.resp3 {
		hello = append(hello, []string{"HELLO", "3"})
	}
	if c.database != 0 {
		hello = append(hello, []string{"SELECT", fmt.Sprint(c.database)})
	}
	for _, words := range hello {
		_ = c.conn.SetDeadline(time.Now().Add(answerWithin))
		_, err := c.conn.Write(appendRESP(nil, words...))
		var r reply
		if err == nil {
			r, err = readRedis(c.r, c.resp3)
		}
		if err == nil && r.kind == '-' {
			if _, ok := mayRead[r.text]; !ok {
				c.w.violation("client %d: %q gets %q", c.id, words, r.text)
			}
			c.w.count(c.w.errors, r.text)
			c.close()
			return false
		}
		if err != nil {
			c.lost(err)
			return false
		}
	}
	return true
}

// batch sends some requests at once and judges their replies. Now and then the client behaves badly.
func (c *client) batch() {
	ops := c.ops()
	var out []byte
	ends := make([]int, len(ops))
	for i, o := range ops {
		out = c.encode(out, o)
		ends[i] = len(out)
	}
	asked := time.Now()
	_ = c.conn.SetDeadline(asked.Add(answerWithin))
	if c.rng.IntN(200) == 0 {
		c.vanish(ops, out, ends)
		return
	}
	written := make(chan error, 1)
	go func() {
		_, err := c.conn.Write(out)
		written <- err
	}()
	if c.rng.IntN(400) == 0 {
		c.w.count(c.w.faults, "client stops reading for a while")
		time.Sleep(time.Duration(c.rng.IntN(800)) * time.Millisecond)
	}
	c.w.requests.Add(int64(len(ops)))
	for i, o := range ops {
		if _, err := c.answer(o, asked); err != nil {
			c.conn.Close() // ends the write
			<-written
			for _, o := range ops[i:] {
				o.unanswered(time.Now())
			}
			c.lost(err)
			return
		}
	}
	<-written
	if n := c.r.Buffered(); n > 0 {
		b, _ := c.r.Peek(n)
		c.w.violation("client %d: %d bytes that nobody asked for: %.100q", c.id, n, b)
		c.close()
	}
}

func (c *client) encode(dst []byte, o *op) []byte {
	if c.pool.redis {
		return o.appendRedis(dst)
	}
	return o.appendMemcached(dst)
}

// answer reads and judges one reply. failed is the text of an error that may come.
func (c *client) answer(o *op, asked time.Time) (failed string, err error) {
	var r reply
	if c.pool.redis {
		r, err = readRedis(c.r, c.resp3)
	} else {
		r, err = readMemcached(c.r, o)
	}
	if err != nil {
		return "", err
	}
	failed, err = o.judge(r, asked, time.Now())
	switch {
	case err != nil:
		c.w.violation("client %d of %s, database %d: %v", c.id, c.pool.name, c.database, err)
		return "", &nonsense{""} // what comes behind it cannot be trusted
	case failed != "":
		c.w.count(c.w.errors, failed)
		c.welcome = !refusals[failed]
	default:
		c.welcome = true
		c.w.replies.Add(1)
		c.w.values.Add(int64(len(r.values)))
		for _, v := range r.values {
			c.w.bytes.Add(int64(len(v)))
		}
	}
	return failed, nil
}

// lost judges the end of a connection. The proxy may end one only if it cannot serve the client at all, or if a
// part of a reply has left and its server failed.
func (c *client) lost(err error) {
	c.close()
	var wrong *nonsense
	switch {
	case errors.As(err, &wrong):
		if wrong.what != "" {
			c.w.violation("client %d of %s: %s", c.id, c.pool.name, wrong.what)
		}
	case errors.Is(err, os.ErrDeadlineExceeded):
		c.w.violation("client %d of %s: no reply within %v", c.id, c.pool.name, answerWithin)
	case errors.Is(err, io.ErrUnexpectedEOF):
		c.w.count(c.w.errors, "(closed within a reply)")
	case !c.welcome:
		c.w.count(c.w.errors, "(closed as one client too many)")
	default:
		c.w.violation("client %d of %s: closed in place of a reply: %v", c.id, c.pool.name, err)
	}
}

// vanish sends a part of the requests and goes without a word. What was not sent whole must never be executed.
func (c *client) vanish(ops []*op, out []byte, ends []int) {
	c.w.count(c.w.faults, "client vanishes within a request")
	cut := c.rng.IntN(len(out))
	_ = c.conn.SetWriteDeadline(time.Now().Add(time.Second))
	_, _ = c.conn.Write(out[:cut]) // if less is written, less may have been executed
	for i, o := range ops {
		if ends[i] <= cut {
			o.unanswered(time.Now())
		}
	}
	if tcp, ok := c.conn.(*net.TCPConn); ok && c.rng.IntN(2) == 0 {
		_ = tcp.SetLinger(0) // a reset
	}
	c.close()
}
