package proxy

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/cashew-proxy/cashew/internal/hashkit"
	"github.com/cashew-proxy/cashew/internal/ring"
	"github.com/cashew-proxy/cashew/internal/topology"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// limit bounds every wait of a test.
const limit = 20 * time.Second

// snapshot has one pool for each list of servers, on ports that the kernel gives.
func snapshot(t testing.TB, pools ...[]string) *topology.Snapshot {
	t.Helper()
	hash, ok := hashkit.ByName("fnv1a_32")
	if !ok {
		t.Fatal("no hash fnv1a_32")
	}
	s := &topology.Snapshot{Epoch: 1}
	for i, servers := range pools {
		p := &topology.Pool{
			Name: fmt.Sprintf("pool%d", i), Index: i, Hash: hash, Distribution: ring.Modula,
			Listen: topology.Listen{Network: "tcp", Address: "127.0.0.1:0"},
		}
		p.Protocol, p.ServerConnections = topology.Redis, 1
		p.Limits = topology.Limits{
			RequestBytes: 1 << 20, Arguments: 1 << 10, InlineBytes: 1 << 10, Nesting: 8,
			ClientOutput: 1 << 20, ServerQueue: 1 << 20,
		}
		var nodes []ring.Node
		for k, address := range servers {
			name := fmt.Sprintf("server%d", k)
			p.Servers = append(p.Servers, &topology.Server{Pool: p.Name, Name: name, Index: k, Network: "tcp", Address: address, Weight: 1})
			nodes = append(nodes, ring.Node{Name: name, Weight: 1, Index: k})
		}
		p.Ring = ring.New(p.Distribution, nodes)
		s.Pools = append(s.Pools, p)
	}
	return s
}

// start runs a proxy until the test ends.
func start(t testing.TB, s *topology.Snapshot, log *slog.Logger) *Proxy {
	t.Helper()
	p := New(s, log)
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), limit)
		defer cancel()
		_ = p.Shutdown(ctx) // what it says is another test's matter
	})
	return p
}

// until waits for something that another process or goroutine does.
func freeAddress(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return ln.Addr().String()
}

func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for end := time.After(limit); !ok(); {
		select {
		case <-tick.C:
		case <-end:
			t.Fatalf("in vain: waited for %s", what)
		}
	}
}

// record is a log that keeps its lines as text: message, then attributes.
type record struct {
	mu    sync.Mutex
	lines []string
	// gate, if there is one, holds every line up until it is closed.
	gate chan struct{}
	// asked is told of each line before it passes the gate.
	asked chan struct{}
}

func (r *record) Enabled(context.Context, slog.Level) bool { return true }
func (r *record) WithAttrs([]slog.Attr) slog.Handler       { panic("not used here") }
func (r *record) WithGroup(string) slog.Handler            { panic("not used here") }

func (r *record) Handle(_ context.Context, l slog.Record) error {
	if r.gate != nil {
		r.asked <- struct{}{}
		<-r.gate
	}
	text := l.Message
	l.Attrs(func(a slog.Attr) bool {
		if a.Key != "stack" {
			text += fmt.Sprintf(" %s=%v", a.Key, a.Value)
		}
		return true
	})
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lines = append(r.lines, text)
	return nil
}

// all returns the lines so far.
func (r *record) all() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.lines)
}
