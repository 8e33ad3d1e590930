package integration

import (
	"bufio"
	"bytes"
	"fmt"
	"hash/maphash"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/cashew-proxy/cashew/internal/redistest"
	"github.com/cashew-proxy/cashew/test/harness"
)

// noAdmin keeps a process from the admin API's default port, where it could meet another.
const noAdmin = "cashew: {admin: none}\n"

// binaryDir is made when the first test needs the program.
var binaryDir string

func TestMain(m *testing.M) {
	if crowd := os.Getenv(crowdVariable); crowd != "" {
		os.Exit(beCrowd(crowd))
	}
	code := m.Run()
	if binaryDir != "" {
		os.RemoveAll(binaryDir)
	}
	os.Exit(code)
}

// cashew builds the program once and returns its path.
var cashew = sync.OnceValues(func() (string, error) {
	var err error
	if binaryDir, err = os.MkdirTemp("", "cashew-test"); err != nil {
		return "", err
	}
	path := filepath.Join(binaryDir, "cashew")
	cmd := exec.Command("go", "build", "-buildvcs=false", "-o", path, "./cmd/cashew")
	cmd.Dir = "../.."
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building cashew: %w\n%s", err, out)
	}
	return path, nil
})

// startProgram runs the program before the servers and returns where it listens.
func startProgram(t *testing.T, servers []string) (p *harness.Process, addr string) {
	t.Helper()
	path, err := cashew()
	if err != nil {
		t.Fatal(err)
	}
	const attempts = 5 // somebody else may take the port first
	for range attempts {
		addr = harness.FreeAddr(t)
		file := filepath.Join(t.TempDir(), "cashew.yml")
		text := noAdmin + strings.Replace(pool(servers), harness.AnyPort, addr, 1)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		p = harness.Run(t, path, "-c", file, "-a", "")
		harness.Eventually(t, harness.Limit, "cashew has started or ended", func() bool {
			return p.Err.Has("msg=started") || p.Ended()
		})
		if !p.Ended() {
			return p, addr
		}
	}
	t.Fatalf("cashew did not start: %s", p.Err)
	return nil, ""
}

// TestReadyUnderSystemd: when systemd hears that the program is ready, clients can connect; and it hears
// that the worker lives.
func TestReadyUnderSystemd(t *testing.T) {
	path, err := cashew()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: filepath.Join(dir, "notify"), Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	listen := filepath.Join(dir, "pool.sock")
	file := filepath.Join(dir, "cashew.yml")
	text := noAdmin + strings.Replace(pool([]string{redistest.StartServer(t)}), harness.AnyPort, listen, 1)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	p := harness.Run(t, "sh", "-c", `cd "$1" && NOTIFY_SOCKET="$1/notify" WATCHDOG_USEC=20000 exec "$0" -c cashew.yml -a ""`, path, dir)
	b := make([]byte, 256)
	for _, want := range []string{"READY=1", "WATCHDOG=1", "WATCHDOG=1", "WATCHDOG=1"} {
		if err := conn.SetReadDeadline(time.Now().Add(harness.Limit)); err != nil {
			t.Fatal(err)
		}
		n, err := conn.Read(b)
		if err != nil || string(b[:n]) != want {
			t.Fatalf("heard %q, %v, want %q; it said:\n%s", b[:n], err, want, p.Err)
		}
		if got := redistest.Dial(t, listen).Do("GET", "none"); got != "$-1\r\n" {
			t.Errorf("after %s: %q", want, got)
		}
	}
	p.Signal(t, syscall.SIGTERM)
	if code := p.ExitCode(t); code != 0 {
		t.Errorf("exit code %d; it said:\n%s", code, p.Err)
	}
	if _, err := os.Lstat(listen); !os.IsNotExist(err) {
		t.Errorf("the socket of the pool is left: %v", err)
	}
}

// draining waits until the program has begun its orderly end: it accepts nobody any more.
func draining(t *testing.T, addr string) {
	t.Helper()
	harness.Eventually(t, harness.Limit, "nobody is accepted any more", func() bool {
		c, err := redistest.TryDial(t, addr)
		if err == nil {
			c.Close()
		}
		return err != nil
	})
}

func TestTermFinishesWhatIsInFlight(t *testing.T) {
	server := redistest.StartServer(t)
	redistest.Dial(t, server).Do("SET", "k", "v")
	p, addr := startProgram(t, []string{server})
	c := redistest.Dial(t, addr)
	if got := c.Do("GET", "k"); got != "$1\r\nv\r\n" {
		t.Fatal(got)
	}
	pid := pidOf(t, server)
	signal(t, pid, syscall.SIGSTOP)
	stopped(t, pid, true)
	c.Send("GET", "k")
	inFlight(t, addr)
	p.Signal(t, syscall.SIGTERM)
	draining(t, addr)
	signal(t, pid, syscall.SIGCONT)
	if got := c.Read(); got != "$1\r\nv\r\n" {
		t.Errorf("the reply in flight: %q", got)
	}
	if got, err := c.TryRead(); err != io.EOF {
		t.Errorf("then: %q, %v", got, err)
	}
	if code := p.ExitCode(t); code != 0 {
		t.Errorf("exit code %d; it said:\n%s", code, p.Err)
	}
}

func TestSecondTermIsAtOnce(t *testing.T) {
	server := redistest.StartServer(t)
	p, addr := startProgram(t, []string{server})
	c := redistest.Dial(t, addr)
	pid := pidOf(t, server)
	signal(t, pid, syscall.SIGSTOP)
	stopped(t, pid, true)
	c.Send("GET", "k")
	inFlight(t, addr)
	p.Signal(t, syscall.SIGTERM)
	draining(t, addr)
	if p.Ended() {
		t.Error("it did not wait for the request in flight")
	}
	start := time.Now()
	p.Signal(t, syscall.SIGTERM)
	if code := p.ExitCode(t); code != 1 {
		t.Errorf("exit code %d", code)
	}
	if d := time.Since(start); d > 3*time.Second {
		t.Errorf("it took %v", d)
	}
}

// TestSecondTermRemovesTheSocket: however close the two signals are.
func TestSecondTermRemovesTheSocket(t *testing.T) {
	path, err := cashew()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	listen, file := filepath.Join(dir, "pool.sock"), filepath.Join(dir, "cashew.yml")
	text := noAdmin + strings.Replace(pool([]string{"127.0.0.1:1"}), harness.AnyPort, listen, 1)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for range 10 {
		p := harness.Run(t, path, "-c", file, "-a", filepath.Join(dir, "stats.sock"), "-p", filepath.Join(dir, "pid"))
		p.Err.Await(t, "msg=started")
		redistest.Dial(t, listen).Send("PING")
		p.Signal(t, syscall.SIGTERM)
		p.Signal(t, syscall.SIGINT) // two of a kind could arrive as one
		p.ExitCode(t)               // 0 if the orderly end was quicker
		left, err := filepath.Glob(filepath.Join(dir, "*"))
		if err != nil || len(left) != 1 {
			t.Fatalf("beside the configuration there are %q: %v", left, err)
		}
	}
}

const (
	hugeSize  = 300 << 20
	huge      = "huge"
	mebibyte  = 1 << 20
	rssMargin = 64 << 20
)

// TestHugeValue: it arrives and comes back whole, and what it took is given back to the system.
func TestHugeValue(t *testing.T) {
	server := redistest.StartServer(t)
	p, addr := startProgram(t, []string{server})
	redistest.Dial(t, addr).Do("SET", "small", "v")
	before := rss(t, p.Pid)
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(40 * time.Second)); err != nil {
		t.Fatal(err)
	}
	sum := sendHuge(t, conn)
	r := bufio.NewReaderSize(conn, mebibyte)
	if line, err := r.ReadString('\n'); line != "+OK\r\n" {
		t.Fatalf("SET: %q, %v; cashew said:\n%s", line, err, p.Err)
	}
	released(t, p.Pid, before, "after SET")
	if _, err := io.WriteString(conn, redistest.Request("GET", huge)); err != nil {
		t.Fatal(err)
	}
	if line, err := r.ReadString('\n'); line != fmt.Sprintf("$%d\r\n", hugeSize) {
		t.Fatalf("GET: %q, %v; cashew said:\n%s", line, err, p.Err)
	}
	var got maphash.Hash
	got.SetSeed(sum.Seed())
	if n, err := io.CopyN(&got, r, hugeSize); err != nil {
		t.Fatalf("GET: %d bytes, then %v; cashew said:\n%s", n, err, p.Err)
	}
	if got.Sum64() != sum.Sum64() {
		t.Error("GET: other bytes than were SET")
	}
	if line, err := r.ReadString('\n'); line != "\r\n" {
		t.Errorf("behind the value: %q, %v", line, err)
	}
	released(t, p.Pid, before, "after GET")
	if got := redistest.Dial(t, addr).Do("STRLEN", huge); got != fmt.Sprintf(":%d\r\n", hugeSize) {
		t.Errorf("STRLEN: %q", got)
	}
}

// sendHuge sends SET with a value in which every mebibyte is another, and returns the value's hash.
func sendHuge(t *testing.T, w io.Writer) *maphash.Hash {
	t.Helper()
	header := fmt.Sprintf("*3\r\n$3\r\nSET\r\n$%d\r\n%s\r\n$%d\r\n", len(huge), huge, hugeSize)
	if _, err := io.WriteString(w, header); err != nil {
		t.Fatal(err)
	}
	block := make([]byte, mebibyte)
	source := rand.NewChaCha8([32]byte{1})
	_, _ = source.Read(block) // never fails
	sum := new(maphash.Hash)
	for i := range hugeSize / mebibyte {
		copy(block, strconv.Itoa(i)+"\r\n")
		_, _ = sum.Write(block) // never fails
		if _, err := w.Write(block); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := io.WriteString(w, "\r\n"); err != nil {
		t.Fatal(err)
	}
	return sum
}

func released(t *testing.T, pid int, before int64, when string) {
	t.Helper()
	harness.Eventually(t, harness.Limit, fmt.Sprintf("%s the memory is back near %d MiB", when, before>>20), func() bool {
		return rss(t, pid) < before+rssMargin
	})
}

// rss is a process's resident memory in bytes.
func rss(t *testing.T, pid int) int64 {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	if err != nil {
		t.Fatal(err)
	}
	f := bytes.Fields(b)
	if len(f) < 2 {
		t.Fatalf("statm is %q", b)
	}
	pages, err := strconv.ParseInt(string(f[1]), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return pages * int64(os.Getpagesize())
}
