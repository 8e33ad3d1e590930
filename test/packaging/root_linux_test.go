package packaging

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const repository = "../.."

// limit bounds every program that is run.
const limit = 3 * time.Minute

// run runs a program that must succeed and returns what it has said.
func run(t *testing.T, program string, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, args...)
	// dpkg wants root's path.
	cmd.Env = append(os.Environ(), "PATH="+os.Getenv("PATH")+":/usr/sbin:/sbin", "LC_ALL=C")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", program, strings.Join(args, " "), err, out)
	}
	return string(out)
}

// build makes the program with a version, and its package.
func build(t *testing.T, dir, version string) (deb string) {
	t.Helper()
	binary := filepath.Join(dir, "cashew-"+version)
	cmd := exec.Command("go", "build", "-trimpath", "-buildvcs=false",
		"-ldflags", "-s -w -X github.com/cashew-proxy/cashew/internal/daemon.release="+version, "-o", binary, "./cmd/cashew")
	cmd.Dir, cmd.Env = repository, append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return strings.TrimSpace(run(t, repository+"/scripts/package.sh", version, dir, binary))
}

// root is a system of its own, with nothing but dpkg's book-keeping and two users.
type root string

func newRoot(t *testing.T) root {
	t.Helper()
	dir := t.TempDir()
	for _, d := range []string{"var/lib/dpkg/info", "var/lib/dpkg/updates", "var/lib/dpkg/triggers", "etc", "usr/sbin"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for name, text := range map[string]string{
		"var/lib/dpkg/status": "", "var/lib/dpkg/available": "",
		"etc/passwd": "root:x:0:0:root:/:/bin/sh\n", "etc/group": "root:x:0:\n",
		"etc/shadow": "root:*:20000:0:99999:7:::\n", "etc/gshadow": "root:*::\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if os.Getuid() != 0 {
		// Only root makes users, and gives files to their groups.
		for name, line := range map[string]string{
			"etc/passwd": fmt.Sprintf("cashew:x:%d:%d::/nonexistent:/usr/sbin/nologin\n", os.Getuid(), os.Getgid()),
			"etc/group":  fmt.Sprintf("cashew:x:%d:\n", os.Getgid()),
		} {
			f, err := os.OpenFile(filepath.Join(dir, name), os.O_APPEND|os.O_WRONLY, 0)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := f.WriteString(line); err != nil {
				t.Fatal(err)
			}
			if err := f.Close(); err != nil {
				t.Fatal(err)
			}
		}
	}
	return root(dir)
}

func (r root) path(name string) string { return filepath.Join(string(r), name) }

// dpkg works in the root. The scripts of a package run outside of it, told where it is, because there is
// no shell in it; of its dependencies there are none, either.
func (r root) dpkg(t *testing.T, args ...string) string {
	t.Helper()
	return run(t, "dpkg", append([]string{
		"--root=" + string(r), "--force-not-root", "--force-script-chrootless", "--force-depends", "--force-confold",
		"--log=" + r.path("dpkg.log"), "--path-include=/usr/share/*", // some systems leave manuals out
	}, args...)...)
}

func (r root) has(name string) bool {
	_, err := os.Lstat(r.path(name))
	return err == nil
}

func (r root) read(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(r.path(name))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// debianNutcracker is a package that owns what Debian's nutcracker owns.
func debianNutcracker(t *testing.T, dir string) (deb string) {
	t.Helper()
	stage := filepath.Join(dir, "nutcracker")
	for name, text := range map[string]string{
		"usr/sbin/nutcracker":               "#!/bin/sh\necho twemproxy\n",
		"usr/share/doc/nutcracker/NEWS":     "nothing\n",
		"lib/systemd/system/nutcracker.txt": "[Unit]\n",
		"DEBIAN/control": "Package: nutcracker\nVersion: 0.5.0\nArchitecture: all\n" +
			"Maintainer: x <x@example.org>\nDescription: twemproxy\n",
	} {
		path := filepath.Join(stage, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	deb = filepath.Join(dir, "nutcracker.deb")
	run(t, "dpkg-deb", "--root-owner-group", "--build", stage, deb)
	return deb
}
