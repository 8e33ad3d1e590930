// Package servertest starts real server programs for the rooms redistest and memcachedtest, and fake ones (Fake).
//
// Only tests import it. A server belongs to the test that started it and is ended, by its process
// id, when that test is over. Servers listen on 127.0.0.1 alone.
package servertest

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"
)

const (
	attempts = 5 // tries to win the race for a free port
	// Limit bounds a start, and what Ping may take of it: what takes longer has failed.
	Limit = 20 * time.Second
)

// Program is a server program that is installed on this machine.
type Program struct {
	Room   string                                       // who speaks in messages: "redistest"
	Binary string                                       // found in PATH
	Args   func(t testing.TB, port string) []string     // the command line that makes it listen on 127.0.0.1:port alone
	Ready  string                                       // part of a line that it prints once it accepts connections
	Ping   func(addr string, limit time.Duration) error // asks it something; nil if it answers as it should
}

// Start runs the program on a free port of 127.0.0.1 and returns its address, "127.0.0.1:port", once it
// accepts connections and answers. args are appended to the command line. The test fails at once if
// the program is not installed or does not start.
func (p *Program) Start(t testing.TB, args []string) (addr string) {
	t.Helper()
	if _, err := exec.LookPath(p.Binary); err != nil {
		t.Fatalf("%s: %s must be installed for this test: %v", p.Room, p.Binary, err)
	}
	var err error
	for range attempts {
		// Somebody else may take the port before the server binds it; then another one is tried.
		if addr, err = freePort(); err == nil {
			err = p.TryStartAt(t, addr, args)
		}
		if err == nil {
			return addr
		}
	}
	t.Fatalf("%s: %s did not start in %d attempts; the last said: %v", p.Room, p.Binary, attempts, err)
	return ""
}

// StartAt is Start at an address that Start has returned and whose server has ended: a server that
// comes back.
func (p *Program) StartAt(t testing.TB, addr string, args []string) {
	t.Helper()
	if err := p.TryStartAt(t, addr, args); err != nil {
		t.Fatalf("%s: %s did not start at %s: %v", p.Room, p.Binary, addr, err)
	}
}

// TryStartAt makes one attempt to start a server at addr.
func (p *Program) TryStartAt(t testing.TB, addr string, args []string) error {
	t.Helper()
	path, err := exec.LookPath(p.Binary)
	if err != nil {
		return err
	}
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		return err
	}
	cmd := exec.Command(path, append(p.Args(t, port), args...)...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	cmd.Stderr = cmd.Stdout
	if err := cmd.Start(); err != nil {
		return err
	}
	said := follow(out, p.Ready)
	end := func() {
		_ = cmd.Process.Kill() // an error means that it has ended already
		<-said.closed
		_ = cmd.Wait()
	}
	// The ready line comes from the very process that was started, after it bound the port: nobody
	// else's server can be mistaken for it.
	select {
	case <-said.ready:
	case <-said.closed:
		end()
		return fmt.Errorf("it ended:\n%s", said)
	case <-time.After(Limit):
		end()
		return fmt.Errorf("it was not ready after %v:\n%s", Limit, said)
	}
	if err := p.Ping(addr, Limit); err != nil {
		end()
		return fmt.Errorf("%w:\n%s", err, said)
	}
	t.Cleanup(end)
	return nil
}

// Ask sends one request to the server at addr and returns the first line of what it answers, its line
// end included.
func Ask(addr, request string, limit time.Duration) (line string, err error) {
	conn, err := net.DialTimeout("tcp", addr, limit)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(limit)); err != nil {
		return "", err
	}
	if _, err := io.WriteString(conn, request); err != nil {
		return "", err
	}
	return bufio.NewReader(conn).ReadString('\n')
}

// freePort asks the kernel for a port that is free at this moment.
func freePort() (addr string, err error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}

// output is what a process prints. Its goroutine reads until the process ends, so that a talkative
// server never blocks on a full pipe.
type output struct {
	ready  chan struct{} // closed at the ready line
	closed chan struct{} // closed at the end of the output
	mu     sync.Mutex
	text   bytes.Buffer // guarded by mu; the first 64 KiB
}

func follow(r io.Reader, readyLine string) *output {
	o := &output{ready: make(chan struct{}), closed: make(chan struct{})}
	go func() {
		defer close(o.closed)
		seen := false
		for s := bufio.NewScanner(r); s.Scan(); {
			o.keep(s.Bytes())
			if !seen && strings.Contains(s.Text(), readyLine) {
				seen = true
				close(o.ready)
			}
		}
	}()
	return o
}

func (o *output) keep(line []byte) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.text.Len() < 64<<10 {
		o.text.Write(line)
		o.text.WriteByte('\n')
	}
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}
