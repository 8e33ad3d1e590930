package main

import (
	"strings"
	"testing"
	"time"

	"github.com/cashew-proxy/cashew/internal/memcachedtest"
	"github.com/cashew-proxy/cashew/internal/redistest"
)

// TestOpenLoop: what is sent is answered, all of it, by real servers, about as much as was wanted.
func TestOpenLoop(t *testing.T) {
	ports := map[string]int{
		memcached: portOf(t, memcachedtest.StartServer(t)),
		redis:     portOf(t, redistest.StartServer(t)),
	}
	for protocol, port := range ports {
		if err := fill(port, protocol, few); err != nil {
			t.Fatal(err)
		}
		p := plan{Port: port, Protocol: protocol, Verb: "get", Keys: 1, Clients: 5, Rate: 20_000, For: 0.2, space: few}
		r, err := generate(p)
		if err != nil || r.Wrong != 0 {
			t.Fatalf("%s: %+v, %v", protocol, r, err)
		}
		// 4000 are expected, with a deviation of 63.
		if r.Requests < 3600 || r.Requests > 4400 {
			t.Errorf("%s: %d requests", protocol, r.Requests)
		}
		if r.P50 <= 0 || r.P99 < r.P50 || r.P999 < r.P99 || r.Max < r.P999 {
			t.Errorf("%s: impossible figures: %+v", protocol, r)
		}
	}
}

// TestWaitingCounts: who answers nobody for a while has made all wait whose requests were due meanwhile, not
// only the one that it was about to answer.
func TestWaitingCounts(t *testing.T) {
	const sleep = 300 * time.Millisecond
	port := fake(t, func(line string, n int) string {
		if n == 0 {
			time.Sleep(sleep)
		}
		return hit(line)
	})
	// All is due within 100 ms of the first request, so every single one waits for 200 ms at least.
	r, err := generate(plan{Port: port, Protocol: memcached, Verb: "get", Keys: 1, Clients: 1, Rate: 2000, For: 0.1, space: few})
	if err != nil || r.Requests < 100 || r.Wrong != 0 {
		t.Fatalf("%+v, %v", r, err)
	}
	if r.P50 < 199 || r.Max < r.P50 {
		t.Errorf("half of all waited for %v ms at most, the longest for %v ms", r.P50, r.Max)
	}
}

func TestOverload(t *testing.T) {
	stop := make(chan struct{})
	port := fake(t, func(string, int) string {
		<-stop
		return ""
	})
	t.Cleanup(func() { close(stop) }) // before the server is waited for
	_, err := generate(plan{Port: port, Protocol: memcached, Verb: "get", Keys: 1, Clients: 1, Rate: 1e6, For: 5, space: few})
	if err == nil || !strings.Contains(err.Error(), "the target cannot do 1000000 a second") {
		t.Errorf("have %v", err)
	}
}

func TestForgetting(t *testing.T) {
	c := &client{keys: []int{1, 2, 3, 4}, due: []time.Duration{5, 6}, asked: 2, answered: 1, out: []byte("ab"), sent: 1}
	c.forget(2)
	if len(c.keys) != 4 || len(c.out) != 2 {
		t.Errorf("too early: %+v", c)
	}
	c.answered, c.sent = 2, 2
	c.forget(2)
	if len(c.keys) != 0 || len(c.due) != 0 || c.asked != 0 || c.answered != 0 || len(c.out) != 0 {
		t.Errorf("all is done: %+v", c)
	}
	for i := range 1500 {
		c.keys, c.due = append(c.keys, i), append(c.due, time.Duration(i))
	}
	c.asked, c.answered = 1500, 1100
	c.forget(1)
	if len(c.keys) != 400 || c.keys[0] != 1100 || c.due[0] != 1100 || c.asked != 400 || c.answered != 0 {
		t.Errorf("%d keys from %d on, %d asked, %d answered", len(c.keys), c.keys[0], c.asked, c.answered)
	}
}
