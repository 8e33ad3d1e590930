package integration

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/cashew-proxy/cashew/internal/config"
	"github.com/cashew-proxy/cashew/internal/redistest"
	"github.com/cashew-proxy/cashew/internal/stats"
	"github.com/cashew-proxy/cashew/test/harness"
)

func TestClientConnections(t *testing.T) {
	p := harness.Start(t, pool(startServers(t, 1), "client_connections: 2"), config.Options{})
	first, second := redistest.Dial(t, p.Addr), redistest.Dial(t, p.Addr)
	first.Do("PING")
	second.Do("PING")
	third := redistest.Dial(t, p.Addr)
	if got := third.Read(); got != "-ERR max number of clients reached\r\n" {
		t.Errorf("the third: %q", got)
	}
	if got, err := third.TryRead(); err != io.EOF {
		t.Errorf("then: %q, %v", got, err)
	}
	first.Close()
	harness.Eventually(t, harness.Limit, "there is room again", func() bool {
		c := redistest.Dial(t, p.Addr)
		defer c.Close()
		if c.TryWrite("PING\r\n") != nil {
			return false // refused, and closed already
		}
		reply, err := c.TryRead()
		return err == nil && reply == "+PONG\r\n"
	})
	if got := second.Do("PING"); got != "+PONG\r\n" {
		t.Errorf("the second: %q", got)
	}
}

// TestClientsThatDoNotRead are closed, and the log says why.
func TestClientsThatDoNotRead(t *testing.T) {
	server := redistest.StartServer(t)
	direct := redistest.Dial(t, server)
	direct.Do("SETRANGE", "large", strconv.Itoa(64<<20), "x") // more than the kernel keeps for a client
	direct.Do("SETRANGE", "medium", strconv.Itoa(100<<10), "x")
	for _, c := range []struct {
		name, setting, request, log string
		counter                     stats.Counter
	}{
		{"one large reply", "client_output_timeout: 200", redistest.Request("GET", "large"), "client_output_timeout", stats.ClientsStalled},
		{
			"many replies", "client_output_limit: 1mb", strings.Repeat(redistest.Request("GET", "medium"), 1000),
			"client_output_limit", stats.ClientsOverflowed,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := harness.Start(t, pool([]string{server}, c.setting), config.Options{})
			stuck, other := redistest.Dial(t, p.Addr), redistest.Dial(t, p.Addr)
			stuck.Write(c.request)
			harness.Eventually(t, harness.Limit, "the log names the client", func() bool {
				return p.Log.Has(c.log) && p.Log.Has(stuck.Conn().LocalAddr().String())
			})
			harness.Eventually(t, harness.Limit, "it is counted", func() bool { return p.PoolCounts(0)[c.counter] == 1 })
			if got := other.Do("GET", "none"); got != "$-1\r\n" {
				t.Errorf("another client: %q", got)
			}
			if err := stuck.Conn().SetReadDeadline(time.Now().Add(harness.Limit)); err != nil {
				t.Fatal(err)
			}
			n, err := io.Copy(io.Discard, stuck.Conn())
			if timeout, ok := err.(net.Error); ok && timeout.Timeout() || n >= 64<<20 {
				t.Errorf("the client read %d bytes and then %v", n, err)
			}
		})
	}
}

// TestNothingIsLeft: no goroutine, descriptor or socket file after the end, with clients and servers
// in every state.
func TestNothingIsLeft(t *testing.T) {
	servers := startServers(t, 3)
	before := goleak.IgnoreCurrent()
	files := openFiles(t)
	for range 3 {
		p := harness.Start(t, pool(append(servers, "no-such-host.invalid:1"), "server_connections: 2", "preconnect: true"), config.Options{})
		var clients []*redistest.Client
		for i := range 20 {
			c := redistest.Dial(t, p.Addr)
			c.Send("SET", strconv.Itoa(i), strings.Repeat("v", 1<<i))
			c.Send("MGET", "a", "b", "c", "d", "e")
			c.Write("*3\r\n$3\r\nSET\r\n$100000\r\nunfinished")
			clients = append(clients, c)
		}
		clients[0].Read()
		p.Stop(t)
		for _, c := range clients {
			c.Close()
		}
	}
	goleak.VerifyNone(t, before)
	harness.Eventually(t, harness.Limit, fmt.Sprintf("there are %d descriptors as before", files), func() bool {
		return openFiles(t) <= files
	})
}

func openFiles(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}

// TestShutdownWithIdleClients: nobody has to be waited for.
func TestShutdownWithIdleClients(t *testing.T) {
	p := harness.Start(t, pool(startServers(t, 1)), config.Options{})
	c := redistest.Dial(t, p.Addr)
	c.Do("SET", "k", "v")
	ctx, cancel := context.WithTimeout(context.Background(), harness.Limit)
	defer cancel()
	if err := p.Shutdown(ctx); err != nil {
		t.Error(err)
	}
	if got, err := c.TryRead(); err != io.EOF {
		t.Errorf("an idle client: %q, %v", got, err)
	}
}
