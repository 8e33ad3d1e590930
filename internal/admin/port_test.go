package admin

import (
	"context"
	"encoding/json"
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

	"github.com/cashew-proxy/cashew/internal/config"
)

func listen(t *testing.T, l config.Listen, token string) *Server {
	t.Helper()
	s, err := Listen(l, token)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

var silent = slog.New(slog.DiscardHandler)

var anyPort = config.Listen{Network: "tcp", Address: "127.0.0.1:0"}

// The socket has the mode that was asked for, and is gone with the server.
func TestUnixSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "admin.sock")
	s := listen(t, config.Listen{Network: "unix", Address: path, Mode: 0o600}, "")
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 || s.Address() != path {
		t.Errorf("%v, %v, %s", info, err, s.Address())
	}
	f := newFake(t)
	s.Serve(Options{System: f, Process: f, Events: NewEvents(), Log: silent})
	client := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", path)
	}}}
	defer client.CloseIdleConnections()
	answer, err := client.Get("http://cashew/api/status")
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	var got Status
	if err := json.NewDecoder(answer.Body).Decode(&got); err != nil || got.Epoch != 7 || got.Memory.Heap == 0 || got.Memory.System < got.Memory.Heap || got.Now.IsZero() {
		t.Errorf("%+v, %v", got, err)
	}
	s.Close()
	if _, err := os.Lstat(path); !os.IsNotExist(err) {
		t.Errorf("the socket is left: %v", err)
	}
}

// An address that is taken is told in words that help.
func TestTaken(t *testing.T) {
	s := listen(t, anyPort, "")
	l := anyPort
	l.Address = s.Address()
	_, err := Listen(l, "")
	if want := fmt.Sprintf("admin: listen on %s: Address already in use: another process listens there", s.Address()); err == nil || !strings.HasPrefix(err.Error(), want) {
		t.Error(err)
	}
}

// Callers take turns: beyond so many at once they wait, and are answered.
func TestCallersTakeTurns(t *testing.T) {
	f := newFake(t)
	s := listen(t, anyPort, "")
	s.Serve(Options{System: f, Process: f, Events: NewEvents(), Log: silent})
	var quiet []net.Conn
	for range maxCallers {
		c, err := net.Dial("tcp", s.Address())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		quiet = append(quiet, c)
	}
	c, err := net.Dial("tcp", s.Address())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := io.WriteString(c, "GET /ready HTTP/1.0\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 12)
	_ = c.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
	if n, err := c.Read(b); err == nil {
		t.Errorf("it has its turn at once: %q", b[:n])
	}
	quiet[0].Close()
	_ = c.SetReadDeadline(time.Now().Add(limit))
	if _, err := io.ReadFull(c, b); err != nil || string(b) != "HTTP/1.0 200" {
		t.Errorf("%q, %v", b, err)
	}
}

// What a caller sends before it is understood is bounded; and at the end nobody is waited for.
func TestHeaderIsBounded(t *testing.T) {
	f := newFake(t)
	s := listen(t, anyPort, "")
	s.Serve(Options{System: f, Process: f, Events: NewEvents(), Log: silent})
	r, err := http.NewRequestWithContext(t.Context(), "GET", "http://"+s.Address()+"/ready", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("X", strings.Repeat("x", maxHeader+8192))
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	if answer.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
		t.Error(answer.Status)
	}
	http.DefaultClient.CloseIdleConnections()
	c, err := net.Dial("tcp", s.Address())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := io.WriteString(c, "GET /re"); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	s.Close()
	if d := time.Since(began); d > forGoodbye+limit/2 {
		t.Errorf("the end took %v", d)
	}
}

// Whoever waits for events is answered at the end.
func TestEndWakesWhoWaits(t *testing.T) {
	f, e := newFake(t), NewEvents()
	s := listen(t, anyPort, "")
	s.Serve(Options{System: f, Process: f, Events: e, Log: silent})
	got := make(chan string, 1)
	go func() {
		answer, err := http.Get("http://" + s.Address() + "/api/events?after=0&wait=30")
		if err != nil {
			got <- err.Error()
			return
		}
		defer answer.Body.Close()
		text, _ := io.ReadAll(answer.Body)
		got <- answer.Status + strings.TrimSpace(string(text))
	}()
	for deadline := time.Now().Add(limit); ; time.Sleep(time.Millisecond) {
		e.mu.Lock()
		waiting := e.more != nil
		e.mu.Unlock()
		if waiting || time.Now().After(deadline) {
			break
		}
	}
	s.Close()
	if text := <-got; text != "200 OK[]" {
		t.Error(text)
	}
	http.DefaultClient.CloseIdleConnections()
}

// A bug is told in the log, and costs one caller his answer.
func TestPanicIsLogged(t *testing.T) {
	f, e := newFake(t), NewEvents()
	s := listen(t, anyPort, "")
	s.Serve(Options{Process: f, Events: e, Log: slog.New(e.Tee(slog.DiscardHandler))}) // there is no System
	if answer, err := http.Get("http://" + s.Address() + "/api/status"); err == nil {
		answer.Body.Close()
		t.Error(answer.Status)
	}
	answer, err := http.Get("http://" + s.Address() + "/ready")
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	s.Close()
	http.DefaultClient.CloseIdleConnections()
	if all := e.newest(10); len(all) != 1 || all[0].Level != "ERROR" || !strings.Contains(all[0].Text, "panic serving") {
		t.Errorf("%+v", all)
	}
}
