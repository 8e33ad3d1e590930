package control

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cashew-proxy/cashew/internal/config"
	"github.com/cashew-proxy/cashew/internal/proxy"
	"github.com/cashew-proxy/cashew/internal/topology"
)

// lines is a log.
type lines struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// What an operator wants of a server holds until he wants something else, across reloads too, and is told.
func TestOperator(t *testing.T) {
	const text = "p: {listen: 'LISTEN', servers: ['127.0.0.1:2:1 a', '127.0.0.1:3:1 b/:']}\n"
	dir := t.TempDir()
	listen := strings.Replace(text, "LISTEN", filepath.Join(dir, "p.sock"), 1)
	cfg := load(t, listen)
	log := new(lines)
	y := NewSystem(cfg, Build(cfg, 1), slog.New(slog.NewTextHandler(log, nil)))
	if err := y.Start(); err != nil {
		t.Fatal(err)
	}
	state := func(name string) (ejected bool, s ServerStatus) {
		at := y.Status()
		return at.Snapshot.Pool("p").Server(name).Ejected, at.Servers[topology.ServerID{Pool: "p", Name: name}]
	}
	for range 2 { // once more is no mistake
		if err := y.Eject("p", "b/:"); err != nil {
			t.Fatal(err)
		}
	}
	next, _, err := config.Load(write(t, dir, strings.Replace(listen, "p: {", "p: {timeout: 5, ", 1)), config.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := y.Reload(next); err != nil {
		t.Fatal(err)
	}
	if ejected, s := state("b/:"); !ejected || !s.Held {
		t.Errorf("ejected %v, %+v", ejected, s)
	}
	if ejected, s := state("a"); ejected || s.Held {
		t.Errorf("the other one is ejected %v, %+v", ejected, s)
	}
	if n := y.Ejections(0, 1).Number(); n != 1 {
		t.Errorf("%d ejections are counted", n)
	}
	for range 2 {
		if err := y.Readmit("p", "b/:"); err != nil {
			t.Fatal(err)
		}
	}
	if ejected, s := state("b/:"); ejected || s.Held {
		t.Errorf("ejected %v, %+v", ejected, s)
	}
	var missing proxy.NotFoundError
	for _, f := range []func(string, string) error{y.Eject, y.Readmit} {
		if err := f("q", "a"); !errors.As(err, &missing) || err.Error() != `no pool "q"` {
			t.Error(err)
		}
		if err := f("p", "c"); !errors.As(err, &missing) || err.Error() != `no server "c" in pool "p"` {
			t.Error(err)
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if err := y.Shutdown(ctx); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`level=WARN msg="server ejected by an operator" pool=p server=b/: address=127.0.0.1:3`,
		`level=WARN msg="server readmitted by an operator" pool=p server=b/:`,
	} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("no %s in\n%s", want, log)
		}
	}
	if err := y.Eject("p", "a"); !errors.Is(err, errEnded) {
		t.Error(err)
	}
	if s := y.Status(); len(s.Snapshot.Pools) != 1 || s.Servers != nil {
		t.Errorf("after the end: %+v", s)
	}
}

// Control that waits for a worker keeps nobody waiting who asks.
func TestBusyControlIsAsked(t *testing.T) {
	cfg := load(t, "p: {listen: '"+filepath.Join(t.TempDir(), "p.sock")+"', servers: ['127.0.0.1:2:1 a']}\n")
	y := NewSystem(cfg, Build(cfg, 1), slog.New(slog.DiscardHandler))
	if err := y.Start(); err != nil {
		t.Fatal(err)
	}
	busy, release := make(chan struct{}), make(chan struct{})
	go y.control.do(func(context.Context) { close(busy); <-release })
	<-busy
	if s := y.Status(); s.Servers != nil || len(s.Pools) != 1 {
		t.Errorf("%+v", s)
	}
	close(release)
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if err := y.Shutdown(ctx); err != nil {
		t.Fatal(err)
	}
}

// With crc32, which has 15 bits, ketama gives all keys to few.
func TestShares(t *testing.T) {
	p := Build(load(t, "p: {listen: 'h:1', hash: crc32, servers: ['h:1:1 a', 'h:2:1 b']}\n"), 1).Pools[0]
	if s := Shares(p, "crc32"); s[0]+s[1] != 1 || s[0] != 0 && s[1] != 0 {
		t.Errorf("%v", s)
	}
	if s := Shares(p, "crc32a"); s[0] < 0.3 || s[1] < 0.3 {
		t.Errorf("%v", s)
	}
}

func write(t *testing.T, dir, text string) string {
	t.Helper()
	path := filepath.Join(dir, "c.yml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
