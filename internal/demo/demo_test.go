package demo

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/cashew-proxy/cashew/internal/control"
	"github.com/cashew-proxy/cashew/internal/ring"
	"github.com/cashew-proxy/cashew/internal/topology"
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

// portsOf finds the proxy's ports in the introduction.
func portsOf(t *testing.T, introduction string) (port, cachePort int) {
	t.Helper()
	_, err := fmt.Sscanf(introduction, "cashew listens on 127.0.0.1:%d for 3 Redis servers inside this process,\nand on 127.0.0.1:%d for",
		&port, &cachePort)
	if err != nil {
		t.Fatalf("%v: %s", err, introduction)
	}
	return port, cachePort
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
		for _, want := range []string{"redis: true\n", "distribution: ketama\n", "redis-cli -p", "mget apple pear fig plum", "redis-benchmark -p", `printf 'set a 0 0 1\r\nx\r\nget a\r\nquit\r\n' | nc 127.0.0.1 `} {
			if !strings.Contains(text, want) {
				t.Errorf("the introduction lacks %q:\n%s", want, text)
			}
		}
		for line := range strings.Lines(text) {
			if len(line) > 80 {
				t.Errorf("%d columns: %s", len(line), line)
			}
		}
		until(t, lines, " 0 clients  keys: Redis 0 0 0  memcached 0 0")
		port, cachePort := portsOf(t, text)
		c := dial(t, port)
		ask(t, c, "SET user:1 Ada\r\nGET user:1\r\n", "+OK\r\n$3\r\nAda\r\n")
		ask(t, c, "COMMAND DOCS\r\n", "-ERR unknown command 'COMMAND'\r\n") // redis-cli asks this
		ask(t, c, "MSET apple 1 pear 2 fig 3 plum 4\r\n", "+OK\r\n")
		ask(t, c, "MGET plum fig pear apple nothing\r\n", "*5\r\n$1\r\n4\r\n$1\r\n3\r\n$1\r\n2\r\n$1\r\n1\r\n$-1\r\n")
		until(t, lines, " 1 clients  keys: Redis "+wantKeys(t, text, 0, "user:1", "apple", "pear", "fig", "plum")+"  memcached 0 0")
		m := dial(t, cachePort)
		ask(t, m, "set a 0 0 1\r\nx\r\nget a\r\n", "STORED\r\nVALUE a 0 1\r\nx\r\nEND\r\n")
		ask(t, m, "set tea 0 0 1\r\ny\r\nget a tea b\r\n", "STORED\r\nVALUE a 0 1\r\nx\r\nVALUE tea 0 1\r\ny\r\nEND\r\n")
		until(t, lines, " 2 clients  keys: Redis "+wantKeys(t, text, 0, "user:1", "apple", "pear", "fig", "plum")+
			"  memcached "+wantKeys(t, text, 1, "a", "tea"))
		ask(t, m, "delete a noreply\r\nmd tea\r\nquit\r\n", "HD\r\n")
		m.Close()
		ask(t, c, "SET short x PX 1\r\nDEL user:1 apple pear fig plum\r\n", "+OK\r\n:5\r\n")
		c.Close()
		until(t, lines, " 0 clients  keys: Redis 0 0 0  memcached 0 0") // time passes for the servers
		if err := end(); err != nil {
			t.Errorf("terminal %v: %v", terminal, err)
		}
		if _, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port)); err == nil {
			t.Error("somebody still listens")
		}
	}
}

// wantKeys counts where the keys belong by the configuration that the introduction shows. They are keys
// that are said to be split over all servers of the pool.
func wantKeys(t *testing.T, introduction string, number int, keys ...string) string {
	t.Helper()
	_, rest, _ := strings.Cut(introduction, "\n\n")
	text, _, _ := strings.Cut(rest, "\n\n")
	cfg, err := load(text)
	if err != nil {
		t.Fatal(err)
	}
	pool := control.Build(cfg, 1).Pools[number]
	if pool.Distribution != ring.Ketama {
		t.Fatalf("the configuration shown is not the one described: %s", text)
	}
	names := slices.Concat(redisNames, cacheNames) // in which order they are shown
	var n []int
	for _, name := range names {
		if !slices.ContainsFunc(pool.Servers, func(s *topology.Server) bool { return s.Name == name }) {
			continue
		}
		owned := 0
		for _, key := range keys {
			if pool.Servers[pool.Ring.Pick(pool.Hash([]byte(key)))].Name == name {
				owned++
			}
		}
		n = append(n, owned)
	}
	if slices.Contains(n, 0) {
		t.Errorf("%v are not on all servers: %v", keys, n)
	}
	return strings.Trim(fmt.Sprint(n), "[]")
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
	if s.port == taken || s.cachePort == taken || !strings.Contains(s.config, fmt.Sprintf("127.0.0.1:%d\n", s.port)) {
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

// TestLineFits: with more of everything than a demonstration sees.
func TestLineFits(t *testing.T) {
	got := liveText(counted{clients: 999}, 9_999_999, []int{9_999, 10_000, 12_345_678}, []int{0, 999_999})
	if want := "9999999 requests/s 999 clients  keys: Redis 9999 10k 12M  memcached 0 999k"; got != want {
		t.Errorf("have %q, want %q", got, want)
	}
	widest := liveText(counted{clients: 999}, 9_999_999, []int{9_999, 123_456, 123_456}, []int{123_456, 123_456})
	if len(widest) > 79 { // the cursor needs a column, too
		t.Errorf("%d columns: %q", len(widest), widest)
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
