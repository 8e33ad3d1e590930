package daemon

import (
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/cashew-proxy/cashew/internal/config"
)

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func withTimeout(ms string) string {
	return strings.Replace(goodConfig, "p: {", "p: {timeout: "+ms+", ", 1)
}

// SIGUSR1 has the file read again. What is wrong with it is told with its place, and what is in force stays.
func TestSignalReloads(t *testing.T) {
	f := newFiles(t, goodConfig)
	cmd, wait := start(t, "", f)
	write(t, f.config, withTimeout("250"))
	send(t, cmd, syscall.SIGUSR1)
	wait(`msg="fake reload" timeout=250ms`)
	wait(`change="pool p: timeout: 0 -> 250"`)
	wait(`msg=reloaded because="user defined signal 1" changes=1 needs_restart=0`)
	write(t, f.config, strings.NewReplacer("250", "much", "listen", "lisen").Replace(withTimeout("250")))
	send(t, cmd, syscall.SIGUSR1)
	wait(`msg="not reloaded, nothing has changed"`)
	wait(`c.yml:2:14: p.timeout: \"much\" is not a number`)
	wait(`c.yml:2:20: p: the key \"lisen\" is unknown`)
	write(t, f.config, strings.Replace(withTimeout("250"), "cashew: {", "cashew: {log_format: json, ", 1))
	for range 2 { // it is not obeyed, so it is told each time
		send(t, cmd, syscall.SIGUSR1)
		wait(`level=WARN msg="configuration changed" change="cashew: log_format: text -> json; needs a restart"`)
		wait(`changes=1 needs_restart=1`)
	}
	send(t, cmd, syscall.SIGTERM)
	wait("timeout=20s")
	if code := exitCode(t, cmd.Wait()); code != 0 {
		t.Errorf("exit code %d", code)
	}
}

// What the data plane refuses is not in force: the next reload finds the same change.
func TestReloadIsRefused(t *testing.T) {
	f := newFiles(t, goodConfig)
	cmd, wait := start(t, "refuse", f)
	write(t, f.config, withTimeout("250"))
	for range 2 {
		send(t, cmd, syscall.SIGUSR1)
		wait(`msg="not reloaded, nothing has changed" because="user defined signal 1" error="the port is taken"`)
	}
	send(t, cmd, syscall.SIGTERM)
	if code := exitCode(t, cmd.Wait()); code != 0 {
		t.Errorf("exit code %d", code)
	}
}

// A file that is watched is reloaded when it has changed, also where its path is a link that leads elsewhere from
// now on; and so is a password file.
func TestWatchReloads(t *testing.T) {
	watched := func(timeout string) string {
		return strings.NewReplacer("cashew: {", "cashew: {watch: true, ", "p: {", "p: {redis: true, redis_auth_file: pw, ").Replace(withTimeout(timeout))
	}
	f := newFiles(t, "")
	dir := filepath.Dir(f.config)
	write(t, filepath.Join(dir, "pw"), "one")
	write(t, filepath.Join(dir, "first"), watched("1"))
	write(t, filepath.Join(dir, "second"), watched("2"))
	link := func(to string) {
		next := f.config + ".next"
		if err := os.Symlink(to, next); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(next, f.config); err != nil {
			t.Fatal(err)
		}
	}
	link("first")
	cmd, wait := start(t, "", f)
	link("second")
	wait(`change="pool p: timeout: 1 -> 2"`)
	wait(`msg=reloaded because="a file has changed" changes=1`)
	write(t, filepath.Join(dir, "pw"), "three")
	wait(`change="pool p: redis_auth: changed"`)
	wait(`msg=reloaded because="a file has changed" changes=1`)
	// One that does not want it is not watched from then on; a reload by hand is another matter.
	link("first")
	wait(`change="pool p: timeout: 2 -> 1"`)
	write(t, filepath.Join(dir, "first"), strings.Replace(watched("3"), "watch: true", "watch: false", 1))
	wait(`change="cashew: watch: true -> false"`)
	send(t, cmd, syscall.SIGTERM)
	if code := exitCode(t, cmd.Wait()); code != 0 {
		t.Errorf("exit code %d", code)
	}
}

// watching watches a configuration with a password file "pw", which is not there yet.
func watching(t *testing.T) (r *reloader, wait func(text string), edit func(name, text string)) {
	f := newFiles(t, strings.Replace(goodConfig, "cashew: {", "cashew: {watch: true, ", 1))
	read, written := io.Pipe()
	r = &reloader{path: f.config, apply: func(*config.Config) error { return nil }}
	r.log = slog.New(slog.NewTextHandler(written, &slog.HandlerOptions{Level: slog.LevelDebug}))
	r.load = func() (*config.Config, error) {
		c, _, err := config.Load(f.config, config.Options{})
		return c, err
	}
	var err error
	if r.current, err = r.load(); err != nil {
		t.Fatal(err)
	}
	end, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		r.watch(end)
	}()
	late := time.AfterFunc(time.Minute, func() { written.Close() })
	t.Cleanup(func() {
		late.Stop()
		close(end)
		read.Close()
		<-ended
	})
	return r, follow(t, read), func(name, text string) { write(t, filepath.Join(filepath.Dir(f.config), name), text) }
}

func withPassword(timeout string) string {
	return strings.NewReplacer("cashew: {", "cashew: {watch: true, ", "p: {", "p: {redis: true, redis_auth_file: pw, ").Replace(withTimeout(timeout))
}

// The files of the start are looked at once more, because who knows what has happened since. That is no reload.
func TestFirstLookIsNoReload(t *testing.T) {
	r, wait, _ := watching(t)
	wait("a file was touched, and nothing has changed")
	if got := r.reloads(); got != (Reloads{}) {
		t.Errorf("%+v", got)
	}
}

// A configuration that is refused for a password file which is not there is tried again when it is.
func TestWatchWaitsForAPasswordFile(t *testing.T) {
	r, wait, edit := watching(t)
	wait("nothing has changed")
	edit("c.yml", withPassword("7"))
	wait("the password file cannot be read")
	edit("pw", "geheim")
	wait(`change="pool p: timeout: 0 -> 7"`)
	wait("msg=reloaded")
	if got := r.reloads(); got.Failed != 1 || got.Succeeded != 1 {
		t.Errorf("%+v", got)
	}
	edit("pw", "another")
	wait(`change="pool p: redis_auth: changed"`)
}

// Password files that a reload by hand has named are watched from then on; what it has read is not read again.
func TestWatchAfterAReloadByHand(t *testing.T) {
	r, wait, edit := watching(t)
	wait("nothing has changed")
	edit("pw", "geheim")
	edit("c.yml", withPassword("7"))
	go func() {
		if _, err := r.reload("a hand", false); err != nil {
			t.Error(err)
		}
	}()
	wait("msg=reloaded")
	before := r.reloads()
	edit("pw", "another")
	wait(`change="pool p: redis_auth: changed"`)
	wait(`msg=reloaded because="a file has changed"`)
	if got := r.reloads(); got.Failed != 0 || got.Succeeded != before.Succeeded+1 {
		t.Errorf("%+v, and %+v before", got, before)
	}
}

// What a process says that it obeys is what it obeys.
func TestWhatNeedsARestartIsNotInForce(t *testing.T) {
	old := loadText(t, "a: {listen: \"h:1\", servers: [\"h:1:1\"]}\n")
	next := loadText(t, "cashew: {log_format: json, admin: 0.0.0.0:1, admin_token: x, watch: true}\n"+
		"a: {listen: \"h:1\", reuseport: true, timeout: 5, servers: [\"h:1:1\"]}\nb: {listen: \"h:2\", reuseport: true, servers: [\"h:1:1\"]}\n")
	force := next.InForceAfter(old)
	for _, c := range config.Diff(old, force) {
		if c.NeedsRestart {
			t.Errorf("in force: %v", c)
		}
	}
	left := 0
	for _, c := range config.Diff(force, next) {
		left++
		if !c.NeedsRestart {
			t.Errorf("not in force: %v", c)
		}
	}
	if left != 4 { // every key of the tables that needs one
		t.Errorf("%d changes wait for a restart", left)
	}
}
