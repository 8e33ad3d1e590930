// Package harness runs proxies for the tests of whole processes: cashew's data plane in the test's own
// process, or any program beside it.
//
// Only tests use it. What it starts belongs to the test and ends with it, by process id.
package harness

import (
	"bytes"
	"context"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cashew-proxy/cashew/internal/config"
	"github.com/cashew-proxy/cashew/internal/control"
	"github.com/cashew-proxy/cashew/internal/eventloop"
)

// AnyPort and OtherPort stand in a configuration's listen for a port that the kernel chooses.
const (
	AnyPort   = "127.0.0.1:1"
	OtherPort = "127.0.0.1:2"
)

// Limit bounds what is waited for.
const Limit = 20 * time.Second

// Proxy is a running data plane.
type Proxy struct {
	*control.System
	Log  *Log
	Addr string // of the first pool
}

// Start runs the pools of a configuration in this process until the test ends.
func Start(t testing.TB, text string, o config.Options) *Proxy {
	t.Helper()
	return StartWith(t, text, o, nil)
}

// StartWith is Start with a way of its own to find the addresses of servers' names, unless that is nil.
func StartWith(t testing.TB, text string, o config.Options, lookup eventloop.LookupFunc) *Proxy {
	t.Helper()
	path := filepath.Join(t.TempDir(), "cashew.yml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, _, err := config.Load(path, o)
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	snapshot := control.Build(cfg, 1)
	for _, p := range snapshot.Pools {
		if p.Listen.Address == AnyPort || p.Listen.Address == OtherPort {
			p.Listen.Address = "127.0.0.1:0"
		}
	}
	log := new(Log)
	p := control.NewSystem(cfg, snapshot, slog.New(slog.NewTextHandler(log, nil)))
	if lookup != nil {
		p.SetLookup(lookup)
	}
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	r := &Proxy{System: p, Log: log, Addr: p.Addresses()[0]}
	t.Cleanup(func() { r.Stop(t) })
	return r
}

// Stop ends the proxy and returns when it has ended. It may be called twice.
func (p *Proxy) Stop(t testing.TB) {
	t.Helper()
	// Clients may still be connected, and servers stopped: the time for them is over at once.
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_ = p.Shutdown(ctx) // it says how many clients were cut off
	select {
	case <-p.Ended():
	case <-time.After(Limit):
		t.Fatalf("the proxy did not end; its log:\n%s", p.Log)
	}
}

// Log keeps what is written to it. Any goroutine may use it.
type Log struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Write implements io.Writer.
func (l *Log) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

// String returns all that was written.
func (l *Log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// Has says whether s was written.
func (l *Log) Has(s string) bool { return strings.Contains(l.String(), s) }

// Await waits until s is written: most lines come by way of a queue.
func (l *Log) Await(t testing.TB, s string) {
	t.Helper()
	Eventually(t, Limit, "the log says "+s, func() bool { return l.Has(s) })
}

// Eventually waits until done says so, and fails the test when that takes longer than within.
func Eventually(t testing.TB, within time.Duration, what string, done func() bool) {
	t.Helper()
	deadline := time.After(within)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !done() {
		select {
		case <-deadline:
			t.Fatalf("not within %v: %s", within, what)
		case <-tick.C:
		}
	}
}

// FreeAddr is an address of 127.0.0.1 where nobody listens at this moment.
func FreeAddr(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}
