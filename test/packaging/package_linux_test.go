package packaging

import (
	"bytes"
	"encoding/json"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cashew-proxy/cashew/internal/redistest"
	"github.com/cashew-proxy/cashew/test/harness"
)

const (
	program  = "usr/bin/cashew"
	link     = "usr/lib/cashew/nutcracker"
	conf     = "etc/cashew/cashew.yml"
	unit     = "usr/lib/systemd/system/cashew.service"
	ofDebian = "usr/sbin/nutcracker"
)

// TestLife: what becomes of a system on which cashew is installed, upgraded while it serves, and removed.
func TestLife(t *testing.T) {
	dir := t.TempDir()
	one, two := build(t, dir, "v1.0.0"), build(t, dir, "v1.1.0")
	if filepath.Base(one) == filepath.Base(two) || !strings.HasPrefix(filepath.Base(one), "cashew_1.0.0_") {
		t.Fatalf("the packages are %s and %s", one, two)
	}
	r := newRoot(t)
	r.dpkg(t, "--install", debianNutcracker(t, dir))
	r.dpkg(t, "--install", one)
	for _, name := range []string{
		program, link, conf, unit, "usr/share/man/man1/cashew.1.gz", "usr/share/bash-completion/completions/cashew",
		"usr/share/zsh/vendor-completions/_cashew", "usr/share/fish/vendor_completions.d/cashew.fish", "usr/share/doc/cashew/copyright", "usr/share/cashew/cashew.schema.json", ofDebian,
	} {
		if !r.has(name) {
			t.Errorf("%s is missing", name)
		}
	}
	if !strings.Contains(r.read(t, "etc/passwd"), "\ncashew:") {
		t.Error("the user cashew is missing")
	}
	info, err := os.Stat(r.path(conf))
	if err != nil || info.Mode().Perm() != 0o640 {
		t.Errorf("the configuration, which may hold passwords, has mode %v: %v", info.Mode(), err)
	}
	examples, err := filepath.Glob(r.path("usr/share/doc/cashew/examples/*.yml"))
	if err != nil || len(examples) != 2 {
		t.Errorf("the examples are %q: %v", examples, err)
	}
	for _, file := range append(examples, r.path(conf)) {
		if out := run(t, r.path(program), "-t", "-c", file); !strings.HasSuffix(out, "syntax is ok\n") || strings.Contains(out, "warning") {
			t.Errorf("%s: %s", file, out)
		}
	}
	if out := run(t, r.path(link), "-V"); !strings.HasPrefix(out, "This is nutcracker-0.5.0\nprovided by cashew-v1.0.0 ") {
		t.Errorf("the link is %s", out)
	}

	p, addr := r.serve(t)
	client := redistest.Dial(t, addr)
	r.dpkg(t, "--install", two)
	if got := client.Do("SET", "k", "v"); got != "+OK\r\n" {
		t.Errorf("in the middle of the upgrade: %q", got)
	}
	if !strings.Contains(r.read(t, conf), addr) {
		t.Error("the upgrade has replaced the configuration")
	}
	if strings.Count(r.read(t, "etc/passwd"), "\ncashew:") != 1 {
		t.Error("the user is not there once")
	}
	if out := run(t, r.path(program), "version"); out != "cashew v1.1.0\n" {
		t.Errorf("after the upgrade: %s", out)
	}
	if got := r.statistics(t); !strings.HasPrefix(got, `{"service":"cashew", `) || !strings.Contains(got, `"requests":1,`) || !json.Valid([]byte(got)) {
		t.Errorf("the statistics: %s", got)
	}
	p.Signal(t, os.Interrupt)
	if code := p.ExitCode(t); code != 0 {
		t.Errorf("exit code %d: %s", code, p.Err)
	}

	r.dpkg(t, "--remove", "cashew")
	for _, name := range []string{program, link, unit} {
		if r.has(name) {
			t.Errorf("%s is left", name)
		}
	}
	if !r.has(conf) || !r.has(ofDebian) {
		t.Error("the configuration, or what is not ours, is gone")
	}
	r.dpkg(t, "--purge", "cashew")
	if r.has("etc/cashew") || !r.has(ofDebian) {
		t.Error("purged: the configuration is left, or what is not ours is gone")
	}
}

// serve has the installed program serve with the installed configuration, whose addresses are changed.
func (r root) serve(t *testing.T) (p *harness.Process, addr string) {
	t.Helper()
	server := redistest.StartServer(t)
	example := r.read(t, conf)
	const attempts = 5 // somebody else may take the port first
	for range attempts {
		addr = harness.FreeAddr(t)
		text := strings.NewReplacer("127.0.0.1:22121", addr, "127.0.0.1:6379", server).Replace(example) + "\ncashew: {admin: none}\n"
		if err := os.WriteFile(r.path(conf), []byte(text), 0o640); err != nil {
			t.Fatal(err)
		}
		p = harness.Run(t, r.path(program), "-c", r.path(conf), "-a", r.path("stats.sock"))
		harness.Eventually(t, harness.Limit, "cashew has started or ended", func() bool { return p.Err.Has("msg=started") || p.Ended() })
		if !p.Ended() {
			return p, addr
		}
	}
	t.Fatalf("cashew did not start: %s", p.Err)
	return nil, ""
}

// statistics are what the running program says at its unix socket.
func (r root) statistics(t *testing.T) string {
	t.Helper()
	c, err := net.Dial("unix", r.path("stats.sock"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(harness.Limit)); err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(c)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// TestInPlaceOfDebians: the way to put cashew in nutcracker's place, and back, that the documents show. It
// survives an upgrade of Debian's package.
func TestInPlaceOfDebians(t *testing.T) {
	dir := t.TempDir()
	r := newRoot(t)
	nutcracker := debianNutcracker(t, dir)
	r.dpkg(t, "--install", nutcracker)
	r.dpkg(t, "--install", build(t, dir, "v1.0.0"))
	divert := func(args ...string) {
		run(t, "dpkg-divert", append([]string{"--root=" + string(r), "--local", "--rename"}, args...)...)
	}
	// In a root that is not "/" the link has to be relative.
	divert("--divert", "/usr/sbin/nutcracker.twemproxy", "--add", "/usr/sbin/nutcracker")
	if err := os.Symlink("../bin/cashew", r.path(ofDebian)); err != nil {
		t.Fatal(err)
	}
	r.dpkg(t, "--install", nutcracker)
	if out := run(t, r.path(ofDebian), "-V"); !strings.Contains(out, "provided by cashew-v1.0.0") {
		t.Errorf("in nutcracker's place is %s", out)
	}
	if err := os.Remove(r.path(ofDebian)); err != nil {
		t.Fatal(err)
	}
	divert("--remove", "/usr/sbin/nutcracker")
	if out := run(t, r.path(ofDebian), "-V"); out != "twemproxy\n" {
		t.Errorf("after the way back: %s", out)
	}
}

// TestSameBytes: who builds the same sources gets the same package.
func TestSameBytes(t *testing.T) {
	var all [2][]byte
	for i := range all {
		b, err := os.ReadFile(build(t, t.TempDir(), "0.1.0-3-gabcdef"))
		if err != nil {
			t.Fatal(err)
		}
		all[i] = b
	}
	if !bytes.Equal(all[0], all[1]) {
		t.Error("two packages of the same sources differ")
	}
}

// TestVersions: whatever git calls a state, Debian takes it, and a release is newer than what came before.
func TestVersions(t *testing.T) {
	dir := t.TempDir()
	last := ""
	for _, c := range []struct{ git, debian string }{
		{"c174307-dirty", "0~c174307+dirty"},
		{"dev", "0~dev"},
		{"v0.9.0", "0.9.0"},
		{"v1.0.0-rc.1", "1.0.0~rc.1"},
		{"v1.0.0", "1.0.0"},
		{"v1.0.0-2-gabc1234", "1.0.0+2+gabc1234"},
		{"v1.2.3-4-gabc1234", "1.2.3+4+gabc1234"},
	} {
		// The program does not matter here: any file will do.
		deb := strings.TrimSpace(run(t, repository+"/scripts/package.sh", c.git, dir, "scripts/package.sh"))
		version := strings.TrimSpace(run(t, "dpkg-deb", "--field", deb, "Version"))
		if version != c.debian {
			t.Errorf("%s is %s, want %s", c.git, version, c.debian)
		}
		if last != "" {
			run(t, "dpkg", "--compare-versions", last, "le", version)
		}
		last = version
	}
}
