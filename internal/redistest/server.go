// Package redistest starts real Redis servers for tests.
//
// Only tests import it. A server belongs to the test that started it and is ended, by its process
// id, when that test is over. Servers listen on 127.0.0.1 alone.
package redistest

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
	binary     = "redis-server"
	attempts   = 5                // tries to win the race for a free port
	startLimit = 20 * time.Second // a start that takes longer has failed
	readyLine  = "Ready to accept connections"
)

// StartServer runs redis-server on a free port of 127.0.0.1 and returns its address, "127.0.0.1:port",
// once it accepts connections and answers. Nothing is persisted. args are appended to the command
// line, for example "--requirepass", "secret"; they must leave port, logfile and loglevel alone. The
// test fails at once if redis-server is not installed or does not start.
func StartServer(t testing.TB, args ...string) (addr string) {
	t.Helper()
	path, err := exec.LookPath(binary)
	if err != nil {
		t.Fatalf("redistest: %s must be installed for this test: %v", binary, err)
	}
	for range attempts {
		// Somebody else may take the port before the server binds it; then another one is tried.
		if addr, err = freePort(); err == nil {
			err = start(t, path, addr, args)
		}
		if err == nil {
			return addr
		}
	}
	t.Fatalf("redistest: %s did not start in %d attempts; the last said: %v", binary, attempts, err)
	return ""
}

// StartServerAt is StartServer at an address that StartServer has returned and whose server has ended:
// a server that comes back.
func StartServerAt(t testing.TB, addr string, args ...string) {
	t.Helper()
	path, err := exec.LookPath(binary)
	if err == nil {
		err = start(t, path, addr, args)
	}
	if err != nil {
		t.Fatalf("redistest: %s did not start at %s: %v", binary, addr, err)
	}
}

// start makes one attempt to start a server at addr.
func start(t testing.TB, path, addr string, args []string) error {
	t.Helper()
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		return err
	}
	cmd := exec.Command(path, append([]string{
		"--bind", "127.0.0.1", "--port", port, "--save", "", "--appendonly", "no",
		"--daemonize", "no", "--dir", t.TempDir(),
	}, args...)...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	cmd.Stderr = cmd.Stdout
	if err := cmd.Start(); err != nil {
		return err
	}
	said := follow(out)
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
	case <-time.After(startLimit):
		end()
		return fmt.Errorf("it was not ready after %v:\n%s", startLimit, said)
	}
	if err := ping(addr); err != nil {
		end()
		return fmt.Errorf("%w:\n%s", err, said)
	}
	t.Cleanup(end)
	return nil
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

// ping succeeds if the server at addr answers PING, be it with a demand for a password.
func ping(addr string) error {
	conn, err := net.DialTimeout("tcp", addr, startLimit)
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(startLimit)); err != nil {
		return err
	}
	if _, err := io.WriteString(conn, "*1\r\n$4\r\nPING\r\n"); err != nil {
		return err
	}
	line, err := bufio.NewReader(conn).ReadString('\n')
	if err != nil {
		return err
	}
	if line != "+PONG\r\n" && !strings.HasPrefix(line, "-NOAUTH") {
		return fmt.Errorf("PING was answered %q", line)
	}
	return nil
}

// output is what a process prints. Its goroutine reads until the process ends, so that a talkative
// server never blocks on a full pipe.
type output struct {
	ready  chan struct{} // closed at the ready line
	closed chan struct{} // closed at the end of the output
	mu     sync.Mutex
	text   bytes.Buffer // guarded by mu; the first 64 KiB
}

func follow(r io.Reader) *output {
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
