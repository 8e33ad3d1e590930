package chaos

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cashew-proxy/cashew/internal/config"
	"github.com/cashew-proxy/cashew/internal/control"
	"github.com/cashew-proxy/cashew/internal/memcachedtest"
	"github.com/cashew-proxy/cashew/internal/redistest"
	"github.com/cashew-proxy/cashew/internal/route"
	"github.com/cashew-proxy/cashew/internal/topology"
	"github.com/cashew-proxy/cashew/test/harness"
)

// openFiles is the proxy's limit: a crowd of clients reaches it.
const openFiles = 400

// server is a Redis or memcached process. Those that are mortal lose their data when they are killed.
type server struct {
	name, addr string
	memcached  bool
	mortal     bool
	// forgotAt is when it last came back empty, in nanoseconds since 1970. While it is dead that is in the future.
	forgotAt atomic.Int64
}

// forgot says whether the server may have lost what it had at an instant.
func (s *server) forgot(since time.Time) bool { return s.forgotAt.Load() >= since.UnixNano() }

// pool is one of the proxy's.
type pool struct {
	name, addr string
	redis      bool
	moves      bool // keys change their servers
	servers    []*server
	built      *topology.Pool
}

// home is the server of a key, nil if that changes.
func (p *pool) home(key string) *server {
	if p.moves {
		return nil
	}
	name := route.Explain(p.built, []byte(key)).Server.Name
	for _, s := range p.servers {
		if s.name == name {
			return s
		}
	}
	panic("no server " + name)
}

// world is the proxy with its servers, and what has been seen of it.
type world struct {
	t        testing.TB
	dir      string
	pools    []*pool // steady, mortal, moving, pages
	spare    string
	servers  []*server
	proxy    *harness.Process
	program  string
	admin    *http.Client
	set      settings // of the last reload; only the goroutine of the proxy's faults changes it
	counters []*counter
	register *register

	requests, replies, values, bytes atomic.Int64
	mu                               sync.Mutex
	errors, faults                   map[string]int
	violations                       []string
	over                             context.CancelFunc
}

func newWorld(t testing.TB, clients int) *world {
	w := &world{t: t, dir: t.TempDir(), errors: map[string]int{}, faults: map[string]int{}, set: usual}
	var steady, mortal, pages []*server
	for i := range 3 {
		steady = append(steady, &server{name: fmt.Sprintf("steady%d", i), addr: redistest.StartServer(t)})
	}
	for i := range 3 {
		mortal = append(mortal, &server{name: fmt.Sprintf("mortal%d", i), addr: redistest.StartServer(t), mortal: true})
	}
	for i := range 2 {
		addr := memcachedtest.StartServer(t)
		pages = append(pages, &server{name: fmt.Sprintf("pages%d", i), addr: addr, mortal: true, memcached: true})
	}
	w.servers = append(append(append(w.servers, steady...), mortal...), pages...)
	// Moving keys live on the mortal servers, in another database.
	w.pools = []*pool{
		{name: "steady", redis: true, servers: steady},
		{name: "mortal", redis: true, servers: mortal},
		{name: "moving", redis: true, servers: mortal, moves: true},
		{name: "pages", servers: pages},
	}
	for i := range 4 {
		w.counters = append(w.counters, &counter{name: fmt.Sprintf("counter%d", i), given: map[uint64]uint64{}})
	}
	w.register = &register{name: "register", sent: make([]atomic.Uint64, clients)}
	w.admin = &http.Client{Timeout: harness.Limit, Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", w.path("admin"))
		},
	}}
	w.build()
	w.start()
	return w
}

func (w *world) path(name string) string { return filepath.Join(w.dir, name) }

// build makes the program from the tree.
func (w *world) build() {
	w.t.Helper()
	w.program = w.path("cashew-bin")
	cmd := exec.Command("go", "build", "-buildvcs=false", "-o", w.program, "./cmd/cashew")
	cmd.Dir = "../.."
	if out, err := cmd.CombinedOutput(); err != nil {
		w.t.Fatalf("building cashew: %v\n%s", err, out)
	}
}

// start runs the proxy, with few open files.
func (w *world) start() {
	w.t.Helper()
	const attempts = 5 // somebody else may take a port first
	for range attempts {
		for _, p := range w.pools {
			p.addr = harness.FreeAddr(w.t)
		}
		w.spare = harness.FreeAddr(w.t)
		w.write(w.set)
		cfg, _, err := config.Load(w.path("cashew.yml"), config.Options{})
		if err != nil {
			w.t.Fatal(err)
		}
		for _, p := range w.pools {
			p.built = control.Build(cfg, 1).Pool(p.name)
		}
		w.proxy = harness.Run(w.t, "sh", "-c", `ulimit -n "$1"; exec "$0" -c "$2" -a ""`, w.program, strconv.Itoa(openFiles), w.path("cashew.yml"))
		harness.Eventually(w.t, harness.Limit, "cashew has started or ended", func() bool {
			return w.proxy.Err.Has("msg=started") || w.proxy.Ended()
		})
		if !w.proxy.Ended() {
			return
		}
	}
	w.t.Fatalf("cashew did not start: %s", w.proxy.Err)
}

// violation notes what must never be. The run ends after a few.
func (w *world) violation(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.violations = append(w.violations, time.Now().Format("15:04:05.000 ")+fmt.Sprintf(format, args...))
	if len(w.violations) > 20 && w.over != nil {
		w.over()
	}
}

func (w *world) count(m map[string]int, what string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	m[what]++
}

// memory is the proxy's resident memory, in bytes.
func (w *world) memory() int64 {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", w.proxy.Pid))
	if err != nil {
		return math.MaxInt64
	}
	for line := range strings.Lines(string(text)) {
		if v, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			n, _ := strconv.ParseInt(strings.Fields(v)[0], 10, 64)
			return n << 10
		}
	}
	return math.MaxInt64
}

// resources looks at what the proxy holds. Connections to servers are apart from the other open files: how many
// there are hangs on which clients have met which worker.
func (w *world) resources() (r resources) {
	all, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", w.proxy.Pid))
	if err != nil {
		return resources{Bytes: math.MaxInt64}
	}
	var status struct {
		Pools []struct {
			Servers []struct{ Connections int }
		}
	}
	answer, err := w.admin.Get("http://cashew/api/status")
	if err != nil {
		return resources{Bytes: math.MaxInt64}
	}
	defer answer.Body.Close()
	if err := json.NewDecoder(answer.Body).Decode(&status); err != nil {
		return resources{Bytes: math.MaxInt64}
	}
	for _, p := range status.Pools {
		for _, s := range p.Servers {
			r.Connections += s.Connections
		}
	}
	r.Bytes, r.Descriptors = w.memory(), len(all)-r.Connections
	return r
}

// mostConnections is how many connections to servers the usual settings allow: for each worker, and of Redis for two
// databases in two protocols.
func (w *world) mostConnections() (n int) {
	for _, p := range w.pools {
		lanes := 1
		if p.redis {
			lanes = 4
		}
		if p == w.pools[0] || p == w.pools[1] {
			lanes *= usual.connections
		}
		n += 2 * lanes * len(p.servers)
	}
	return n
}
