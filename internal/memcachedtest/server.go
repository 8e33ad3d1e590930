// Package memcachedtest starts real memcached servers for tests.
//
// Only tests import it. A server belongs to the test that started it and is ended, by its process
// id, when that test is over. Servers listen on 127.0.0.1 alone.
package memcachedtest

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/cashew-proxy/cashew/internal/servertest"
)

var program = servertest.Program{
	Room:   "memcachedtest",
	Binary: "memcached",
	Args: func(_ testing.TB, port string) []string {
		// As root memcached insists on a user; as anybody else it ignores -u. Only at -vv it says when it
		// listens.
		return []string{"-l", "127.0.0.1", "-p", port, "-U", "0", "-u", "root", "-vv"}
	},
	Ready: "server listening",
	Ping:  ping,
}

// StartServer runs memcached on a free port of 127.0.0.1 and returns its address, "127.0.0.1:port",
// once it accepts connections and answers. It listens on TCP alone. args are appended to the command
// line, for example "-I", "8m"; they must leave address, port and verbosity alone. The test fails at
// once if memcached is not installed or does not start.
func StartServer(t testing.TB, args ...string) (addr string) {
	t.Helper()
	return program.Start(t, args)
}

// StartServerAt is StartServer at an address that StartServer has returned and whose server has ended:
// a server that comes back, empty.
func StartServerAt(t testing.TB, addr string, args ...string) {
	t.Helper()
	program.StartAt(t, addr, args)
}

// ping ends the chatter that -vv asked for, which would cost a line per command, and succeeds if the
// server obeys, or wants to know who asks.
func ping(addr string, limit time.Duration) error {
	line, err := servertest.Ask(addr, "verbosity 0\r\n", limit)
	if err != nil {
		return err
	}
	if line != "OK\r\n" && !strings.HasPrefix(line, "CLIENT_ERROR unauthenticated") {
		return fmt.Errorf("verbosity was answered %q", line)
	}
	return nil
}
