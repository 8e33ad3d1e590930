package eventloop

import (
	"io"
	"net"
	"net/netip"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/cashew-proxy/cashew/internal/clock"
	"github.com/cashew-proxy/cashew/internal/message"
	"github.com/cashew-proxy/cashew/internal/topology"
)

func TestMailFromManyGoroutines(t *testing.T) {
	drivers(t, func(t *testing.T, o Options) {
		f := start(t, o, newToy())
		const senders, each = 16, 2000
		last := make([]int, senders)
		var done atomic.Int32
		var wg sync.WaitGroup
		for s := range senders {
			wg.Go(func() {
				for i := range each {
					f.loop.Post(func(clock.Instant) {
						if last[s] != i {
							t.Errorf("sender %d: mail %d came as number %d", s, i, last[s])
						}
						last[s]++
						done.Add(1)
					})
					if i%100 == 0 {
						runtime.Gosched() // lets the loop fall asleep now and then
					}
				}
			})
		}
		wg.Wait()
		f.in(func(clock.Instant) {})
		if done.Load() != senders*each {
			t.Errorf("%d of %d", done.Load(), senders*each)
		}
	})
}

func TestMailWakesTheSleeper(t *testing.T) {
	drivers(t, func(t *testing.T, o Options) {
		f := start(t, o, newToy())
		for f.loop.mailbox.sleeping.Load() == false {
			runtime.Gosched()
		}
		f.in(func(clock.Instant) {})
		f.until("woken", func(s Stats) bool { return s.Wakeups > 0 })
		f.restful() // the wakeup is not seen twice
	})
}

// A loop that has nothing to do sleeps, and knows for how long; one that works does not.
func TestSleepIsTimed(t *testing.T) {
	drivers(t, func(t *testing.T, o Options) {
		f := start(t, o, newToy())
		slept := func() time.Duration {
			f.in(func(clock.Instant) {}) // it has been awake in between
			f.in(func(clock.Instant) {})
			return time.Duration(f.loop.Stats().Slept)
		}
		began := time.Now()
		before := slept()
		time.Sleep(50 * time.Millisecond)
		after := slept()
		if d := after - before; d < 40*time.Millisecond || d > time.Since(began) {
			t.Errorf("it slept %v of %v", d, time.Since(began))
		}
		f.in(func(clock.Instant) { time.Sleep(50 * time.Millisecond) })
		if d := slept() - after; d > 40*time.Millisecond {
			t.Errorf("it slept %v while it was busy", d)
		}
	})
}

// TestMailBeforeTheEnd: what was accepted is run, what comes later is refused.
func TestMailBeforeTheEnd(t *testing.T) {
	drivers(t, func(t *testing.T, o Options) {
		f := prepare(t, o, newToy(), topology.Listen{Network: "tcp", Address: "127.0.0.1:0"})
		n := 0
		f.loop.Stop()
		for range 3 * maxMail {
			f.loop.Post(func(clock.Instant) { n++ })
		}
		if err := f.loop.Run(f.toy); err != nil {
			t.Fatal(err)
		}
		if n != 3*maxMail {
			t.Errorf("%d run", n)
		}
		if f.loop.Post(func(clock.Instant) { t.Error("run") }) {
			t.Error("accepted after the end")
		}
		f.loop.Stop()
	})
}

func TestTimer(t *testing.T) {
	drivers(t, func(t *testing.T, o Options) {
		f := start(t, o, newToy())
		for _, d := range []time.Duration{1, 100 * time.Microsecond, 30 * time.Millisecond} {
			began := time.Now()
			f.in(func(now clock.Instant) { f.toy.timer = now.Add(d) })
			f.expect("timer")
			if passed := time.Since(began); passed < d {
				t.Errorf("%v fired after %v", d, passed)
			}
		}
	})
}

func TestMilliseconds(t *testing.T) {
	for _, c := range []struct {
		then clock.Instant
		want int
	}{
		{clock.Never, -1},
		{0, 0},
		{100, 0},
		{101, 1},
		{100 + 1_000_000, 1},
		{100 + 1_000_001, 2},
		{clock.Never - 1, 3600_000},
	} {
		if got := milliseconds(c.then, 100); got != c.want {
			t.Errorf("until %d: %d ms, want %d", c.then, got, c.want)
		}
	}
}

// TestSlotReusedAtOnce: a handler closes a connection and dials under the slot's next generation in
// the same call; the old id is stale from then on.
func TestSlotReusedAtOnce(t *testing.T) {
	drivers(t, func(t *testing.T, o Options) {
		h := newToy()
		backend, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer backend.Close()
		h.onData = func(_ clock.Instant, id message.ConnID, in []byte) {
			if string(in) != "swap" {
				h.send(h.session(id), in)
				return
			}
			h.close(h.session(id))
			s := h.dial(&topology.Server{Network: "tcp", Address: backend.Addr().String()})
			if s.id.Slot() != id.Slot() || s.id == id {
				t.Errorf("slot not used again: %x, %x", id, s.id)
			}
			h.loop.Close(id)
			h.loop.Interest(id, false)
		}
		f := start(t, o, h)
		c := f.connect()
		c.Write([]byte("swap"))
		old := f.expect("accepted").id
		if n := f.expect("connected"); n.err != nil || n.id == old {
			t.Fatalf("%+v", n)
		}
		if _, err := c.Read(make([]byte, 1)); err != io.EOF {
			t.Errorf("the old connection: %v", err)
		}
		s, err := backend.Accept()
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		s.SetDeadline(time.Now().Add(patience))
		roundTrip(t, s, []byte("hello"))
		if got := f.loop.Stats().Stale; got != 2 {
			t.Errorf("%d stale, want 2", got)
		}
	})
}

// TestStaleEvent: one turn has events of two connections, and the first closes the second.
func TestStaleEvent(t *testing.T) {
	drivers(t, func(t *testing.T, o Options) {
		h := newToy()
		received := 0
		h.onData = func(_ clock.Instant, id message.ConnID, _ []byte) {
			received++
			for _, s := range h.sessions {
				if s.open && s.id != id {
					h.close(s)
				}
			}
		}
		f := start(t, o, h)
		a, b := f.connect(), f.connect()
		f.expect("accepted")
		f.expect("accepted")
		f.in(func(clock.Instant) { // both have data when the loop looks next
			a.Write([]byte("x"))
			b.Write([]byte("x"))
		})
		f.until("stale", func(s Stats) bool { return s.Stale == 1 && s.Connections == 1 })
		f.in(func(clock.Instant) {
			if received != 1 {
				t.Errorf("%d received", received)
			}
		})
	})
}

func TestPanics(t *testing.T) {
	drivers(t, func(t *testing.T, o Options) {
		h := newToy()
		panics := make(chan any, 10)
		o.OnPanic = func(v any, stack []byte) bool {
			if len(stack) == 0 {
				t.Error("no stack")
			}
			panics <- v
			return true
		}
		boom := func(_ clock.Instant, _ message.ConnID, in []byte) {
			if string(in) == "boom" {
				panic("boom")
			}
		}
		h.onData = boom
		o.Reset = func() Handler {
			h.sessions, h.free, h.dirty = nil, nil, nil // the same ids come again
			return h
		}
		f := start(t, o, h)
		for range 3 {
			other, c := f.connect(), f.connect()
			f.expect("accepted")
			f.expect("accepted")
			c.Write([]byte("boom"))
			if v := <-panics; v != "boom" {
				t.Errorf("%v", v)
			}
			for _, c := range []net.Conn{c, other} {
				if _, err := c.Read(make([]byte, 1)); err == nil {
					t.Error("still open")
				}
			}
		}
		f.in(func(clock.Instant) { h.onData = nil })
		roundTrip(t, f.connect(), []byte("works again"))

		f.loop.Post(func(clock.Instant) { panic("in mail") })
		f.in(func(clock.Instant) {}) // the mail behind it is run
		if v := <-panics; v != "in mail" {
			t.Errorf("%v", v)
		}
		f.until("counted", func(s Stats) bool { return s.Panics == 4 && s.Connections == 0 })
	})
}

type badAccept struct{ *toy }

func (badAccept) Accept(clock.Instant, int, netip.AddrPort) message.ConnID { panic("no") }

// TestPanicInAccept: the descriptor that no slot has yet is closed too, and an unforgiven panic is
// what Run returns.
func TestPanicInAccept(t *testing.T) {
	drivers(t, func(t *testing.T, o Options) {
		f := prepare(t, o, newToy(), topology.Listen{Network: "tcp", Address: "127.0.0.1:0"})
		c := f.connect()
		err := f.loop.Run(badAccept{f.toy})
		if err == nil || err.Error() != "event loop: panic: no" {
			t.Errorf("Run: %v", err)
		}
		if _, err := c.Read(make([]byte, 1)); err == nil {
			t.Error("still open")
		}
	})
}

func TestAcceptsPerTurnAreBounded(t *testing.T) {
	drivers(t, func(t *testing.T, o Options) {
		f := prepare(t, o, newToy(), topology.Listen{Network: "tcp", Address: "127.0.0.1:0"})
		const n = 3*maxAccepts + 1
		var clients []net.Conn
		for range n {
			clients = append(clients, f.connect()) // they wait in the backlog
		}
		f.run()
		for _, c := range clients {
			roundTrip(t, c, []byte("x"))
		}
		f.in(func(clock.Instant) {
			if f.toy.mostAccepts != maxAccepts {
				t.Errorf("%d accepted in one turn", f.toy.mostAccepts)
			}
		})
	})
}

// TestNoDescriptors: without descriptors the listener rests, the loop does not spin, and clients are
// served when there are some again.
func TestNoDescriptors(t *testing.T) {
	drivers(t, func(t *testing.T, o Options) {
		f := prepare(t, o, newToy(), topology.Listen{Network: "tcp", Address: "127.0.0.1:0"})
		c := f.connect()
		var limit syscall.Rlimit
		if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
			t.Fatal(err)
		}
		low := limit
		low.Cur = 3 // poll(2) refuses more entries than this
		if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &low); err != nil {
			t.Fatal(err)
		}
		restore := sync.OnceFunc(func() { syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit) })
		defer restore()
		f.run()
		f.until("stopped twice", func(s Stats) bool { return s.AcceptStops >= 2 })
		if turns := f.loop.Stats().Turns; turns > 20 {
			t.Errorf("%d turns", turns)
		}
		restore()
		roundTrip(t, c, []byte("served"))
	})
}

func TestRefusedClient(t *testing.T) {
	drivers(t, func(t *testing.T, o Options) {
		h := newToy()
		h.refuse = true
		f := start(t, o, h)
		if _, err := f.connect().Read(make([]byte, 1)); err != io.EOF {
			t.Errorf("%v", err)
		}
		if s := f.loop.Stats(); s.Connections != 0 {
			t.Errorf("%+v", s)
		}
	})
}

func TestStopAccepting(t *testing.T) {
	drivers(t, func(t *testing.T, o Options) {
		f := start(t, o, newToy())
		c := f.connect()
		roundTrip(t, c, []byte("before"))
		f.in(func(clock.Instant) { f.loop.StopAccepting() })
		if d, err := net.Dial("tcp", f.address); err == nil {
			d.Close()
			t.Error("still listens")
		}
		roundTrip(t, c, []byte("after"))
	})
}

func TestUnknownDriver(t *testing.T) {
	if _, err := New(Options{Driver: "select"}); err == nil {
		t.Error("no error")
	}
}
