package eventloop

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"path/filepath"
	"sync"
	"syscall"
	"testing"

	"github.com/cashew-proxy/cashew/internal/clock"
	"github.com/cashew-proxy/cashew/internal/message"
	"github.com/cashew-proxy/cashew/internal/topology"
)

func random(n int) []byte {
	b := make([]byte, n)
	rand.NewChaCha8([32]byte{1}).Read(b)
	return b
}

func roundTrip(t *testing.T, c net.Conn, b []byte) {
	t.Helper()
	if _, err := c.Write(b); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, len(b))
	if _, err := io.ReadFull(c, got); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, b) {
		t.Fatal("other bytes came back")
	}
}

func TestEchoSmall(t *testing.T) {
	drivers(t, func(t *testing.T, o Options) {
		h := newToy()
		h.chunk = 7
		f := start(t, o, h)
		data := random(3000)
		var wg sync.WaitGroup
		for i := range 20 {
			c := f.connect()
			r := rand.New(rand.NewPCG(1, uint64(i)))
			wg.Go(func() {
				for range 100 {
					at := r.IntN(len(data) - 1)
					roundTrip(t, c, data[at:at+1+r.IntN(len(data)-at)])
				}
			})
		}
		wg.Wait()
		if s := f.loop.Stats(); s.Connections != 20 || s.Accepts != 20 {
			t.Errorf("%+v", s)
		}
	})
}

func TestEchoHugeToSlowReader(t *testing.T) {
	drivers(t, func(t *testing.T, o Options) {
		h := newToy()
		h.quiet, h.chunk = true, 100_001
		f := start(t, o, h)
		c := f.connect()
		data := random(50 << 20)
		var wg sync.WaitGroup
		wg.Go(func() {
			if _, err := c.Write(data); err != nil {
				t.Error(err)
			}
		})
		f.expect("paused") // nothing was read yet: all buffers are full
		got := make([]byte, len(data))
		if _, err := io.ReadFull(c, got); err != nil {
			t.Error(err)
		}
		wg.Wait()
		if !bytes.Equal(got, data) {
			t.Error("other bytes came back")
		}
	})
}

// TestLargeTail: a handler may have the bytes read into a buffer of its own.
func TestLargeTail(t *testing.T) {
	drivers(t, func(t *testing.T, o Options) {
		h := &tailToy{toy: newToy(), value: make([]byte, 5<<20)}
		h.toy.loop = nil
		f := prepare(t, o, h.toy, topology.Listen{Network: "tcp", Address: "127.0.0.1:0"})
		go func() { f.ran <- f.loop.Run(h) }()
		c := f.connect()
		data := random(len(h.value))
		if _, err := c.Write(data); err != nil {
			t.Fatal(err)
		}
		f.expect("full")
		f.loop.Stop()
		if err := <-f.ran; err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(h.value, data) {
			t.Error("other bytes arrived")
		}
		if h.most > maxTransfer || h.most <= scratchSize {
			t.Errorf("%d bytes in one read", h.most)
		}
	})
}

type tailToy struct {
	*toy
	value []byte
	have  int
	most  int
}

func (h *tailToy) Space(message.ConnID, []byte) []byte { return h.value[h.have:] }

func (h *tailToy) Received(_ clock.Instant, id message.ConnID, in []byte) {
	h.have += len(in)
	h.most = max(h.most, len(in))
	if h.have == len(h.value) {
		h.tell(note{what: "full", id: id})
	}
}

func TestHalfCloseDeliversOutput(t *testing.T) {
	drivers(t, func(t *testing.T, o Options) {
		f := start(t, o, newToy())
		c := f.connect()
		data := random(300_000)
		if _, err := c.Write(data); err != nil {
			t.Fatal(err)
		}
		c.(*net.TCPConn).CloseWrite()
		if n := f.expect("lost"); n.err != nil {
			t.Errorf("lost with %v", n.err)
		}
		got, err := io.ReadAll(c)
		if err != nil || !bytes.Equal(got, data) {
			t.Errorf("%d bytes of %d, %v", len(got), len(data), err)
		}
		f.until("closed", func(s Stats) bool { return s.Connections == 0 })
	})
}

// TestHalfCloseWaits: between the FIN and the close the loop has nothing to do, and can still write.
func TestHalfCloseWaits(t *testing.T) {
	drivers(t, func(t *testing.T, o Options) {
		h := newToy()
		h.keep = true
		f := start(t, o, h)
		c := f.connect()
		f.expect("accepted")
		c.(*net.TCPConn).CloseWrite()
		id := f.expect("lost").id
		f.restful()
		f.in(func(clock.Instant) { h.send(h.session(id), []byte("late")) })
		if got, err := io.ReadAll(c); string(got) != "late" || err != nil {
			t.Errorf("%q, %v", got, err)
		}
	})
}

func TestResetWhilePaused(t *testing.T) {
	drivers(t, func(t *testing.T, o Options) {
		h := newToy()
		h.sink, h.keep = true, true
		f := start(t, o, h)
		c := f.connect()
		c.Write([]byte("first"))
		id := f.expect("received").id
		c.Write([]byte("second"))
		c.(*net.TCPConn).SetLinger(0)
		c.Close()
		n := f.expect("lost")
		if n.id != id || !errors.Is(n.err, syscall.ECONNRESET) || n.err.Error() != "Connection reset by peer" {
			t.Errorf("%+v", n)
		}
		f.restful() // although it is not closed
		f.in(func(clock.Instant) { h.close(h.session(id)) })
	})
}

func TestResetWhileReading(t *testing.T) {
	drivers(t, func(t *testing.T, o Options) {
		f := start(t, o, newToy())
		c := f.connect()
		roundTrip(t, c, []byte("x"))
		c.(*net.TCPConn).SetLinger(0)
		c.Close()
		if n := f.expect("lost"); !errors.Is(n.err, syscall.ECONNRESET) {
			t.Errorf("%+v", n)
		}
	})
}

// TestUnixHangUpWhilePaused: the peer of a unix socket hangs up without an error. What it has sent is
// not lost, and until the handler wants it the loop rests.
func TestUnixHangUpWhilePaused(t *testing.T) {
	drivers(t, func(t *testing.T, o Options) {
		h := newToy()
		h.sink = true
		path := filepath.Join(t.TempDir(), "s")
		f := prepare(t, o, h, topology.Listen{Network: "unix", Address: path}).run()
		c := f.connect()
		c.Write([]byte("first"))
		id := f.expect("received").id
		c.Write([]byte("second"))
		c.Close()
		f.restful()
		f.in(func(clock.Instant) {
			h.sink = false
			h.session(id).paused = false
			f.loop.Interest(id, true)
		})
		if n := f.expect("received"); n.n != len("second") {
			t.Errorf("%+v", n)
		}
		if n := f.expect("lost"); n.err != nil && !errors.Is(n.err, syscall.EPIPE) {
			t.Errorf("%+v", n)
		}
	})
}

func TestWriteToDeadPeer(t *testing.T) {
	drivers(t, func(t *testing.T, o Options) {
		h := newToy()
		h.keep = true
		path := filepath.Join(t.TempDir(), "s")
		f := prepare(t, o, h, topology.Listen{Network: "unix", Address: path}).run()
		c := f.connect()
		id := f.expect("accepted").id
		c.Close()
		if n := f.expect("lost"); n.err != nil {
			t.Fatalf("%+v", n)
		}
		f.in(func(clock.Instant) { h.send(h.session(id), []byte("x")) })
		if n := f.expect("lost"); !errors.Is(n.err, syscall.EPIPE) || n.err.Error() != "Broken pipe" {
			t.Errorf("%+v", n)
		}
	})
}

// TestSystemCalls: an unpipelined request costs one read and one write, and none of epoll_ctl.
func TestSystemCalls(t *testing.T) {
	drivers(t, func(t *testing.T, o Options) {
		h := newToy()
		h.quiet = true
		f := start(t, o, h)
		c := f.connect()
		roundTrip(t, c, []byte("hello"))
		var before, after Stats
		f.in(func(clock.Instant) { before = f.loop.count })
		const n = 500
		for range n {
			roundTrip(t, c, []byte("hello"))
		}
		f.in(func(clock.Instant) { after = f.loop.count })
		if after.Reads-before.Reads != n || after.Writes-before.Writes != n || after.Controls != before.Controls {
			t.Errorf("%d requests: before %+v, after %+v", n, before, after)
		}
		f.in(func(clock.Instant) {
			for i, b := range f.loop.iov[:cap(f.loop.iov)] {
				if b != nil {
					t.Errorf("borrowed buffer %d is still referred to", i)
				}
			}
		})
		if waits := after.Waits - before.Waits; waits > 2*n+10 {
			t.Errorf("%d waits", waits)
		}
	})
}

// TestSentMakesDirty: what Sent makes dirty is written before the loop sleeps.
func TestSentMakesDirty(t *testing.T) {
	drivers(t, func(t *testing.T, o Options) {
		h := newToy()
		f := start(t, o, h)
		a, b := f.connect(), f.connect()
		roundTrip(t, b, []byte("x")) // both are accepted
		f.expect("received")
		roundTrip(t, a, []byte("which"))
		first := f.expect("received").id
		f.in(func(clock.Instant) {
			h.onSent = func(id message.ConnID) {
				for _, s := range h.sessions {
					if id == first && s.id != id {
						h.send(s, []byte("from a"))
					}
				}
			}
		})
		roundTrip(t, a, []byte("x"))
		got := make([]byte, 6)
		if _, err := io.ReadFull(b, got); err != nil || string(got) != "from a" {
			t.Errorf("%q, %v", got, err)
		}
	})
}

// TestAllocations: a turn allocates nothing once buffers have their size.
func TestAllocations(t *testing.T) {
	drivers(t, func(t *testing.T, o Options) {
		h := newToy()
		h.quiet, h.chunk = true, 3 // many pieces: writev
		f := start(t, o, h)
		c, err := net.Dial("tcp", f.address)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		request, reply := []byte("a request of some bytes"), make([]byte, 100)
		if got := testing.AllocsPerRun(500, func() {
			c.Write(request)
			if _, err := io.ReadFull(c, reply[:len(request)]); err != nil {
				t.Fatal(err)
			}
		}); got != 0 {
			t.Errorf("%v allocations per turn", got)
		}
	})
}
