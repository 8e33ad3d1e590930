package packaging

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/cashew-proxy/cashew/internal/redistest"
	"github.com/cashew-proxy/cashew/test/harness"
)

// TestInitScript: what Debian's init script for nutcracker does, in its words, with a link to cashew in nutcracker's
// place: check, start, start again, status, reload, stop, and stop again.
func TestInitScript(t *testing.T) {
	dir := t.TempDir()
	build(t, dir, "v1.0.0")
	daemon, pidFile, log := filepath.Join(dir, "nutcracker"), filepath.Join(dir, "pid"), filepath.Join(dir, "log")
	if err := os.Symlink("cashew-v1.0.0", daemon); err != nil {
		t.Fatal(err)
	}
	file, listen := filepath.Join(dir, "nutcracker.yml"), filepath.Join(dir, "pool.sock")
	text := "alpha:\n  listen: " + listen + "\n  redis: true\n  servers:\n   - " + redistest.StartServer(t) + ":1\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	options := []string{"-c", file, "-o", log, "-p", pidFile, "-a", filepath.Join(dir, "stats.sock"), "-m", "2048", "-i", "1000", "-d"}
	control := func(want int, args ...string) {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), "start-stop-daemon", append([]string{"--quiet", "--pidfile", pidFile, "--exec", daemon}, args...)...)
		cmd.Env = append(os.Environ(), "PATH="+os.Getenv("PATH")+":/usr/sbin:/sbin")
		if out, err := cmd.CombinedOutput(); cmd.ProcessState == nil || cmd.ProcessState.ExitCode() != want {
			t.Fatalf("%q: %v, want exit code %d\n%s", args, err, want, out)
		}
	}
	t.Cleanup(func() { // whatever has gone wrong
		_ = exec.Command("/sbin/start-stop-daemon", "--quiet", "--stop", "--signal", "KILL", "--pidfile", pidFile, "--exec", daemon).Run()
	})
	start := append([]string{"--start", "--"}, options...)

	run(t, daemon, append([]string{"-t"}, options...)...)
	control(0, start...)
	// The command has returned, so it serves.
	if got := redistest.Dial(t, listen).Do("SET", "k", "v"); got != "+OK\r\n" {
		t.Errorf("SET: %q", got)
	}
	control(1, start...) // it runs already
	control(0, "--status")
	if err := os.Rename(log, log+".1"); err != nil {
		t.Fatal(err)
	}
	control(0, "--stop", "--signal", "HUP")
	harness.Eventually(t, harness.Limit, "the log is opened again", func() bool {
		b, err := os.ReadFile(log)
		return err == nil && strings.Contains(string(b), "log reopened")
	})
	number, err := os.ReadFile(pidFile)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := strconv.Atoi(string(number)); err != nil {
		t.Error(err)
	}
	if name, err := os.ReadFile("/proc/" + string(number) + "/comm"); err != nil || string(name) != "nutcracker\n" {
		t.Errorf("the process is called %q: %v", name, err)
	}
	control(0, "--stop", "--retry", "5")
	for _, left := range []string{pidFile, listen, filepath.Join(dir, "stats.sock")} {
		if _, err := os.Lstat(left); !os.IsNotExist(err) {
			t.Errorf("%s is left: %v", left, err)
		}
	}
	control(1, "--stop", "--retry", "5") // it does not run
	if err := os.WriteFile(file, []byte(strings.Replace(text, ":1\n", "\n", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	control(1, start...) // a mistake in the configuration is the script's exit code
}
