package control

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/cashew-proxy/cashew/internal/config"
	"github.com/cashew-proxy/cashew/internal/hashkit"
	"github.com/cashew-proxy/cashew/internal/topology"
)

func load(t *testing.T, text string) *config.Config {
	t.Helper()
	path := filepath.Join(t.TempDir(), "c.yml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c, _, err := config.Load(path, config.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// vectors is the golden data of the ring room: placements taken from twemproxy.
type vectors struct {
	KeysHex    []string `json:"keys_hex"`
	Topologies []struct {
		Name          string
		Servers       []string
		Hash          string
		Distribution  string
		HashTag       string `json:"hash_tag"`
		Ejected       []string
		SortedServers []struct {
			RingName string `json:"ring_name"`
		} `json:"sorted_servers"`
		Placement []string
	}
}

func readVectors(t *testing.T) (v vectors, keys [][]byte) {
	t.Helper()
	data, err := os.ReadFile("../ring/testdata/placement-vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, &v); err != nil {
		t.Fatal(err)
	}
	for _, h := range v.KeysHex {
		key, err := hex.DecodeString(h)
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, key)
	}
	return v, keys
}

// TestPlacement goes the whole way that a migration goes: a configuration file with its servers in
// any order, and every key on the server that twemproxy would choose.
func TestPlacement(t *testing.T) {
	v, keys := readVectors(t)
	random := rand.New(rand.NewPCG(1, 2))
	checked := 0
	for _, topo := range v.Topologies {
		if len(topo.Ejected) > 0 {
			continue // Build has every server live
		}
		checked++
		servers := slices.Clone(topo.Servers)
		random.Shuffle(len(servers), func(i, j int) { servers[i], servers[j] = servers[j], servers[i] })
		text := fmt.Sprintf("p:\n  listen: 127.0.0.1:1\n  hash: %s\n  distribution: %s\n", topo.Hash, topo.Distribution)
		if topo.HashTag != "" {
			text += fmt.Sprintf("  hash_tag: %q\n", topo.HashTag)
		}
		text += "  servers:\n    - " + strings.Join(servers, "\n    - ") + "\n"
		pool := Build(load(t, text), 1).Pools[0]
		for i, s := range pool.Servers {
			if want := topo.SortedServers[i].RingName; s.Name != want || s.Index != i {
				t.Fatalf("%s: server %d is %q with index %d, want %q", topo.Name, i, s.Name, s.Index, want)
			}
		}
		for i, key := range keys {
			got := pool.Servers[pool.Ring.Pick(hashkit.Hash(pool.Hash, pool.HashTag, key))].Name
			if got != topo.Placement[i] {
				t.Errorf("%s: key %q goes to %q, want %q", topo.Name, key, got, topo.Placement[i])
			}
		}
	}
	if checked < 40 {
		t.Errorf("only %d topologies", checked)
	}
}

// TestSettings loads a file in which every setting differs from zero and from its neighbours.
func TestSettings(t *testing.T) {
	c := load(t, `
cashew: {memory_limit: 3mb, threads: 3}
bb:
  listen: 127.0.0.1:2
  servers: /run/m.sock:3
  on_server_error: miss
  allow_commands: [flush_all]
  redis_db: 5
p:
  listen: /run/p.sock 0660
  hash: md5
  hash_tag: "<>"
  redis: true
  timeout: 1
  connect_timeout: 2
  client_idle_timeout: 3
  backlog: 4
  reuseport: true
  client_connections: 5
  server_connections: 6
  preconnect: true
  coalesce_reads: true
  auto_eject_hosts: true
  tcpkeepalive: true
  redis_auth: secret
  redis_user: worker
  redis_db: 7
  databases: 20
  cross_server: first_key
  request_size_limit: 8kb
  request_arguments_limit: 9
  inline_size_limit: 10kb
  reply_nesting_limit: 11
  client_output_limit: 12kb
  client_output_timeout: 13
  server_queue_limit: 14kb
  slowlog_threshold: 15
  big_key_threshold: 18kb
  hotkeys_sample: 16
  access_log_sample: 17
  allow_commands: [flushdb, swapdb, proxy]
  servers: ["::1:6379:2 one"]
`)
	s := Build(c.WithClientLimit(99), 17)
	if s.Epoch != 17 || s.MemoryLimit != 3<<20 || s.ClientLimit != 99 || s.Threads != 3 || len(s.Pools) != 2 || s.Pools[0].Name != "p" || s.Pools[1].Index != 1 {
		t.Fatalf("%+v", s)
	}
	want := topology.Settings{
		Protocol: topology.Redis,
		Timeout:  1 * time.Millisecond, ConnectTimeout: 2 * time.Millisecond, ClientIdleTimeout: 3 * time.Millisecond,
		ClientConnections: 5, ServerConnections: 6, Preconnect: true, JoinReads: true, ClientKeepAlive: true, FailureLimit: 2,
		Auth: "secret", User: "worker", Database: 7, Databases: 20, FirstKey: true, FlushDB: true, SwapDB: true, OwnCommand: true,
		SlowThreshold: 15 * time.Millisecond, BigThreshold: 18 << 10, HotKeysSample: 16, AccessLogSample: 17,
		Limits: topology.Limits{
			RequestBytes: 8 << 10, Arguments: 9, InlineBytes: 10 << 10, Nesting: 11,
			ClientOutput: 12 << 10, StalledClient: 13 * time.Millisecond, ServerQueue: 14 << 10,
		},
	}
	p := s.Pools[0]
	if diff := cmp.Diff(want, p.Settings); diff != "" {
		t.Errorf("settings (-want +got):\n%s", diff)
	}
	memcached := s.Pools[1].Settings
	if memcached.Database != 0 {
		t.Error("a memcached pool has a database")
	}
	noZero(t, "Settings", reflect.ValueOf(p.Settings), reflect.ValueOf(memcached))
	wantListen := topology.Listen{Network: "unix", Address: "/run/p.sock", Mode: 0o660, Backlog: 4, ReusePort: true}
	if diff := cmp.Diff(wantListen, p.Listen); diff != "" {
		t.Errorf("listen (-want +got):\n%s", diff)
	}
	wantServer := topology.Server{Pool: "p", Name: "one", Network: "tcp", Address: "[::1]:6379", Weight: 2, KeepAlive: true}
	if diff := cmp.Diff(wantServer, *p.Servers[0]); diff != "" {
		t.Errorf("server (-want +got):\n%s", diff)
	}
	if s.Pools[1].Protocol != topology.Memcached {
		t.Error("the second pool's protocol is wrong")
	}
	if want := (hashkit.Tag{Open: '<', Close: '>', Set: true}); p.HashTag != want || s.Pools[1].HashTag.Set {
		t.Errorf("hash tags %+v and %+v", p.HashTag, s.Pools[1].HashTag)
	}
}

// noZero finds a setting that topology has and Build, or this test, forgets: it is zero in both of two
// pools.
func noZero(t *testing.T, name string, v, w reflect.Value) {
	t.Helper()
	if v.Kind() == reflect.Struct {
		for i := range v.NumField() {
			noZero(t, name+"."+v.Type().Field(i).Name, v.Field(i), w.Field(i))
		}
		return
	}
	if v.IsZero() && w.IsZero() {
		t.Errorf("%s is not set", name)
	}
}

// TestCorpus builds every valid file of config's corpus.
func TestCorpus(t *testing.T) {
	files, err := filepath.Glob("../config/testdata/good/*.yml")
	if err != nil || len(files) < 8 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, file := range files {
		c, _, err := config.Load(file, config.Options{})
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range Build(c, 1).Pools {
			if i := p.Ring.Pick(12345); i < 0 || i >= len(p.Servers) {
				t.Errorf("%s: pool %q sends a key to server %d of %d", file, p.Name, i, len(p.Servers))
			}
		}
	}
}
