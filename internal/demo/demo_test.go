package demo

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/cashew-proxy/cashew/internal/control"
	"github.com/cashew-proxy/cashew/internal/ring"
)

const testLimit = 20 * time.Second

// show runs a demonstration and returns its output as it comes. The returned function ends it and
// returns what Run did.
func show(t *testing.T, o Options) (lines *bufio.Reader, end func() error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), testLimit)
	r, w := io.Pipe()
	o.Out = w
	done := make(chan error, 1)
	go func() {
		err := run(ctx, o, 0, 5*time.Millisecond)
		w.Close()
		done <- err
	}()
	return bufio.NewReader(r), func() error {
		cancel()
		_, _ = io.Copy(io.Discard, r)
		return <-done
	}
}

// until reads up to a text and returns what came, with the text.
func until(t *testing.T, r *bufio.Reader, text string) string {
	t.Helper()
	var b strings.Builder
	for !strings.HasSuffix(b.String(), text) {
		c, err := r.ReadByte()
		if err != nil {
			t.Fatalf("the output ended (%v) without %q:\n%s", err, text, b.String())
		}
		b.WriteByte(c)
	}
	return b.String()
}

// portOf finds the proxy's port in the introduction.
func portOf(t *testing.T, introduction string) (port int) {
	t.Helper()
	if _, err := fmt.Sscanf(introduction, "cashew listens on 127.0.0.1:%d,", &port); err != nil {
		t.Fatalf("%v: %s", err, introduction)
	}
	return port
}

func dial(t *testing.T, port int) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		t.Fatal(err)
	}
	if err := c.SetDeadline(time.Now().Add(testLimit)); err != nil {
		t.Fatal(err)
	}
	return c
}

// ask sends commands in one go and wants the replies exactly.
func ask(t *testing.T, c net.Conn, request, want string) {
	t.Helper()
	if _, err := io.WriteString(c, request); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, len(want))
	if _, err := io.ReadFull(c, got); err != nil || string(got) != want {
		t.Fatalf("%q was answered %q (%v), want %q", request, got, err, want)
	}
}

// TestDemo does what the introduction suggests, and sees it in the live line.
func TestDemo(t *testing.T) {
	defer goleak.VerifyNone(t)
	for _, terminal := range []bool{false, true} {
		lines, end := show(t, Options{Terminal: terminal})
		text := until(t, lines, "Ctrl-C stops everything.\n\n")
		for _, want := range []string{"redis: true\n", "distribution: ketama\n", "redis-cli -p", "mget apple pear fig plum", "redis-benchmark -p"} {
			if !strings.Contains(text, want) {
				t.Errorf("the introduction lacks %q:\n%s", want, text)
			}
		}
		until(t, lines, " 0 clients  keys: one 0  two 0  three 0")
		port := portOf(t, text)
		c := dial(t, port)
		ask(t, c, "SET user:1 Ada\r\nGET user:1\r\n", "+OK\r\n$3\r\nAda\r\n")
		ask(t, c, "COMMAND DOCS\r\n", "-ERR unknown command 'COMMAND'\r\n") // redis-cli asks this
		ask(t, c, "MSET apple 1 pear 2 fig 3 plum 4\r\n", "+OK\r\n")
		ask(t, c, "MGET plum fig pear apple nothing\r\n", "*5\r\n$1\r\n4\r\n$1\r\n3\r\n$1\r\n2\r\n$1\r\n1\r\n$-1\r\n")
		until(t, lines, " 1 clients  keys: "+wantKeys(t, text, "user:1", "apple", "pear", "fig", "plum"))
		ask(t, c, "SET short x PX 1\r\nDEL user:1 apple pear fig plum\r\n", "+OK\r\n:5\r\n")
		c.Close()
		until(t, lines, " 0 clients  keys: one 0  two 0  three 0") // time passes for the servers
		if err := end(); err != nil {
			t.Errorf("terminal %v: %v", terminal, err)
		}
		if _, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port)); err == nil {
			t.Error("somebody still listens")
		}
	}
}

// wantKeys counts where the keys belong by the configuration that the introduction shows.
func wantKeys(t *testing.T, introduction string, keys ...string) string {
	t.Helper()
	_, rest, _ := strings.Cut(introduction, "\n\n")
	text, _, _ := strings.Cut(rest, "\n\n")
	cfg, err := load(text)
	if err != nil {
		t.Fatal(err)
	}
	pool := control.Build(cfg, 1).Pools[0]
	if pool.Distribution != ring.Ketama {
		t.Fatalf("the configuration shown is not the one described: %s", text)
	}
	n := map[string]int{}
	owner := func(key string) string { return pool.Servers[pool.Ring.Pick(pool.Hash([]byte(key)))].Name }
	for _, key := range keys {
		n[owner(key)]++
	}
	if owner("apple") == owner("pear") || owner("pear") == owner("fig") || owner("fig") == owner("apple") {
		t.Error("the keys that are said to be split over all servers are not")
	}
	return fmt.Sprintf("one %d  two %d  three %d", n["one"], n["two"], n["three"])
}

// TestQuiet: where there is no terminal, lines come only when something changes.
func TestQuiet(t *testing.T) {
	defer goleak.VerifyNone(t)
	lines, end := show(t, Options{Duration: 200 * time.Millisecond})
	all, err := io.ReadAll(lines)
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(all), "requests/s"); n != 1 {
		t.Errorf("%d lines of a demonstration in which nothing happens:\n%s", n, all)
	}
	if !strings.HasSuffix(string(all), "Stopped.\n") || strings.ContainsRune(string(all), '\r') {
		t.Errorf("output: %q", all)
	}
	if err := end(); err != nil {
		t.Error(err)
	}
}

// TestPortTaken: another port serves as well.
func TestPortTaken(t *testing.T) {
	defer goleak.VerifyNone(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	taken := l.Addr().(*net.TCPAddr).Port
	s, err := startStage(taken)
	if err != nil {
		t.Fatal(err)
	}
	if s.port == taken || !strings.Contains(s.config, fmt.Sprintf("127.0.0.1:%d\n", s.port)) {
		t.Errorf("port %d was taken, the proxy has %d:\n%s", taken, s.port, s.config)
	}
	c := dial(t, s.port)
	ask(t, c, "PING\r\n", "+PONG\r\n")
	c.Close()
	if err := s.close(t.Context()); err != nil {
		t.Error(err)
	}
}

type brokenWriter struct{ after int }

var errBroken = errors.New("broken")

func (w *brokenWriter) Write(b []byte) (int, error) {
	if w.after--; w.after < 0 {
		return 0, errBroken
	}
	return len(b), nil
}

// TestOutputBreaks: nobody watches, so it ends, and leaves nothing.
func TestOutputBreaks(t *testing.T) {
	defer goleak.VerifyNone(t)
	for after := range 2 {
		ctx, cancel := context.WithTimeout(t.Context(), testLimit)
		if err := run(ctx, Options{Out: &brokenWriter{after}, Terminal: true}, 0, time.Millisecond); !errors.Is(err, errBroken) {
			t.Errorf("after %d writes: %v", after, err)
		}
		cancel()
	}
}

func TestRate(t *testing.T) {
	for _, c := range []struct {
		before, after uint64
		want          float64
	}{{100, 300, 100}, {300, 50, 25}} {
		if got := rate(counted{requests: c.before}, counted{requests: c.after}, 2*time.Second); got != c.want {
			t.Errorf("from %d to %d: %v per second, want %v", c.before, c.after, got, c.want)
		}
	}
}
