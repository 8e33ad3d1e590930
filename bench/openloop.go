package main

import (
	"fmt"
	"time"
)

// crowd is how many requests of one client of an open loop may be unanswered. More means that the rate is more
// than the target can do, and then latencies are those of a queue that only grows.
const crowd = 50_000

// atOnce is how many requests are sent at most before replies are looked for.
const atOnce = 64

// runOpen sends requests at moments that were settled before and do not depend on replies, as many independent
// users do: the gaps between them are exponential (a Poisson process), and each request is some client's. A
// latency counts from the moment at which the request should have been sent. So whatever holds a target up
// also counts for all that would have been sent meanwhile, where a closed loop would have waited politely.
func (g *generator) runOpen() error {
	exactTimers()
	g.base = time.Now()
	end := seconds(g.plan.For)
	due := g.gap()
	var events []ready
	last := time.Duration(0) // when somebody was answered
	for {
		now := time.Since(g.base)
		for n := 0; n < atOnce && due <= min(now, end); n++ {
			if err := g.arrive(due); err != nil {
				return err
			}
			due += g.gap()
		}
		if due > end && g.result.Requests == g.issued {
			break
		}
		wait := time.Second
		if due <= end {
			wait = max(due-time.Since(g.base), 0)
		}
		var err error
		if events, err = g.poll.waitExactly(events[:0], wait); err != nil {
			return err
		}
		before := g.result.Requests
		if err := g.serve(events); err != nil {
			return err
		}
		if now = time.Since(g.base); g.result.Requests > before || g.result.Requests == g.issued {
			last = now
		} else if now-last > silence {
			return fmt.Errorf("no reply for %v, after %d", silence, g.result.Requests)
		}
	}
	g.result.Seconds = time.Since(g.base).Seconds()
	return nil
}

// gap is the time between two requests.
func (g *generator) gap() time.Duration { return seconds(g.random.ExpFloat64() / g.plan.Rate) }

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

// arrive has a client send a request that is due, behind what it has not sent yet.
func (g *generator) arrive(due time.Duration) error {
	c := g.clients[g.random.IntN(len(g.clients))]
	per := g.plan.Keys
	c.forget(per)
	if c.asked-c.answered >= crowd {
		return fmt.Errorf("%d requests of one client are unanswered: the target cannot do %.0f a second", crowd, g.plan.Rate)
	}
	for range per {
		c.keys = append(c.keys, 0)
	}
	keys := c.keys[len(c.keys)-per:]
	g.choose(keys)
	c.out = g.wire.request(c.out, keys)
	c.due = append(c.due, due)
	c.asked++
	g.issued++
	g.late.add(time.Since(g.base)-due, 1)
	return g.write(c)
}

// forget drops what has been sent and answered, if it is all or much, so that the slices do not grow. Requests have
// per keys each.
func (c *client) forget(per int) {
	if c.sent == len(c.out) {
		c.sent, c.out = 0, c.out[:0]
	}
	if n := c.answered; n == c.asked || n >= 1024 {
		c.keys = append(c.keys[:0], c.keys[n*per:]...)
		c.due = append(c.due[:0], c.due[n:]...)
		c.asked, c.answered = c.asked-n, 0
	}
}

// serve reads replies and writes what did not fit before.
func (g *generator) serve(events []ready) error {
	for _, ev := range events {
		c := g.clients[ev.id]
		if ev.writable {
			if err := g.write(c); err != nil {
				return err
			}
		}
		if ev.read {
			if err := g.receive(c); err != nil {
				return err
			}
		}
	}
	return nil
}
