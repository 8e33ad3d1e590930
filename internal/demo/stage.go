package demo

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/alicebob/miniredis/v2/server"

	"github.com/cashew-proxy/cashew/internal/config"
	"github.com/cashew-proxy/cashew/internal/control"
	"github.com/cashew-proxy/cashew/internal/proxy"
	"github.com/cashew-proxy/cashew/internal/stats"
)

// stage is all that the demonstration has started.
type stage struct {
	redis     []*miniredis.Miniredis // in the order of redisNames
	caches    []*cache               // in the order of cacheNames
	port      int                    // where the proxy listens for clients of Redis
	cachePort int                    // and of memcached
	config    string                 // the text of its configuration
	proxy     *proxy.Proxy
}

// startStage starts the servers and a proxy in front of them, on the port given and the next one if
// both are free; 0 asks for any. On an error nothing is left.
func startStage(port int) (*stage, error) {
	s := &stage{}
	err := s.start(port)
	if err != nil {
		return nil, errors.Join(err, s.close(context.Background()))
	}
	return s, nil
}

func (s *stage) start(port int) error {
	for _, name := range redisNames {
		m := miniredis.NewMiniRedis()
		if err := m.Start(); err != nil {
			return fmt.Errorf("server %s: %w", name, err)
		}
		m.Server().SetPreHook(refuseCommand)
		s.redis = append(s.redis, m)
	}
	for _, name := range cacheNames {
		c, err := startCache()
		if err != nil {
			return fmt.Errorf("server %s: %w", name, err)
		}
		s.caches = append(s.caches, c)
	}
	if port != 0 {
		if err := s.startProxy(port, port+1); !errors.Is(err, syscall.EADDRINUSE) {
			return err
		}
	}
	// A port that was free a moment ago may be taken when it is used.
	const attempts = 5
	var err error
	for range attempts {
		cachePort, other := freePort()
		if port, err = freePort(); err != nil || other != nil {
			return errors.Join(err, other)
		}
		if err = s.startProxy(port, cachePort); !errors.Is(err, syscall.EADDRINUSE) {
			return err
		}
	}
	return err
}

// refuseCommand answers COMMAND as old servers do. miniredis answers COMMAND DOCS with a reply of
// another form, on which redis-cli ends when it is used without a command.
func refuseCommand(peer *server.Peer, name string, _ ...string) (answered bool) {
	if name != "COMMAND" {
		return false
	}
	peer.WriteError("ERR unknown command 'COMMAND'")
	return true
}

// startProxy goes the way of the daemon: text, file, configuration, snapshot, proxy.
func (s *stage) startProxy(port, cachePort int) error {
	s.port, s.cachePort = port, cachePort
	s.config = s.configText()
	cfg, err := load(s.config)
	if err != nil {
		return err
	}
	p := proxy.New(control.Build(cfg, 1), slog.New(slog.DiscardHandler))
	if err := p.Start(); err != nil {
		return err
	}
	s.proxy = p
	return nil
}

// configText is the configuration in nutcracker's format.
func (s *stage) configText() string {
	var b strings.Builder
	fmt.Fprintf(&b, `demo:
  listen: 127.0.0.1:%d
  redis: true
  hash: fnv1a_64
  hash_tag: "{}"
  distribution: ketama
  timeout: 1000
  servers:
`, s.port)
	for i, m := range s.redis {
		fmt.Fprintf(&b, "    - %s:1 %s\n", m.Addr(), redisNames[i])
	}
	fmt.Fprintf(&b, `cache:
  listen: 127.0.0.1:%d
  hash: fnv1a_64
  distribution: ketama
  timeout: 1000
  servers:
`, s.cachePort)
	for i, c := range s.caches {
		fmt.Fprintf(&b, "    - %s:1 %s\n", c.addr(), cacheNames[i])
	}
	return b.String()
}

// load reads a configuration as it is read from a file.
func load(text string) (*config.Config, error) {
	dir, err := os.MkdirTemp("", "cashew-demo-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "demo.yml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		return nil, err
	}
	cfg, _, err := config.Load(path, config.Options{})
	return cfg, err
}

// freePort asks the kernel for a port that nobody has at this moment.
func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}

// pass lets time pass for the Redis servers, which were made for tests and let nothing expire by
// themselves. They could follow the clock, but then look at every key at every request.
func (s *stage) pass(d time.Duration) {
	for _, m := range s.redis {
		m.FastForward(d)
	}
}

// counted is what clients did with the proxy since its start.
type counted struct{ requests, clients uint64 }

// count counts for both pools.
func (s *stage) count() (sum counted) {
	for pool := range 2 {
		c := s.proxy.PoolCounts(pool)
		sum.requests += c[stats.Requests]
		sum.clients += max(c[stats.ClientsAccepted], c[stats.ClientsClosed]) - c[stats.ClientsClosed] // of different turns
	}
	return sum
}

// close ends everything; clients have until ctx ends. It says what ended badly.
func (s *stage) close(ctx context.Context) (err error) {
	if s.proxy != nil {
		err = s.proxy.Shutdown(ctx)
	}
	for _, m := range s.redis {
		m.Close()
	}
	for _, c := range s.caches {
		c.close()
	}
	return err
}
