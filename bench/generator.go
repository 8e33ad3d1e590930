package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"time"
)

// plan is a load: clients in a closed loop, each of which sends a pipeline of requests for random keys
// and, when all are answered, the next.
type plan struct {
	Port     int
	Protocol string // redis or memcached
	Verb     string // get or set
	Keys     int    // of one request
	Clients  int
	Pipeline int
	Requests int // of all clients together

	space   keyspace
	inOrder bool // every key in its turn instead of random ones
}

// loadResult is what came of it.
type loadResult struct {
	Requests   int
	Wrong      int // replies that were not the right ones
	FirstWrong string
	Seconds    float64
	P50, P99   float64 // ms, from the sending of the pipeline to the reply's last byte
}

// generator runs a plan in one thread, as redis-benchmark does: all that is there is read, then
// whoever has all its replies sends again. It allocates nothing on the way, so that nothing is collected.
type generator struct {
	plan    plan
	wire    *wire
	poll    *poller
	clients []*client
	scratch []byte
	random  *rand.Rand

	base      time.Time // latencies are counted from here
	issued    int
	next      int // key, of a plan that goes in order
	result    loadResult
	latencies histogram
}

// client is one connection.
type client struct {
	id, fd   int
	keys     []int // of the pipeline that is on its way, request after request
	asked    int   // requests in it
	answered int
	began    time.Duration // when it was sent
	out      []byte        // the pipeline
	sent     int           // of out
	stuck    bool          // the kernel had no room for the rest
	in       []byte        // the beginning of a reply
}

// silence is how long nobody may be answered before something is taken to hang.
const silence = 10 * time.Second

// generate runs a plan. An error means that it could not be run to its end; wrong replies are counted.
func generate(p plan) (loadResult, error) {
	if p.Clients < 1 || p.Pipeline < 1 || p.Requests < 1 {
		return loadResult{}, errors.New("clients, pipeline and requests must be positive")
	}
	w, err := newWire(p.Protocol, p.Verb, p.space, p.Keys)
	if err != nil {
		return loadResult{}, err
	}
	g := &generator{plan: p, wire: w, scratch: make([]byte, 256<<10), random: rand.New(rand.NewPCG(1, uint64(p.Requests)))}
	if g.poll, err = newPoller(); err != nil {
		return loadResult{}, err
	}
	defer g.close()
	if err := g.connect(); err != nil {
		return loadResult{}, err
	}
	if err := g.run(); err != nil {
		return loadResult{}, err
	}
	g.result.P50, g.result.P99 = g.latencies.quantile(0.5), g.latencies.quantile(0.99)
	return g.result, nil
}

func (g *generator) close() {
	for _, c := range g.clients {
		closeSocket(c.fd)
	}
	g.poll.close()
}

func (g *generator) connect() error {
	for id := range g.plan.Clients {
		fd, err := dialSocket(g.plan.Port)
		if err != nil {
			return err
		}
		g.clients = append(g.clients, &client{id: id, fd: fd, keys: make([]int, g.plan.Pipeline*g.plan.Keys)})
		if err := g.poll.add(fd, id); err != nil {
			return err
		}
	}
	return nil
}

// run sends until as many requests were answered as were wanted.
func (g *generator) run() error {
	g.base = time.Now()
	for _, c := range g.clients {
		if err := g.send(c); err != nil {
			return err
		}
	}
	var events []ready
	last := time.Now()
	for g.result.Requests < g.plan.Requests {
		var err error
		before := g.result.Requests
		if events, err = g.poll.wait(events[:0], time.Second); err != nil {
			return err
		}
		for _, ev := range events {
			if ev.read {
				if err := g.receive(g.clients[ev.id]); err != nil {
					return err
				}
			}
		}
		for _, ev := range events {
			if err := g.send(g.clients[ev.id]); err != nil {
				return err
			}
		}
		if g.result.Requests > before {
			last = time.Now()
		} else if time.Since(last) > silence {
			return fmt.Errorf("no reply for %v, after %d", silence, g.result.Requests)
		}
	}
	g.result.Seconds = time.Since(g.base).Seconds()
	return nil
}

// send goes on with a client's pipeline, or begins the next one when all of it is answered.
func (g *generator) send(c *client) error {
	if c.sent == len(c.out) {
		if c.answered < c.asked || g.issued == g.plan.Requests {
			return nil
		}
		g.ask(c)
	}
	n, err := writeSocket(c.fd, c.out[c.sent:])
	if err != nil {
		return err
	}
	if n < 0 {
		return errGone
	}
	c.sent += n
	if stuck := c.sent < len(c.out); stuck != c.stuck {
		c.stuck = stuck
		return g.poll.change(c.fd, c.id, stuck)
	}
	return nil
}

var errGone = errors.New("the connection was closed")

// ask makes the next pipeline, a shorter one if it is the last.
func (g *generator) ask(c *client) {
	c.asked = min(g.plan.Pipeline, g.plan.Requests-g.issued)
	g.issued += c.asked
	c.answered, c.sent, c.out = 0, 0, c.out[:0]
	per := g.plan.Keys
	for i := range c.asked {
		keys := c.keys[i*per : (i+1)*per]
		for j := range keys {
			if g.plan.inOrder {
				keys[j] = g.next % g.plan.space.keys
				g.next++
			} else {
				keys[j] = g.random.IntN(g.plan.space.keys)
			}
		}
		c.out = g.wire.request(c.out, keys)
	}
	c.began = time.Since(g.base)
}

// receive reads what is there for a client.
func (g *generator) receive(c *client) error {
	n, err := readSocket(c.fd, g.scratch)
	if err != nil {
		return err
	}
	if n < 0 {
		return fmt.Errorf("%w with %d replies to come", errGone, c.asked-c.answered)
	}
	return g.take(c, g.scratch[:n])
}

// take counts the replies that b brings.
func (g *generator) take(c *client, b []byte) error {
	if len(c.in) > 0 {
		c.in = append(c.in, b...)
		b = c.in
	}
	before, per := c.answered, g.plan.Keys
	for len(b) > 0 {
		if c.answered == c.asked {
			return fmt.Errorf("a reply to nothing: %.100q", b)
		}
		keys := c.keys[c.answered*per : (c.answered+1)*per]
		n := g.wire.size
		if len(b) < n || !g.wire.right(b[:n], keys) {
			var err error
			if n, err = g.wire.end(b); err != nil {
				return err
			}
			if n == 0 {
				break
			}
			g.wrong(b[:n], keys)
		}
		c.answered++
		b = b[n:]
	}
	if n := c.answered - before; n > 0 {
		g.result.Requests += n
		g.latencies.add(time.Since(g.base)-c.began, n)
	}
	c.in = append(c.in[:0], b...)
	return nil
}

// wrong counts a reply that is not the right one, and keeps the first.
func (g *generator) wrong(reply []byte, keys []int) {
	if g.result.Wrong++; g.result.Wrong == 1 {
		g.result.FirstWrong = fmt.Sprintf("%q was answered %q", shortened(g.wire.request(nil, keys)), shortened(reply))
	}
}

func shortened(b []byte) []byte { return b[:min(len(b), 200)] }
