package daemon

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cashew-proxy/cashew/internal/admin"
	"github.com/cashew-proxy/cashew/internal/config"
)

// steerable is a daemon with the admin API on a socket.
type steerable struct {
	client *http.Client
	code   chan int
	files  files
	config func(timeout string) string
}

func startSteerable(t *testing.T, how string) *steerable {
	t.Helper()
	socket := filepath.Join(t.TempDir(), "admin.sock")
	config := func(timeout string) string {
		return strings.NewReplacer("admin: none", "admin: "+socket, "shutdown_timeout: 20000", "shutdown_timeout: 1000").Replace(withTimeout(timeout))
	}
	f := newFiles(t, config("0"))
	s := &steerable{
		config: config,
		client: &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", socket)
		}}},
		code: make(chan int, 1), files: f,
	}
	t.Cleanup(s.client.CloseIdleConnections)
	ready := make(chan struct{})
	r := &run{
		Options:  Options{Program: "x", ConfigFile: f.config, LogFile: f.log, Verbosity: 5, Stderr: io.Discard},
		newProxy: fakeFor(how), ready: func() { close(ready) },
	}
	go func() { s.code <- r.main(t.Context()) }()
	select {
	case <-ready:
	case <-time.After(20 * time.Second):
		t.Fatal("no start")
	}
	return s
}

// ask makes a request and finds the status and a part of the answer.
func (s *steerable) ask(t *testing.T, method, path, body string, status int, want string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, "http://cashew"+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	answer, err := s.client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != status || !strings.Contains(string(text), want) {
		t.Errorf("%s %s: %d %s, %v; want %d %s", method, path, answer.StatusCode, text, err, status, want)
	}
}

// wait finds that the daemon ends well.
func (s *steerable) wait(t *testing.T) {
	t.Helper()
	select {
	case code := <-s.code:
		if code != 0 {
			t.Errorf("exit code %d", code)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("it goes on")
	}
}

// What is steered is the same that signals steer.
func TestAdmin(t *testing.T) {
	s := startSteerable(t, "stubborn")
	s.ask(t, "GET", "/ready", "", 200, "ready")
	s.ask(t, "GET", "/health", "", 200, "alive")
	write(t, s.files.config, s.config("250"))
	s.ask(t, "GET", "/api/config", "", 200, "timeout: 0\n")
	s.ask(t, "POST", "/api/reload", `{"dry_run": true}`, 200, `"new": "250"`)
	s.ask(t, "GET", "/api/config", "", 200, "timeout: 0\n")
	s.ask(t, "POST", "/api/reload", "", 200, `"new": "250"`)
	s.ask(t, "GET", "/api/config", "", 200, "timeout: 250\n")
	write(t, s.files.config, s.config("much"))
	s.ask(t, "POST", "/api/reload", "", 422, `c.yml:2:14: p.timeout: \"much\" is not a number`)
	s.ask(t, "GET", "/api/config", "", 200, "timeout: 250\n")
	// What the log leaves out is an event all the same.
	s.ask(t, "PUT", "/api/log-level", `{"level": 4}`, 200, `"level": 4`)
	write(t, s.files.config, s.config("260"))
	s.ask(t, "POST", "/api/reload", "", 200, "260")
	s.ask(t, "GET", "/api/events", "", 200, "timeout: 250 -> 260")
	s.ask(t, "PUT", "/api/log-level", `{"level": 5}`, 200, `"level": 5`)
	for range 2 { // more than once is no more
		s.ask(t, "POST", "/api/drain", "", 202, "draining")
		s.ask(t, "GET", "/ready", "", 503, "ending")
	}
	eventually(t, "the end has begun", contains(s.files.log, `msg=stopping because="admin API"`))
	s.ask(t, "GET", "/health", "", 200, "alive")
	s.wait(t)
	text, err := os.ReadFile(s.files.log)
	if err != nil {
		t.Fatal(err)
	}
	for want, n := range map[string]int{
		`reloaded because="admin API"`: 1, "250 -> 260": 0, "msg=verbosity level=4": 1, "msg=stopping": 1, "msg=admin address=": 1,
	} {
		if got := strings.Count(string(text), want); got < n || n == 0 && got > 0 {
			t.Errorf("%q is %d times in the log:\n%s", want, got, text)
		}
	}
}

// The orderly end ends the process, with the exit code of one that a signal has asked for; the socket goes with it.
func TestAdminEnds(t *testing.T) {
	s := startSteerable(t, "")
	s.ask(t, "POST", "/api/drain", "", 202, "draining")
	s.wait(t)
	if _, err := s.client.Get("http://cashew/health"); err == nil {
		t.Error("it answers after the end")
	}
}

// An address that somebody has written down has to be had; the default's need not.
func TestAdminTaken(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	address := taken.Addr().String()
	f := newFiles(t, strings.Replace(goodConfig, "admin: none", "admin: \""+address+"\"", 1))
	var stderr bytes.Buffer
	r := &run{
		Options:  Options{Program: "x", ConfigFile: f.config, PidFile: f.pid, Stderr: &stderr},
		newProxy: fakeFor(""), ready: func() { t.Error("it is ready") },
	}
	want := fmt.Sprintf("x: admin: listen on %s: Address already in use: another process listens there", address)
	if code := r.main(context.Background()); code != 1 || !strings.HasPrefix(stderr.String(), want) || !strings.Contains(stderr.String(), "(admin under cashew:)") {
		t.Errorf("exit code %d: %s", code, &stderr)
	}
	var log bytes.Buffer
	r = &run{log: slog.New(slog.NewTextHandler(&log, nil)), events: admin.NewEvents()}
	a, err := r.openAdmin(config.Process{Admin: config.Listen{Network: "tcp", Address: address}})
	if err != nil || a.server != nil || !strings.Contains(log.String(), "level=WARN msg=\"there is no admin API") || !strings.Contains(log.String(), address) {
		t.Errorf("%v, %s", err, &log)
	}
	if a, err := r.openAdmin(config.Process{}); err != nil || a.server != nil {
		t.Errorf("none is wanted, and there is one: %v", err)
	}
}
