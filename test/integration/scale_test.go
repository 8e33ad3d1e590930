package integration

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/cashew-proxy/cashew/internal/config"
	"github.com/cashew-proxy/cashew/internal/redistest"
	"github.com/cashew-proxy/cashew/internal/stats"
	"github.com/cashew-proxy/cashew/test/harness"
)

const (
	idleWanted = 15000
	busyWanted = 1000
	// descriptorsKept are for all but clients: servers, files of the test.
	descriptorsKept = 500
)

// TestManyClients: many idle clients cost little, do not slow or disturb the busy ones, are served when they
// wake up, and leave nothing behind. The proxy is in this process, where its heap can be measured; the idle
// clients are in another, or there would be descriptors for half of them only.
func TestManyClients(t *testing.T) {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil { // Go has raised it to the hard one
		t.Fatal(err)
	}
	busy := min(busyWanted, (int(limit.Cur)-descriptorsKept)/10) // both their ends are here
	idle := min(idleWanted, int(limit.Cur)-2*busy-descriptorsKept)
	servers := startServers(t, 2)
	p := harness.Start(t, pool(servers), config.Options{})

	startCrowd(t, p.Addr, 10).end(t) // what the first clients need is not theirs alone
	gone := func(n int) {
		harness.Eventually(t, harness.Limit, "the clients are gone", func() bool {
			return p.PoolCounts(0)[stats.ClientsClosed] == uint64(n)
		})
	}
	gone(10)
	before := heap()
	crowd := startCrowd(t, p.Addr, idle)
	during := heap()
	per := (int64(during) - int64(before)) / int64(idle)
	if per >= 1024 {
		t.Errorf("an idle client keeps %d bytes of heap", per)
	}

	var all sync.WaitGroup
	for id := range busy {
		conn, err := net.Dial("tcp", p.Addr)
		if err != nil {
			t.Fatal(err)
		}
		all.Go(func() {
			defer conn.Close()
			if err := talk(conn, id); err != nil {
				t.Errorf("client %d: %v", id, err)
			}
		})
	}
	all.Wait()
	gone(10 + busy)
	crowd.ask(t)
	crowd.end(t)
	gone(10 + busy + idle)
	var after uint64
	// A bit per client stays: its place in the tables, for the next one. Buffers go within seconds.
	harness.Eventually(t, harness.Limit, "the memory is given back", func() bool {
		after = heap()
		return int64(after)-int64(before) < int64(idle)*1024/2
	})
	t.Logf("%d idle clients with %d bytes of heap each, %d busy ones; afterwards %d bytes per client that was there",
		idle, per, busy, (int64(after)-int64(before))/int64(idle))
}

// talk has a client set and get values of its own.
func talk(conn net.Conn, id int) error {
	if err := conn.SetDeadline(time.Now().Add(harness.Limit)); err != nil {
		return err
	}
	for i := range 20 {
		key, value := fmt.Sprintf("%d:%d", id, i), fmt.Sprintf("value %d of %d", i, id)
		if _, err := io.WriteString(conn, redistest.Request("SET", key, value)+redistest.Request("GET", key)); err != nil {
			return err
		}
		want := fmt.Sprintf("+OK\r\n$%d\r\n%s\r\n", len(value), value)
		got := make([]byte, len(want))
		if n, err := io.ReadFull(conn, got); err != nil || string(got) != want {
			return fmt.Errorf("%q, %v, want %q", got[:n], err, want)
		}
	}
	return nil
}

func heap() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// crowd is a process that is many clients.
type crowd struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
}

const crowdVariable = "CASHEW_TEST_CROWD"

// startCrowd connects n clients, each of which was answered when it returns.
func startCrowd(t *testing.T, addr string, n int) *crowd {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := &crowd{cmd: exec.Command(exe)}
	c.cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%s %d", crowdVariable, addr, n))
	c.cmd.Stderr = os.Stderr
	if c.in, err = c.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	c.out = bufio.NewReader(out)
	if err := c.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = c.cmd.Process.Kill() // an error means that it has ended
		_ = c.cmd.Wait()
	})
	c.hear(t)
	return c
}

// hear waits until all have been answered.
func (c *crowd) hear(t *testing.T) {
	t.Helper()
	heard := make(chan string, 1)
	go func() {
		line, _ := c.out.ReadString('\n')
		heard <- line
	}()
	select {
	case line := <-heard:
		if line != "answered\n" {
			t.Fatalf("the clients: %q", line)
		}
	case <-time.After(2 * harness.Limit):
		t.Fatal("not all clients are answered")
	}
}

// ask has every client ask once more.
func (c *crowd) ask(t *testing.T) {
	t.Helper()
	if _, err := io.WriteString(c.in, "\n"); err != nil {
		t.Fatal(err)
	}
	c.hear(t)
}

// end closes all clients.
func (c *crowd) end(t *testing.T) {
	t.Helper()
	c.in.Close()
	if err := c.cmd.Wait(); err != nil {
		t.Errorf("the clients: %v", err)
	}
}

// beCrowd is what such a process does: it connects, and has all clients ask whenever it is told to.
func beCrowd(what string) (code int) {
	var text string
	var n int
	if _, err := fmt.Sscan(what, &text, &n); err != nil {
		return failCrowd(err)
	}
	addr, err := netip.ParseAddrPort(text)
	if err != nil {
		return failCrowd(err)
	}
	clients := make([]int, n)
	for i := range clients {
		if clients[i], err = unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0); err != nil {
			return failCrowd(err)
		}
		if err := unix.Connect(clients[i], &unix.SockaddrInet4{Port: int(addr.Port()), Addr: addr.Addr().As4()}); err != nil {
			return failCrowd(err)
		}
	}
	in := bufio.NewReader(os.Stdin)
	for {
		for _, fd := range clients {
			if err := ping(fd); err != nil {
				return failCrowd(err)
			}
		}
		fmt.Println("answered")
		if _, err := in.ReadString('\n'); err != nil {
			return 0 // told to end
		}
	}
}

func failCrowd(err error) int {
	fmt.Fprintln(os.Stderr, "crowd:", err)
	return 1
}

func ping(fd int) error {
	limit := unix.Timeval{Sec: 20}
	if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &limit); err != nil {
		return err
	}
	if _, err := unix.Write(fd, []byte("PING\r\n")); err != nil {
		return err
	}
	var reply [7]byte
	n, err := unix.Read(fd, reply[:])
	for err == unix.EINTR { // the kernel does not go on with a read that has a limit
		n, err = unix.Read(fd, reply[:])
	}
	if err != nil || !bytes.Equal(reply[:n], []byte("+PONG\r\n")) {
		return fmt.Errorf("PING: %q, %v", reply[:max(n, 0)], err)
	}
	return nil
}
