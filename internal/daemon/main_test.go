package daemon

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cashew-proxy/cashew/internal/admin"
	"github.com/cashew-proxy/cashew/internal/config"
	"github.com/cashew-proxy/cashew/internal/proxy"
)

// The tests of signals and of the background need a process of their own: this test binary, started
// once more with the variable set, behaves as a daemon whose data plane is a fake.
const actVariable = "CASHEW_TEST_ACT"

func TestMain(m *testing.M) {
	if how, ok := os.LookupEnv(actVariable); ok {
		os.Exit(act(how))
	}
	os.Exit(m.Run())
}

// act runs a daemon that takes its options from the command line: config, log, pid file; and words.
func act(how string) int {
	o := Options{
		Program: "daemon", ConfigFile: os.Args[1], LogFile: os.Args[2], PidFile: os.Args[3], Verbosity: 5,
		Background: strings.Contains(how, "background"), Compat: strings.Contains(how, "compat"), Stderr: os.Stderr,
	}
	r := &run{Options: o, newProxy: fakeFor(how), ready: func() {}}
	if o.Background {
		parent := readyPipe()
		if parent == nil {
			return startBackground(o)
		}
		r.enterBackground(parent)
	}
	return r.main(context.Background())
}

func fakeFor(how string) func(*config.Config, *slog.Logger) (Proxy, error) {
	return func(_ *config.Config, log *slog.Logger) (Proxy, error) {
		return &fakeProxy{how: how, log: log}, nil
	}
}

type fakeProxy struct {
	admin.System // what no test asks for
	how          string
	log          *slog.Logger
}

func (p *fakeProxy) Start() error {
	if strings.Contains(p.how, "fail") {
		return fmt.Errorf("the port is taken")
	}
	return nil
}

// Ended is at once for a proxy that breaks.
func (p *fakeProxy) Ended() <-chan struct{} {
	ended := make(chan struct{})
	if strings.Contains(p.how, "breaks") {
		close(ended)
	}
	return ended
}

func (p *fakeProxy) Reload(c *config.Config) error {
	if strings.Contains(p.how, "refuse") {
		return fmt.Errorf("the port is taken")
	}
	p.log.Info("fake reload", "timeout", c.Pools[0].Timeout)
	return nil
}

// Check is the error that Reload would have.
func (p *fakeProxy) Check(c *config.Config) error {
	if strings.Contains(p.how, "refuse") {
		return fmt.Errorf("the port is taken")
	}
	return nil
}

func (p *fakeProxy) Report() proxy.Report { return proxy.Report{} }

// Alive is at once.
func (p *fakeProxy) Alive() <-chan struct{} {
	turned := make(chan struct{})
	close(turned)
	return turned
}

// Shutdown of a stubborn proxy lasts until its time is up, that of a stuck one for ever.
func (p *fakeProxy) Shutdown(ctx context.Context) error {
	p.log.Info("fake shutdown")
	switch {
	case strings.Contains(p.how, "stubborn"):
		<-ctx.Done()
		p.log.Info("fake cleaned up")
		return ctx.Err()
	case strings.Contains(p.how, "stuck"):
		select {}
	}
	return nil
}

// files are a daemon's.
type files struct{ config, log, pid string }

func newFiles(t *testing.T, config string) files {
	t.Helper()
	dir := t.TempDir()
	f := files{filepath.Join(dir, "c.yml"), filepath.Join(dir, "log"), filepath.Join(dir, "pid")}
	if err := os.WriteFile(f.config, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	return f
}

const goodConfig = "cashew: {admin: none, shutdown_timeout: 20000}\np: {listen: \"127.0.0.1:1\", servers: \"127.0.0.1:2:1\"}\n"

// command is a daemon that is not started yet. It cannot outlive the test by more than a moment.
func command(t *testing.T, how string, f files) *exec.Cmd {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, exe, f.config, f.log, f.pid)
	cmd.Env = append(os.Environ(), actVariable+"="+how)
	return cmd
}

// follow returns a function that waits until the log says text. The log is the daemon's standard
// error, which ends with it: a text that never comes ends the wait as well.
func follow(t *testing.T, stderr io.Reader) func(text string) {
	lines := bufio.NewScanner(stderr)
	return func(text string) {
		t.Helper()
		var all []string
		for lines.Scan() {
			all = append(all, lines.Text())
			if strings.Contains(lines.Text(), text) {
				return
			}
		}
		t.Fatalf("the log ended without %q:\n%s", text, strings.Join(all, "\n"))
	}
}

// eventually waits for a condition of another process, which cannot be waited for otherwise.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.After(20 * time.Second)
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-deadline:
			t.Fatalf("not within 20 s: %s", what)
		case <-tick.C:
		}
	}
}
