package daemon

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// systemd listens as systemd does.
func systemd(t *testing.T) (path string, conn *net.UnixConn) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "notify")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return path, conn
}

// heard is the next state, or "" if there is none.
func heard(t *testing.T, conn *net.UnixConn, within time.Duration) string {
	t.Helper()
	if err := conn.SetReadDeadline(time.Now().Add(within)); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 256)
	n, err := conn.Read(b)
	if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatal(err)
	}
	return string(b[:n])
}

func environment(vars map[string]string) func(string) string {
	return func(name string) string { return vars[name] }
}

// TestNotices: a process that systemd has started says when it serves, that it lives, and that it ends.
func TestNotices(t *testing.T) {
	path, conn := systemd(t)
	f := newFiles(t, goodConfig)
	cmd := command(t, "", f)
	cmd.Env = append(cmd.Env, "NOTIFY_SOCKET="+path, "WATCHDOG_USEC=2000")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"READY=1", "WATCHDOG=1", "WATCHDOG=1"} {
		if got := heard(t, conn, 20*time.Second); got != want {
			t.Fatalf("heard %q, want %q", got, want)
		}
	}
	if !contains(f.log, "msg=started")() {
		t.Error("it was ready before it had started")
	}
	send(t, cmd, syscall.SIGTERM)
	for {
		got := heard(t, conn, 20*time.Second)
		if got == "STOPPING=1\nEXTEND_TIMEOUT_USEC=25000000" { // shutdown_timeout is 20 s
			break
		}
		if got != "WATCHDOG=1" {
			t.Fatalf("heard %q", got)
		}
	}
	if code := exitCode(t, cmd.Wait()); code != 0 {
		t.Errorf("exit code %d", code)
	}
}

// TestNoNoticeOfAFailedStart: systemd hears of a start only when there is one.
func TestNoNoticeOfAFailedStart(t *testing.T) {
	path, conn := systemd(t)
	cmd := command(t, "fail", newFiles(t, goodConfig))
	cmd.Env = append(cmd.Env, "NOTIFY_SOCKET="+path)
	if code := exitCode(t, cmd.Run()); code != 1 {
		t.Errorf("exit code %d", code)
	}
	if got := heard(t, conn, time.Millisecond); got != "" { // the process has ended: what it said is here
		t.Errorf("heard %q", got)
	}
}

// TestWatchdog: a worker that does not turn is not covered up.
func TestWatchdog(t *testing.T) {
	path, conn := systemd(t)
	n := newNotifier(environment(map[string]string{"NOTIFY_SOCKET": path, "WATCHDOG_USEC": "2000"}))
	defer n.close()
	asked := make(chan chan struct{})
	end := n.watch(func() <-chan struct{} {
		turned := make(chan struct{})
		asked <- turned
		return turned
	})
	for range 3 {
		close(<-asked)
		if got := heard(t, conn, 20*time.Second); got != "WATCHDOG=1" {
			t.Fatalf("heard %q", got)
		}
	}
	<-asked // and it is never closed
	select {
	case <-asked:
		t.Error("a worker that has not answered is asked again")
	case <-time.After(20 * time.Millisecond):
	}
	end()
	if got := heard(t, conn, time.Millisecond); got != "" {
		t.Errorf("heard %q of a worker that is stuck", got)
	}
}

// TestNotifier: what the environment says.
func TestNotifier(t *testing.T) {
	path, conn := systemd(t)
	pid := strconv.Itoa(os.Getpid())
	for _, c := range []struct {
		vars  map[string]string
		says  bool
		every time.Duration
	}{
		{nil, false, 0},
		{map[string]string{"NOTIFY_SOCKET": path + "none", "WATCHDOG_USEC": "10"}, false, 0},
		{map[string]string{"NOTIFY_SOCKET": path}, true, 0},
		{map[string]string{"NOTIFY_SOCKET": path, "WATCHDOG_USEC": "30000000"}, true, 15 * time.Second},
		{map[string]string{"NOTIFY_SOCKET": path, "WATCHDOG_USEC": "30000000", "WATCHDOG_PID": pid}, true, 15 * time.Second},
		{map[string]string{"NOTIFY_SOCKET": path, "WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1" + pid}, true, 0},
		{map[string]string{"NOTIFY_SOCKET": path, "WATCHDOG_USEC": "x"}, true, 0},
		{map[string]string{"WATCHDOG_USEC": "10"}, false, 0},
	} {
		n := newNotifier(environment(c.vars))
		n.say("hello")
		if got := heard(t, conn, time.Millisecond); (got == "hello") != c.says {
			t.Errorf("%v: heard %q", c.vars, got)
		}
		if n.every != c.every {
			t.Errorf("%v: every %v, want %v", c.vars, n.every, c.every)
		}
		n.watch(func() <-chan struct{} { return nil })()
		n.close()
	}
}

// TestClientLimit: descriptors are for servers first, and for clients in any case.
func TestClientLimit(t *testing.T) {
	many := strings.Replace(goodConfig, `servers: "127`, `server_connections: 300, servers: "127`, 1)
	for _, c := range []struct {
		config  string
		files   uint64
		workers int
		clients int
		enough  bool
	}{
		{goodConfig, 1024, 1, 1024 - 64 - 65 - 1, true},
		{goodConfig, 1024, 3, 1024 - 64 - 2*8 - 65 - 3, true},
		{many, 1024, 1, 1024 - 64 - 65 - 300, true},
		{many, 600, 1, 300, false},
		{goodConfig, 100, 1, 50, false},
		{goodConfig, 1, 1, 1, false},
		{goodConfig, 1 << 62, 1, 1<<31 - 1 - 64 - 65 - 1, true},
	} {
		r := &run{Options: Options{ConfigFile: newFiles(t, c.config).config, Stderr: os.Stderr}}
		if err := r.openLog(); err != nil {
			t.Fatal(err)
		}
		cfg, err := r.loadConfig()
		if err != nil {
			t.Fatal(err)
		}
		if cfg.Process.ClientLimit == 0 {
			t.Error("the configuration has no limit of clients")
		}
		if clients, enough := clientLimit(cfg, c.files, c.workers); clients != c.clients || enough != c.enough {
			t.Errorf("%d files: %d clients, %v; want %d, %v", c.files, clients, enough, c.clients, c.enough)
		}
	}
}
