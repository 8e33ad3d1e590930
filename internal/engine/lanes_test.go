package engine_test

import (
	"fmt"
	"testing"
	"time"
)

// Lanes are bounded. One that nobody is in any more makes room for another, unless something is under way on it.
func TestLanesAreBounded(t *testing.T) {
	const most = 256
	s := newStage(t, snapshot(t, "config servers=1 databases=1000"), 1<<30)
	say := func(client, data, want string) {
		t.Helper()
		b, err := bytesOf(data)
		if err != nil {
			t.Fatal(err)
		}
		p := s.client(client)
		p.toProxy = append(p.toProxy, b...)
		s.settle()
		if got := quote(p.received); got != want {
			t.Fatalf("%s: %s: got %s, want %s", client, data, got, want)
		}
		p.received = nil
	}
	const full = `-ERR clients of the proxy use too many databases at once\r\n`
	for i := 1; i < most; i++ { // number 0 is the pool's own
		say(fmt.Sprint("c", i), fmt.Sprintf("[SELECT %d]", i), `+OK\r\n`)
	}
	say("x", "[SELECT 999]", full)
	say("x", "[SELECT 7]", `+OK\r\n`)
	say("x", "[HELLO 3]", full)
	say("x", "[RESET]", `+RESET\r\n`)
	say("x", "[SELECT 999]", full)
	// One goes while its request is under way.
	say("c9", "[GET a]", ``)
	nine := s.byName["s0"]
	nine.received, nine.toProxy = nil, []byte("+OK\r\n")
	s.settle()
	s.reset(s.byName["c9"])
	s.settle()
	say("x", "[SELECT 999]", full)
	nine.received, nine.toProxy = nil, []byte("+OK\r\n")
	s.settle()
	say("x", "[SELECT 999]", `+OK\r\n`)
	if !nine.byProxy {
		t.Error("the connection of the lane that was taken away is open")
	}
	say("x", "[SELECT 9]", full)
	say("c8", "[SELECT 7]", `+OK\r\n`)
	say("x", "[SELECT 9]", `+OK\r\n`)
	s.advance(2 * time.Minute)
	if err := s.end(); err != nil {
		t.Error(err)
	}
}
