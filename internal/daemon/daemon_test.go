package daemon

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// start runs a daemon in the foreground that logs to a pipe, until it serves.
func start(t *testing.T, how string, f files) (*exec.Cmd, func(string)) {
	t.Helper()
	f.log = ""
	cmd := command(t, how, f)
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	wait := follow(t, stderr)
	wait("msg=started")
	return cmd, wait
}

func send(t *testing.T, cmd *exec.Cmd, s syscall.Signal) {
	t.Helper()
	if err := cmd.Process.Signal(s); err != nil {
		t.Fatal(err)
	}
}

func exitCode(t *testing.T, err error) int {
	t.Helper()
	var e *exec.ExitError
	if err != nil && !errors.As(err, &e) {
		t.Fatal(err)
	}
	if e != nil {
		return e.ExitCode()
	}
	return 0
}

func TestSignalStops(t *testing.T) {
	for _, s := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT} {
		f := newFiles(t, goodConfig)
		cmd, wait := start(t, "", f)
		if text, err := os.ReadFile(f.pid); err != nil || string(text) != strconv.Itoa(cmd.Process.Pid) {
			t.Errorf("pid file %q, %v; the process is %d", text, err, cmd.Process.Pid)
		}
		send(t, cmd, s)
		wait("fake shutdown")
		wait("msg=stopped")
		if code := exitCode(t, cmd.Wait()); code != 0 {
			t.Errorf("%v: exit code %d", s, code)
		}
		if _, err := os.Stat(f.pid); !os.IsNotExist(err) {
			t.Errorf("%v: the pid file is still there: %v", s, err)
		}
	}
}

// TestSecondSignalStopsAtOnce, and whatever the data plane has to clean up is cleaned up, if it still can.
func TestSecondSignalStopsAtOnce(t *testing.T) {
	for how, last := range map[string]string{"stubborn": "fake cleaned up", "stuck": "at once"} {
		f := newFiles(t, goodConfig)
		cmd, wait := start(t, how, f)
		send(t, cmd, syscall.SIGTERM)
		wait("fake shutdown")
		send(t, cmd, syscall.SIGINT)
		wait(last)
		if code := exitCode(t, cmd.Wait()); code != 1 {
			t.Errorf("%s: exit code %d", how, code)
		}
		if _, err := os.Stat(f.pid); !os.IsNotExist(err) {
			t.Errorf("%s: the pid file is still there: %v", how, err)
		}
	}
}

func TestShutdownTimeout(t *testing.T) {
	cmd, wait := start(t, "stubborn", newFiles(t, strings.Replace(goodConfig, "20000", "1", 1)))
	send(t, cmd, syscall.SIGTERM)
	wait("stopped before every client was served")
	if code := exitCode(t, cmd.Wait()); code != 0 {
		t.Errorf("exit code %d", code)
	}
}

// TestProxyEnds: a process without a data plane does not stay.
func TestProxyEnds(t *testing.T) {
	f := newFiles(t, goodConfig)
	cmd, wait := start(t, "breaks", f)
	wait("ended by itself")
	if code := exitCode(t, cmd.Wait()); code != 1 {
		t.Errorf("exit code %d", code)
	}
	if _, err := os.Stat(f.pid); !os.IsNotExist(err) {
		t.Errorf("the pid file is still there: %v", err)
	}
}

func TestOtherSignals(t *testing.T) {
	cmd, wait := start(t, "", newFiles(t, goodConfig))
	send(t, cmd, syscall.SIGUSR2)
	wait("signal without effect")
	send(t, cmd, syscall.SIGTTIN)
	wait("msg=verbosity level=6")
	for _, level := range []string{"5", "4", "3"} { // it is told even where events are not logged
		send(t, cmd, syscall.SIGTTOU)
		wait("msg=verbosity level=" + level)
	}
	for _, level := range []string{"4", "5"} {
		send(t, cmd, syscall.SIGTTIN)
		wait("msg=verbosity level=" + level)
	}
	send(t, cmd, syscall.SIGHUP) // no file, no effect
	wait("log reopened")
	send(t, cmd, syscall.SIGTERM)
	wait("msg=stopped")
	if code := exitCode(t, cmd.Wait()); code != 0 {
		t.Errorf("exit code %d", code)
	}
}

func contains(path, text string) func() bool {
	return func() bool {
		b, err := os.ReadFile(path)
		return err == nil && bytes.Contains(b, []byte(text))
	}
}

func TestReopenLog(t *testing.T) {
	f := newFiles(t, goodConfig)
	cmd := command(t, "", f)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the start is logged", contains(f.log, "msg=started"))
	if err := os.Rename(f.log, f.log+".1"); err != nil {
		t.Fatal(err)
	}
	send(t, cmd, syscall.SIGHUP)
	eventually(t, "the new log has a line", contains(f.log, "log reopened"))
	send(t, cmd, syscall.SIGTERM)
	if code := exitCode(t, cmd.Wait()); code != 0 {
		t.Errorf("exit code %d", code)
	}
	if !contains(f.log, "msg=stopped")() || contains(f.log+".1", "msg=stopped")() {
		t.Error("the last line is not in the new log only")
	}
}

// TestBackground starts a daemon in the background and ends it by its pid file.
func TestBackground(t *testing.T) {
	f := newFiles(t, goodConfig)
	cmd := command(t, "background", f)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if code := exitCode(t, cmd.Run()); code != 0 || stderr.Len() != 0 {
		t.Fatalf("exit code %d: %s", code, &stderr)
	}
	// The parent has returned, so the child serves already: nothing to wait for.
	text, err := os.ReadFile(f.pid)
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(string(text))
	if err != nil || pid == cmd.Process.Pid {
		t.Fatalf("the child is %d, the parent was %d: %v", pid, cmd.Process.Pid, err)
	}
	if !contains(f.log, "msg=started")() {
		t.Error("the log does not say that it has started")
	}
	ours, err := syscall.Getpgid(0)
	if err != nil {
		t.Fatal(err)
	}
	if group, err := syscall.Getpgid(pid); err != nil || group != pid || group == ours {
		t.Errorf("the child's process group is %d: %v", group, err)
	}
	if err := syscall.Kill(pid, syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the pid file is gone", func() bool { _, err := os.Stat(f.pid); return os.IsNotExist(err) })
	eventually(t, "the stop is logged", contains(f.log, "msg=stopped"))
}

// TestBackgroundFails: whoever starts a daemon sees why it does not start.
func TestBackgroundFails(t *testing.T) {
	for _, c := range []struct{ how, config, want string }{
		{"background fail", goodConfig, "daemon: the port is taken\n"},
		{"background", "p: {listen: nowhere}\n", "lists"},
		{"background", "", "the file is empty"},
	} {
		f := newFiles(t, c.config)
		cmd := command(t, c.how, f)
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		code := exitCode(t, cmd.Run())
		if c.want == "lists" {
			for _, want := range []string{`"nowhere" has no port`, `"servers" is missing`, "syntax is invalid\n"} {
				if !strings.Contains(stderr.String(), want) {
					t.Errorf("no %q in: %s", want, &stderr)
				}
			}
		} else if !strings.Contains(stderr.String(), c.want) {
			t.Errorf("no %q in: %s", c.want, &stderr)
		}
		if code != 1 {
			t.Errorf("%s: exit code %d", c.how, code)
		}
		if _, err := os.Stat(f.pid); !os.IsNotExist(err) {
			t.Errorf("%s: a pid file is left: %v", c.how, err)
		}
	}
}

// TestSecondDaemon: one that cannot start leaves the pid file of the one that runs.
func TestSecondDaemon(t *testing.T) {
	f := newFiles(t, goodConfig)
	if err := os.WriteFile(f.pid, []byte("12345"), 0o600); err != nil {
		t.Fatal(err)
	}
	if code := exitCode(t, command(t, "fail", f).Run()); code != 1 {
		t.Errorf("exit code %d", code)
	}
	if text, err := os.ReadFile(f.pid); err != nil || string(text) != "12345" {
		t.Errorf("the pid file has %q: %v", text, err)
	}
}

// TestContextStops, and what cannot be opened ends the start.
func TestContextStops(t *testing.T) {
	f := newFiles(t, goodConfig)
	base := Options{Program: "x", ConfigFile: f.config, LogFile: f.log, PidFile: f.pid, Verbosity: 5}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	for _, c := range []struct {
		change func(*Options)
		want   string
		code   int
	}{
		{func(*Options) {}, "", 0},
		{func(o *Options) { o.LogFile = filepath.Join(f.log, "x") }, "cannot open the log", 1},
		{func(o *Options) { o.PidFile = filepath.Join(f.log, "x") }, "cannot write the pid file", 1},
		{func(o *Options) { o.LogFile = filepath.Join(t.TempDir(), "none", "x") }, "the directory does not exist; make it, or name another file with -o", 1},
		{func(o *Options) { o.PidFile = filepath.Join(t.TempDir(), "none", "x") }, "the directory does not exist; make it, or name another file with -p", 1},
		{func(o *Options) { o.ConfigFile = f.log + "missing" }, "syntax is invalid", 1},
	} {
		var stderr bytes.Buffer
		o := base
		o.Stderr = &stderr
		c.change(&o)
		r := &run{Options: o, newProxy: fakeFor(""), ready: func() {}}
		if code := r.main(ctx); code != c.code || !strings.Contains(stderr.String(), c.want) || c.code == 0 && stderr.Len() > 0 {
			t.Errorf("exit code %d, %q; want %d, %q", code, &stderr, c.code, c.want)
		}
	}
}

// TestNotes: flags without effect in this version are named, in the log, and only if they were given.
func TestNotes(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	for _, given := range []bool{false, true} {
		f := newFiles(t, goodConfig)
		var stderr bytes.Buffer
		r := &run{
			Options: Options{
				Program: "x", ConfigFile: f.config, Verbosity: 5, IntervalGiven: given, MbufGiven: given, Stderr: &stderr,
			},
			newProxy: fakeFor(""), ready: func() {},
		}
		if code := r.main(ctx); code != 0 {
			t.Fatal(&stderr)
		}
		for _, want := range []string{"-i has no effect", "-m has no effect"} {
			if strings.Contains(stderr.String(), want) != given {
				t.Errorf("given %v: %q in %s", given, want, &stderr)
			}
		}
	}
}

// TestLogFormat: every line is JSON if the configuration wants that, and the start's are.
func TestLogFormat(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	for format, wants := range map[string]string{"text": "msg=started ", "json": `"msg":"started",`} {
		f := newFiles(t, strings.Replace(goodConfig, "{", "{log_format: "+format+", ", 1))
		r := &run{
			Options:  Options{Program: "x", ConfigFile: f.config, LogFile: f.log, Verbosity: 5, Stderr: io.Discard},
			newProxy: fakeFor(""), ready: func() {},
		}
		if code := r.main(ctx); code != 0 {
			t.Fatal(code)
		}
		text, err := os.ReadFile(f.log)
		if err != nil || !strings.Contains(string(text), wants) {
			t.Errorf("%s: %v\n%s", format, err, text)
		}
		for line := range strings.Lines(string(text)) {
			if json.Valid([]byte(line)) != (format == "json") {
				t.Errorf("%s: %s", format, line)
			}
		}
	}
}
