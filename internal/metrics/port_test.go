package metrics

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// limit bounds every wait.
const limit = 20 * time.Second

// serve opens a port on which each reader gets another number.
func serve(t *testing.T, address string) *Port {
	t.Helper()
	p, err := Listen(address, 0)
	if err != nil {
		t.Fatal(err)
	}
	var n atomic.Int64
	p.Serve(func() []byte { return []byte(fmt.Sprintf("{%d}\n", n.Add(1))) })
	t.Cleanup(p.Close)
	return p
}

func dial(t *testing.T, p *Port) net.Conn {
	t.Helper()
	network := "tcp"
	if filepath.IsAbs(p.Address()) {
		network = "unix"
	}
	c, err := net.DialTimeout(network, p.Address(), limit)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if err := c.SetDeadline(time.Now().Add(limit)); err != nil {
		t.Fatal(err)
	}
	return c
}

// all says something, reads to the end and closes.
func all(t *testing.T, p *Port, say string) string {
	t.Helper()
	c := dial(t, p)
	defer c.Close()
	if _, err := io.WriteString(c, say); err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(c)
	if err != nil {
		t.Errorf("after %q: %v", b, err)
	}
	return string(b)
}

func TestReaders(t *testing.T) {
	for _, address := range []string{"127.0.0.1", "::1", filepath.Join(t.TempDir(), "stats.sock")} {
		p := serve(t, address)
		for i, say := range []string{"", "stats\n", "GARBAGE\r\n\r\n", strings.Repeat("Y", maxRequest), "\x00"} {
			if got, want := all(t, p, say), fmt.Sprintf("{%d}\n", i+1); got != want {
				t.Errorf("%s: %.20q got %q, want %q", address, say, got, want)
			}
		}
	}
}

// TestHalfARequest: who begins like HTTP and ends there gets what all get.
func TestHalfARequest(t *testing.T) {
	p := serve(t, "127.0.0.1")
	c := dial(t, p)
	if _, err := io.WriteString(c, "GET /"); err != nil {
		t.Fatal(err)
	}
	if err := c.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if b, err := io.ReadAll(c); err != nil || string(b) != "{1}\n" {
		t.Errorf("%q, %v", b, err)
	}
}

func TestHTTP(t *testing.T) {
	p := serve(t, "127.0.0.1")
	got := all(t, p, "GET / HTTP/1.0\r\n\r\n")
	want := "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 4\r\nCache-Control: no-store\r\nContent-Type: application/json\r\n\r\n{1}\n"
	if got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
	client := &http.Client{Timeout: limit, Transport: &http.Transport{DisableKeepAlives: true}}
	defer client.CloseIdleConnections()
	for _, c := range []struct {
		method, path, body string
		code               int
		length             int64
	}{
		{"GET", "/anything?a=b", "{2}\n", 200, 4},
		{"HEAD", "/", "", 200, 4},
		{"POST", "/", "", 405, 0},
		{"GET", "/", "{4}\n", 200, 4},
	} {
		request, err := http.NewRequestWithContext(t.Context(), c.method, "http://"+p.Address()+c.path, nil)
		if err != nil {
			t.Fatal(err)
		}
		r, err := client.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(r.Body)
		r.Body.Close()
		if err != nil || string(body) != c.body || r.StatusCode != c.code || r.ContentLength != c.length {
			t.Errorf("%s %s: %d, length %d, %q, %v", c.method, c.path, r.StatusCode, r.ContentLength, body, err)
		}
		if c.code == 200 && r.Header.Get("Content-Type") != "application/json" {
			t.Errorf("%s %s: the type is %q", c.method, c.path, r.Header.Get("Content-Type"))
		}
	}
}

// TestManyReaders: those that say half a request and then nothing keep nobody from being served.
func TestManyReaders(t *testing.T) {
	p := serve(t, "127.0.0.1")
	for range 50 {
		if _, err := io.WriteString(dial(t, p), "GET / HTTP/1.1\r\n"); err != nil {
			t.Fatal(err)
		}
	}
	var wait sync.WaitGroup
	for range 50 {
		c := dial(t, p)
		wait.Add(1)
		go func() {
			defer wait.Done()
			line, err := bufio.NewReader(c).ReadString('\n')
			if err != nil || !strings.HasPrefix(line, "{") {
				t.Errorf("%q, %v", line, err)
			}
		}()
	}
	wait.Wait()
}

// TestClose ends readers in the middle of what they say; a second port can have the place at once.
func TestClose(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	for range 2 {
		p, err := Listen(path, 0)
		if err != nil {
			t.Fatal(err)
		}
		p.Serve(func() []byte { return nil })
		c := dial(t, p)
		if _, err := io.WriteString(c, "GET / HTTP/1.1\r\n"); err != nil {
			t.Fatal(err)
		}
		p.Close()
		if b, err := io.ReadAll(c); err == nil && len(b) > 0 {
			t.Errorf("after Close: %q", b)
		}
		if _, err := os.Lstat(path); !os.IsNotExist(err) {
			t.Error("the socket is left:", err)
		}
	}
}

func TestListenFails(t *testing.T) {
	taken := serve(t, "127.0.0.1")
	_, port, _ := net.SplitHostPort(taken.Address())
	n := 0
	if _, err := fmt.Sscan(port, &n); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for address, want := range map[string]string{
		"127.0.0.1": "Address already in use: another process listens there",
		file:        "there is a file that is not a socket",
		"192.0.2.1": "this machine has no such address",
	} {
		p, err := Listen(address, n)
		if err == nil {
			p.Close()
			t.Errorf("%s: no error", address)
		} else if !strings.HasPrefix(err.Error(), "statistics (-a, -s): listen on ") || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", address, err)
		}
	}
}

// Readers that say half a request and no more take no place from others: the port knows no queue.
func TestStuckReaders(t *testing.T) {
	p := serve(t, "127.0.0.1")
	const stuck = 4 * maxReaders
	for range stuck {
		if _, err := io.WriteString(dial(t, p), "GET / HTTP/1.1\r\n"); err != nil {
			t.Fatal(err)
		}
	}
	began := time.Now()
	for range 10 {
		if got := all(t, p, ""); !strings.HasPrefix(got, "{") {
			t.Fatalf("a reader among %d got %q", stuck, got)
		}
	}
	if took := time.Since(began); took >= forRequest {
		t.Errorf("ten readers took %v: they have waited for those that are stuck", took)
	}
}
