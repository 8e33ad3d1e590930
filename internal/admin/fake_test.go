package admin

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/cashew-proxy/cashew/internal/config"
	"github.com/cashew-proxy/cashew/internal/control"
	"github.com/cashew-proxy/cashew/internal/downstream"
	"github.com/cashew-proxy/cashew/internal/engine"
	"github.com/cashew-proxy/cashew/internal/eventloop"
	"github.com/cashew-proxy/cashew/internal/proxy"
	"github.com/cashew-proxy/cashew/internal/stats"
	"github.com/cashew-proxy/cashew/internal/topology"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// limit bounds every wait of a test.
const limit = 20 * time.Second

// moment is now.
var moment = time.Date(2026, 5, 4, 3, 2, 1, 0, time.UTC)

const configText = `
cashew: {memory_limit: 64mb, admin_token: s3cret}
beta: {listen: '10.0.0.9:22122', redis: true, redis_auth: pa55, hash: crc32, servers: ['10.0.0.1:6379:1', '10.0.0.2:6379:1']}
alpha: {listen: '/run/alpha.sock', servers: ['/run/redis.sock:1 /run/redis.sock', '10.0.0.3:11211:2']}
`

// fake is a process and its system. It does what it is told, and writes down that it was.
type fake struct {
	config   *config.Config
	snapshot *topology.Snapshot
	stuck    bool
	refuses  error // to reload

	mu       sync.Mutex
	told     []string
	held     map[topology.ServerID]bool
	paused   map[string]downstream.Pause
	level    int
	draining bool
}

func newFake(t *testing.T) *fake {
	t.Helper()
	path := filepath.Join(t.TempDir(), "cashew.yml")
	if err := os.WriteFile(path, []byte(configText), 0o600); err != nil {
		t.Fatal(err)
	}
	c, _, err := config.Load(path, config.Options{})
	if err != nil {
		t.Fatal(err)
	}
	c.Path = "/etc/cashew/cashew.yml"
	return &fake{
		config: c, snapshot: control.Build(c, 7), level: 5,
		held: map[topology.ServerID]bool{}, paused: map[string]downstream.Pause{},
	}
}

func (f *fake) note(words ...string) {
	f.told = append(f.told, strings.Join(words, " "))
}

func (f *fake) Status() control.Status {
	f.mu.Lock()
	defer f.mu.Unlock()
	s := control.Status{Servers: map[topology.ServerID]control.ServerStatus{}}
	s.Snapshot, s.Active = f.snapshot, 1
	s.Workers = []proxy.WorkerReport{
		{Loop: eventloop.Stats{Turns: 10, Waits: 1, Reads: 2, Writes: 3, Controls: 4, Accepts: 5, Slept: uint64(time.Second)}, Lived: time.Minute, Clients: 3, Buffered: 4000},
		{Loop: eventloop.Stats{Turns: 2, Waits: 2}, Lived: time.Minute, Buffered: 96},
	}
	for _, p := range f.snapshot.Pools {
		at := proxy.PoolStatus{Address: p.Listen.Address, Paused: f.paused[p.Name]}
		if at.Paused != downstream.PauseNone {
			at.Left = 30 * time.Second
		}
		s.Pools = append(s.Pools, at)
		for _, server := range p.Servers {
			s.Servers[server.ID()] = control.ServerStatus{Held: f.held[server.ID()], Version: "7.2.4"}
		}
	}
	return s
}

func (f *fake) Report() (r proxy.Report) {
	for _, p := range f.snapshot.Pools {
		of := proxy.PoolReport{Name: p.Name}
		of.Counts[stats.ClientsAccepted], of.Counts[stats.ClientsClosed], of.Counts[stats.Requests] = 9, 2, 1000
		for _, s := range p.Servers {
			server := proxy.ServerReport{Name: s.Name, Ejections: 1, EjectedAt: moment.Add(-time.Hour).UnixMicro()}
			server.Counts[stats.ServerConnections], server.Counts[stats.ServerQueued], server.Counts[stats.ServerInFlight] = 1, 2, 3
			server.Counts[stats.ServerRequests] = 500
			of.Servers = append(of.Servers, server)
		}
		r.Pools = append(r.Pools, of)
	}
	return r
}

func (f *fake) Clients(pool string, limit int) ([]downstream.Portrait, error) {
	if f.snapshot.Pool(pool) == nil {
		return nil, proxy.NoPool(pool)
	}
	if f.stuck {
		return nil, proxy.ErrNoAnswer
	}
	all := []downstream.Portrait{
		{Number: 1, Protocol: 3, Database: 2, Peer: netip.MustParseAddrPort("10.1.1.1:5000"), Name: "web", Library: "go-redis", LibraryVersion: "9.1", Age: time.Minute, Idle: 1500 * time.Millisecond, Pending: 3, Unsent: 10, Held: 20},
		{Number: 4, Age: time.Second},
	}
	return all[:min(limit, len(all))], nil
}

func (f *fake) Pause(pool string, mode downstream.Pause, length time.Duration) error {
	if f.snapshot.Pool(pool) == nil {
		return proxy.NoPool(pool)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.paused[pool] = mode
	f.note("pause", pool, [...]string{"none", "writes", "all"}[mode], length.String())
	return nil
}

func (f *fake) Eject(pool, server string) error   { return f.hold(pool, server, true) }
func (f *fake) Readmit(pool, server string) error { return f.hold(pool, server, false) }

func (f *fake) hold(pool, server string, held bool) error {
	p := f.snapshot.Pool(pool)
	if p == nil || p.Server(server) == nil {
		return proxy.NotFoundError("not found: " + pool + " " + server)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.held[topology.ServerID{Pool: pool, Name: server}] = held
	return nil
}

func (f *fake) Slow() []proxy.SlowEntry {
	return []proxy.SlowEntry{
		{Ago: time.Minute, Pool: "beta", Server: "10.0.0.1:6379", Client: "10.1.1.1:5000", Command: "KEYS", Waiting: time.Millisecond, Serving: 2 * time.Second},
		{Ago: time.Hour, Pool: "alpha", Server: "/run/redis.sock", Command: "get", Key: "user:1", Waiting: 150 * time.Millisecond, Failure: "Connection timed out"},
	}
}

func (f *fake) Hot(string) engine.Hot {
	return engine.Hot{
		Every: 1000, Requests: 200, Bytes: 40_000,
		ByRequests: []stats.Heavy{{Key: "user:1", Weight: 120, Peak: 1}}, ByBytes: []stats.Heavy{{Key: "page:1", Weight: 30_000, Peak: 9000}},
		BigThreshold: 1 << 20, Big: []stats.Heavy{{Key: "page:2", Weight: 5 << 20, Peak: 2 << 20}},
	}
}

func (f *fake) Alive() <-chan struct{} {
	turned := make(chan struct{})
	if !f.stuck {
		close(turned)
	}
	return turned
}

func (f *fake) Config() *config.Config { return f.config }

func (f *fake) Reload(dry bool) (control.Differences, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.refuses != nil {
		return control.Differences{}, f.refuses
	}
	f.note("reload", map[bool]string{true: "dry", false: "wet"}[dry])
	return control.Differences{
		Old: f.config.Path, New: f.config.Path, Pools: []control.PoolMove{{Pool: "beta", Moved: 0.25}}, NeedsRestart: 0,
		Changes: []config.Change{{What: config.KeyChanged, Pool: "beta", Key: "timeout", Old: "400", New: "250", Touches: config.TouchesPool}},
	}, nil
}

func (f *fake) Reloads() Reloads {
	last := moment.Add(-time.Minute)
	return Reloads{Succeeded: 3, Failed: 1, Last: &last, Error: "cashew.yml:3:9: p.timeout: \"much\" is not a number"}
}

func (f *fake) Drain() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.draining = true
}

func (f *fake) Draining() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.draining
}

func (f *fake) Level() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.level
}

func (f *fake) SetLevel(n int) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.level = n
	return n
}

// serve runs the API of a fake, behind a guard, until the test ends. The fake's clock stands still.
func serve(t *testing.T, f *fake, g guard) *httptest.Server {
	t.Helper()
	e := NewEvents()
	log := slog.New(e.Tee(slog.DiscardHandler))
	log.Info("listening", "pool", "beta", "address", "10.0.0.9:22122")
	log.Warn("server ejected", "pool", "beta", "server", "10.0.0.2:6379", "reason", "Connection refused")
	for i := range e.ring {
		e.ring[i].Time = moment.Add(-time.Minute)
	}
	h := newHandler(Options{
		System: f, Process: f, Events: e, Version: "1.0.0", PID: 4711, Started: moment.Add(-time.Hour),
		Metrics: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "cashew_up 1\n") }),
	}, context.Background())
	h.now = func() time.Time { return moment }
	h.memory = func() (uint64, uint64) { return 1 << 20, 16 << 20 }
	return serveHandler(t, g.protect(h))
}

var local = newGuard(config.Listen{Network: "tcp", Address: "127.0.0.1:22223"}, "")

// ask makes a request and returns the answer's status and body.
func ask(t *testing.T, s *httptest.Server, method, path, body string, headers ...string) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, s.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
		if headers[i] == "Host" {
			r.Host = headers[i+1]
		}
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	if json.Valid(text) != (answer.Header.Get("Content-Type") == "application/json") && len(text) > 0 {
		t.Errorf("%s %s is answered by %s: %s", method, path, answer.Header.Get("Content-Type"), text)
	}
	return answer.StatusCode, string(text)
}

// read is ask for what succeeds with JSON.
func read[T any](t *testing.T, s *httptest.Server, method, path, body string) (v T) {
	t.Helper()
	status, text := ask(t, s, method, path, body)
	if status/100 != 2 {
		t.Fatalf("%s %s: %d %s", method, path, status, text)
	}
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatalf("%s %s: %v in %s", method, path, err, text)
	}
	return v
}

func serveHandler(t *testing.T, h http.Handler) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	t.Cleanup(http.DefaultClient.CloseIdleConnections)
	return s
}
