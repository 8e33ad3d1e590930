// Package redistest starts real Redis servers for tests.
//
// Only tests import it. A server belongs to the test that started it and is ended, by its process
// id, when that test is over. Servers listen on 127.0.0.1 alone.
package redistest

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/cashew-proxy/cashew/internal/servertest"
)

var program = servertest.Program{
	Room:   "redistest",
	Binary: "redis-server",
	Args: func(t testing.TB, port string) []string {
		return []string{
			"--bind", "127.0.0.1", "--port", port, "--save", "", "--appendonly", "no",
			"--daemonize", "no", "--dir", t.TempDir(),
		}
	},
	Ready: "Ready to accept connections",
	Ping:  ping,
}

// StartServer runs redis-server on a free port of 127.0.0.1 and returns its address, "127.0.0.1:port",
// once it accepts connections and answers. Nothing is persisted. args are appended to the command
// line, for example "--requirepass", "secret"; they must leave port, logfile and loglevel alone. The
// test fails at once if redis-server is not installed or does not start.
func StartServer(t testing.TB, args ...string) (addr string) {
	t.Helper()
	return program.Start(t, args)
}

// StartServerAt is StartServer at an address that StartServer has returned and whose server has ended:
// a server that comes back.
func StartServerAt(t testing.TB, addr string, args ...string) {
	t.Helper()
	program.StartAt(t, addr, args)
}

// ping succeeds if the server at addr answers PING, be it with a demand for a password.
func ping(addr string, limit time.Duration) error {
	line, err := servertest.Ask(addr, "*1\r\n$4\r\nPING\r\n", limit)
	if err != nil {
		return err
	}
	if line != "+PONG\r\n" && !strings.HasPrefix(line, "-NOAUTH") {
		return fmt.Errorf("PING was answered %q", line)
	}
	return nil
}
