package daemon

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestStatistics: the port says what it is for as long as the process serves, and is gone then.
func TestStatistics(t *testing.T) {
	for compat, want := range map[bool]string{
		false: `{"service":"cashew", "source":"%s", "version":"` + Version() + `", "uptime":0, "timestamp":`,
		true:  `{"service":"nutcracker", "source":"%s", "version":"0.5.0", "uptime":0, "timestamp":`,
	} {
		f := newFiles(t, goodConfig)
		path := filepath.Join(t.TempDir(), "stats.sock")
		ctx, cancel := context.WithCancel(context.Background())
		ready, code := make(chan struct{}), make(chan int, 1)
		r := &run{
			Options: Options{
				Program: "x", ConfigFile: f.config, LogFile: f.log, Compat: compat, StatsAddress: path, StatsPort: 1,
				TwemproxyVersion: "0.5.0", Stderr: io.Discard,
			},
			newProxy: fakeFor(""), ready: func() { close(ready) },
		}
		go func() { code <- r.main(ctx) }()
		select {
		case <-ready:
		case <-time.After(20 * time.Second):
			t.Fatal("no start")
		}
		c, err := net.Dial("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(c)
		c.Close()
		host, hostErr := os.Hostname()
		if err != nil || hostErr != nil || !strings.HasPrefix(string(b), fmt.Sprintf(want, host)) || !strings.HasSuffix(string(b), "}\n") {
			t.Errorf("got %q, %v", b, err)
		}
		cancel()
		if n := <-code; n != 0 {
			t.Errorf("exit code %d", n)
		}
		if _, err := os.Lstat(path); !os.IsNotExist(err) {
			t.Errorf("the socket is left: %v", err)
		}
	}
}

// TestStatisticsTaken: no start without the port, and words about what to do.
func TestStatisticsTaken(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	f := newFiles(t, goodConfig)
	var stderr bytes.Buffer
	r := &run{
		Options: Options{
			Program: "x", ConfigFile: f.config, PidFile: f.pid, StatsAddress: "127.0.0.1",
			StatsPort: taken.Addr().(*net.TCPAddr).Port, Stderr: &stderr,
		},
		newProxy: fakeFor(""), ready: func() { t.Error("it is ready") },
	}
	want := fmt.Sprintf("x: statistics (-a, -s): listen on %s: Address already in use: another process listens there", taken.Addr())
	if code := r.main(context.Background()); code != 1 || !strings.HasPrefix(stderr.String(), want) {
		t.Errorf("exit code %d: %s", code, &stderr)
	}
	if _, err := os.Stat(f.pid); !os.IsNotExist(err) {
		t.Errorf("a pid file is left: %v", err)
	}
}
