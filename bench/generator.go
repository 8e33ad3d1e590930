package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"time"
)

// plan is a load: clients in a closed loop, each of which sends a pipeline of requests for random keys
// and, when all are answered, the next; or in an open one, see runOpen.
type plan struct {
	Port     int
	Protocol string // redis or memcached
	Verb     string // get or set
	Keys     int    // of one request
	Clients  int
	Pipeline int
	Requests int // of all clients together

	// With a rate the loop is open: requests are sent at that many a second, answered or not, for so many
	// seconds. Pipeline and Requests have no meaning then.
	Rate, For float64

	space   keyspace
	inOrder bool // every key in its turn instead of random ones
}

// loadResult is what came of it.
type loadResult struct {
	Requests   int
	Wrong      int // replies that were not the right ones
	FirstWrong string
	Seconds    float64
	// ms to the reply's last byte: from the sending of the pipeline, or with a rate from when it should have been sent.
	P50, P99, P999, Max float64
	Late99              float64 // ms by which 99 % of an open loop's requests were sent too late at most
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
	late      histogram // of an open loop
}

// client is one connection.
type client struct {
	id, fd   int
	keys     []int // of the pipeline that is on its way, request after request
	asked    int   // requests in it
	answered int
	began    time.Duration   // when it was sent
	due      []time.Duration // of an open loop instead: when each request should have been sent
	out      []byte          // the pipeline
	sent     int             // of out
	stuck    bool            // the kernel had no room for the rest
	in       []byte          // the beginning of a reply
}

// silence is how long nobody may be answered before something is taken to hang.
const silence = 10 * time.Second

// generate runs a plan. An error means that it could not be run to its end; wrong replies are counted.
func generate(p plan) (loadResult, error) {
	if p.Clients < 1 || p.Rate == 0 && (p.Pipeline < 1 || p.Requests < 1) || p.Rate < 0 || p.Rate > 0 && p.For <= 0 {
		return loadResult{}, errors.New("clients, pipeline and requests, or the rate and its seconds, must be positive")
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
	run := g.run
	if p.Rate > 0 {
		run = g.runOpen
	}
	if err := run(); err != nil {
		return loadResult{}, err
	}
	r := &g.result
	r.P50, r.P99, r.P999 = g.latencies.quantile(0.5), g.latencies.quantile(0.99), g.latencies.quantile(0.999)
	r.Max, r.Late99 = milliseconds(g.latencies.most), g.late.quantile(0.99)
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
		c := &client{id: id, fd: fd}
		if g.plan.Rate == 0 {
			c.keys = make([]int, g.plan.Pipeline*g.plan.Keys)
		}
		g.clients = append(g.clients, c)
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
	return g.write(c)
}

// write writes what a client has to send and there is room for.
func (g *generator) write(c *client) error {
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
		g.choose(keys)
		c.out = g.wire.request(c.out, keys)
	}
	c.began = time.Since(g.base)
}

// choose chooses the keys of a request.
func (g *generator) choose(keys []int) {
	for i := range keys {
		if g.plan.inOrder {
			keys[i] = g.next % g.plan.space.keys
			g.next++
		} else {
			keys[i] = g.random.IntN(g.plan.space.keys)
		}
	}
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
		g.count(c, before, time.Since(g.base))
	}
	c.in = append(c.in[:0], b...)
	return nil
}

// count counts the latencies of the requests that are answered now, those from before on.
func (g *generator) count(c *client, before int, now time.Duration) {
	if g.plan.Rate == 0 {
		g.latencies.add(now-c.began, c.answered-before)
		return
	}
	for _, due := range c.due[before:c.answered] {
		g.latencies.add(now-due, 1)
	}
}

// wrong counts a reply that is not the right one, and keeps the first.
func (g *generator) wrong(reply []byte, keys []int) {
	if g.result.Wrong++; g.result.Wrong == 1 {
		g.result.FirstWrong = fmt.Sprintf("%q was answered %q", shortened(g.wire.request(nil, keys)), shortened(reply))
	}
}

func shortened(b []byte) []byte { return b[:min(len(b), 200)] }
