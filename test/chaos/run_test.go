package chaos

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"syscall"
	"time"
)

const (
	// rest is between the load that warms the proxy and the look at its memory.
	rest = 2 * time.Second
	// backWithin is how long after the load memory and descriptors may take to be back.
	backWithin = 60 * time.Second
)

// load has all clients ask for some time, while faults do what they do, if there are any.
func (w *world) load(clients []*client, length time.Duration, faults func(context.Context)) {
	ctx, cancel := context.WithTimeout(context.Background(), length)
	defer cancel()
	w.mu.Lock()
	w.over = cancel
	w.mu.Unlock()
	loading, stop := context.WithCancel(context.Background())
	var all sync.WaitGroup
	for _, c := range clients {
		all.Go(func() { c.run(loading) })
	}
	if faults != nil {
		faults(ctx) // returns when the last one is over
	} else {
		<-ctx.Done()
	}
	stop()
	all.Wait()
}

// sweep reads everything once more, when nothing goes wrong any more. Soon no error is right.
func (w *world) sweep(clients []*client) {
	deadline := time.Now().Add(answerWithin)
	for _, c := range clients {
		for _, k := range c.keys {
			for failed := c.ask(k); failed != ""; failed = c.ask(k) {
				if time.Now().After(deadline) {
					w.violation("client %d of %s: %q, %v after the last fault", c.id, c.pool.name, failed, answerWithin)
					return
				}
				time.Sleep(50 * time.Millisecond)
			}
		}
		c.close()
	}
	c := clients[0] // of the pool and the database where the counters are
	if !c.connect() {
		w.violation("client %d cannot connect after the faults", c.id)
		return
	}
	defer c.close()
	for _, n := range w.counters {
		if err := c.finally(n); err != nil {
			w.violation("%v", err)
		}
	}
}

// ask reads a key and returns why that fails, if it does.
func (c *client) ask(k *key) (failed string) {
	if c.conn == nil && !c.connect() {
		return "no connection"
	}
	o := &op{kind: opGet, keys: []*key{k}}
	asked := time.Now()
	_ = c.conn.SetDeadline(asked.Add(answerWithin))
	_, err := c.conn.Write(c.encode(nil, o))
	if err == nil {
		failed, err = c.answer(o, asked)
	}
	if err != nil {
		c.lost(err)
		return err.Error()
	}
	return failed
}

// finally compares a counter with what clients were told.
func (c *client) finally(n *counter) error {
	_ = c.conn.SetDeadline(time.Now().Add(answerWithin))
	if _, err := c.conn.Write(appendRESP(nil, "GET", n.name)); err != nil {
		return err
	}
	r, err := readRedis(c.r, c.resp3)
	if err != nil || r.kind != '$' {
		return fmt.Errorf("%s: %q, %v", n.name, r.text, err)
	}
	value, _ := strconv.ParseInt(string(r.values[0]), 10, 64) // nothing is none
	return n.final(value)
}

// back waits until the proxy holds no more than before the load, and says how long that took.
func (w *world) back(before resources) (after resources, seconds float64) {
	begin := time.Now()
	for {
		after = w.resources()
		err := leak(before, after, w.mostConnections())
		since := time.Since(begin)
		if err != nil && since > backWithin {
			w.violation("%v after the load there are %v", backWithin, err)
		}
		if err == nil || since > backWithin {
			return after, since.Seconds()
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// end ends the proxy and judges how.
func (w *world) end() {
	if w.proxy.Ended() {
		w.violation("the proxy has died: %s", w.proxy.Err)
		return
	}
	w.proxy.Signal(w.t, syscall.SIGTERM)
	if code := w.proxy.ExitCode(w.t); code != 0 {
		w.violation("the proxy ends with %d", code)
	}
	for _, line := range complaints(w.proxy.Err.String()) {
		w.violation("the log says: %s", line)
	}
}
