package docs

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// build makes cashew in a directory of its own, with nutcracker as a link to it.
func build(t *testing.T) (dir string) {
	t.Helper()
	dir = t.TempDir()
	cmd := exec.Command("go", "build", "-o", filepath.Join(dir, "cashew"), "./cmd/cashew")
	cmd.Dir = root
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if err := os.Symlink("cashew", filepath.Join(dir, "nutcracker")); err != nil {
		t.Fatal(err)
	}
	return dir
}

// readersDir is a directory as somebody has who follows the pages: the README's configuration under
// the name that they use, and the examples.
func readersDir(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	files := map[string]string{"nutcracker.yml": read(t, "README.md").of("yaml")[0]}
	for _, name := range []string{"examples/cashew.yml", "examples/nutcracker.yml", "examples/cache.password"} {
		text, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			t.Fatal(err)
		}
		files[name] = string(text)
	}
	if err := os.Mkdir(filepath.Join(dir, "examples"), 0o700); err != nil {
		t.Fatal(err)
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// lines are the commands in blocks of shell, without comments.
func (p page) lines() (commands []string) {
	for _, text := range p.of("sh") {
		for line := range strings.Lines(text) {
			line, _, _ = strings.Cut(line, " #")
			if line = strings.TrimSpace(line); line != "" && line[0] != '#' {
				commands = append(commands, line)
			}
		}
	}
	return commands
}

// ending makes a command line one that ends by itself: who would serve only checks the
// configuration, who demonstrates does it briefly.
func ending(args []string) []string {
	switch {
	case args[1] == "demo":
		return append(args, "--duration", "10ms")
	case args[0] == "nutcracker" || strings.HasPrefix(args[1], "-"):
		return append(args, "-t")
	}
	return args
}

// TestCommandLines: what can be copied into a shell works.
func TestCommandLines(t *testing.T) {
	bin, dir, process := build(t), readersDir(t), adminAPI(t)
	n := 0
	for _, p := range pages(t) {
		for _, line := range p.lines() {
			args := strings.Fields(strings.ReplaceAll(line, "'", ""))
			if args[0] != "cashew" && args[0] != "nutcracker" {
				continue
			}
			if len(args) > 1 && args[1] == "diff" {
				continue // the files differ, which is no success to a shell: TestDiffExample has it
			}
			if len(args) > 1 && args[1] == "top" {
				continue // there is no terminal: TestConsole has it
			}
			if len(args) == 1 {
				t.Errorf("%s: %q serves whatever conf/nutcracker.yml says", p.path, line)
				continue
			}
			n++
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			args = ending(args)
			cmd := exec.CommandContext(ctx, filepath.Join(bin, args[0]), args[1:]...)
			cmd.Dir = dir
			cmd.Env = append(os.Environ(), "CASHEW_ADMIN="+process)
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("%s: %q: %v\n%s", p.path, line, err, out)
			}
			cancel()
		}
	}
	if n < 5 {
		t.Errorf("found only %d command lines", n)
	}
}

// TestDiffExample: the commands of the page write what the page shows.
func TestDiffExample(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(root, "docs/operations.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(text), "## Changing the configuration\n")
	blocks := fence.FindAllStringSubmatch(section, 2)
	if len(blocks) != 2 || blocks[0][1] != "sh" || blocks[1][1] != "text" {
		t.Fatal("the section does not begin with commands and what they write")
	}
	cmd := exec.CommandContext(t.Context(), "sh", "-c", blocks[0][2])
	cmd.Dir = readersDir(t)
	cmd.Env = append(os.Environ(), "PATH="+build(t)+string(filepath.ListSeparator)+os.Getenv("PATH"))
	out, _ := cmd.CombinedOutput()
	if code := cmd.ProcessState.ExitCode(); code != 1 || string(out) != blocks[1][2] {
		t.Errorf("exit code %d, want 1; the commands write\n%s\nthe page has\n%s", code, out, blocks[1][2])
	}
}

// TestCommandsExist: commands that the text mentions are cashew's.
func TestCommandsExist(t *testing.T) {
	bin := build(t)
	seen := map[string]bool{}
	for _, p := range pages(t) {
		for _, s := range p.spans() {
			args := strings.Fields(s)
			if len(args) < 2 || args[0] != "cashew" || seen[args[1]] {
				continue
			}
			seen[args[1]] = true
			verify := []string{args[1], "--help"}
			if args[1][0] == '-' {
				verify = []string{"-h", args[1]}
				if strings.ContainsAny(args[1][1:], "oacpsimv") { // it wants an argument
					verify = append(verify, "1024")
				}
			}
			if out, err := exec.Command(filepath.Join(bin, "cashew"), verify...).CombinedOutput(); err != nil {
				t.Errorf("%s: `%s`: %v\n%s", p.path, s, err, out)
			}
		}
	}
	for _, want := range []string{"-t", "explain", "ring", "demo", "diff"} {
		if !seen[want] {
			t.Errorf("no page mentions cashew %s", want)
		}
	}
}

var (
	target  = regexp.MustCompile(`(?m)^([a-z-]+):`)
	makeUse = regexp.MustCompile(`^make ([a-z-]+)( |$)`)
)

// TestMakeTargets: what pages have people make can be made.
func TestMakeTargets(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(root, "Makefile"))
	if err != nil {
		t.Fatal(err)
	}
	targets := map[string]bool{}
	for _, m := range target.FindAllStringSubmatch(string(text), -1) {
		targets[m[1]] = true
	}
	used := 0
	for _, p := range pages(t) {
		for _, s := range append(p.spans(), p.lines()...) {
			if m := makeUse.FindStringSubmatch(s); m != nil {
				used++
				if !targets[m[1]] {
					t.Errorf("%s: no target for %q", p.path, s)
				}
			}
		}
	}
	if used < 5 || !targets["test"] {
		t.Errorf("found %d uses, targets %v", used, targets)
	}
}
