package engine_test

import (
	"strings"
	"testing"
)

// What clients send that wait is kept as far as the memory goes, a little of each always.
func TestMemoryOfThoseWhoWait(t *testing.T) {
	s := newStage(t, snapshot(t, "config servers=1 memory=150000"), 1<<30)
	say := func(client, data string) *peer {
		p := s.client(client)
		p.toProxy = append(p.toProxy, data...)
		s.settle()
		return p
	}
	say("a", array("CLIENT", "PAUSE", "60000"))
	pings := strings.Repeat(array("PING"), 4000)
	b, c := say("b", pings), say("c", pings)
	d, e := say("d", pings), say("e", strings.Repeat(array("PING"), 10))
	if got := string(d.received); got != "-ERR proxy memory limit reached\r\n" || !d.byProxy {
		t.Errorf("the third got %q, closed: %v", got, d.byProxy)
	}
	say("a", array("CLIENT", "UNPAUSE"))
	for p, want := range map[*peer]int{b: 4000, c: 4000, e: 10} {
		if got := strings.Count(string(p.received), "+PONG\r\n"); got != want || p.closed {
			t.Errorf("%s got %d answers, want %d", p.name, got, want)
		}
	}
	if err := s.end(); err != nil {
		t.Error(err)
	}
}
