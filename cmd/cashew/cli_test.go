package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// binary is cashew, built once; as nutcracker it is called through a symlink.
var binary, asNutcracker string

func TestMain(m *testing.M) {
	os.Exit(buildAndRun(m))
}

func buildAndRun(m *testing.M) int {
	dir, err := os.MkdirTemp("", "cashew")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	binary, asNutcracker = filepath.Join(dir, "cashew"), filepath.Join(dir, "nutcracker")
	if out, err := exec.Command("go", "build", "-o", binary, ".").CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "%v: %s\n", err, out)
		return 1
	}
	if err := os.Symlink(binary, asNutcracker); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}

// files for the command lines below, in the directory where they are run.
var files = map[string]string{
	"ok.yml":       "alpha:\n  listen: 127.0.0.1:22121\n  servers:\n    - 127.0.0.1:6379:1 one\n    - 127.0.0.1:6380:1 two\n",
	"bad.yml":      "alpha:\n  listen: 127.0.0.1:22121\n  timeuot: 5\n  servers:\n    - 127.0.0.1:6379:0\n",
	"warn.yml":     "alpha:\n  listen: 127.0.0.1:22121\n  redis_db: 1\n  servers:\n    - 127.0.0.1:6379:1\n",
	"sentinel.yml": "alpha:\n  listen: 127.0.0.1:22121\n  sentinels:\n    - 127.0.0.1:26379:1\n",
	"scalar.yml":   "alpha:\n  listen: 127.0.0.1:22121\n  servers: 127.0.0.1:6379:1\n",
	"pipe.yml":     "alpha\n",
	"ports.yml":    "alpha:\n  listen: 127.0.0.1:0\n  servers:\n    - 127.0.0.1:6379:1\n",
	"next.yml":     "alpha:\n  listen: 127.0.0.1:22121\n  timeout: 250\n  servers:\n    - 127.0.0.1:6379:1 one\n    - 127.0.0.1:6381:1 two\n",
	"empty.yml":    "",
}

func workDir(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// call runs a program in dir and returns what it wrote and its exit code.
func call(t *testing.T, dir, program string, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	var out, err bytes.Buffer
	cmd := exec.Command(program, args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, &out, &err
	if e := cmd.Run(); e != nil {
		var exit *exec.ExitError
		if !errors.As(e, &exit) {
			t.Fatalf("%s: %v", program, e)
		}
		code = exit.ExitCode()
	}
	return out.String(), err.String(), code
}

// words splits a command line; ” is an empty word.
func words(line string) []string {
	args := strings.Fields(line)
	for i, a := range args {
		if a == "''" {
			args[i] = ""
		}
	}
	return args
}

// TestExitCodes compares exit codes with twemproxy's own binary, and the error line with what it
// says. No line starts a proxy. What differs on purpose (docs/from-twemproxy.md) is not here.
func TestExitCodes(t *testing.T) {
	real, err := exec.LookPath("nutcracker")
	if err != nil {
		t.Fatal("nutcracker is missing: this test needs the distribution's package nutcracker")
	}
	dir := workDir(t)
	for _, line := range []string{
		"-h", "-V", "-D", "--help", "--version", "--describe-stats", "--desc", "-hV", "-tV -c bad.yml", "-tD", "-Dt -c bad.yml",
		"-t -c ok.yml", "-tc ok.yml", "-tcok.yml", "-t --conf-file=ok.yml", "-t --conf ok.yml", "--c=ok.yml --test",
		"word -t word -c ok.yml word", "-t -c ok.yml -- -x", "-c ok.yml -tv6", "-tv 99 -c ok.yml", "-tv 0 -c ok.yml",
		"-t -c bad.yml", "-t -c missing.yml", "-t -c sentinel.yml", "-t -c pipe.yml", "-t -c ports.yml",
		"-t -c empty.yml", "-t -c warn.yml", "-t -c .", "-t -c ''", "-t -c -", "-t -- -c ok.yml -c missing.yml",
		"-x", "-tx", "-xt", "-hx", "-?", "--bogus", "--help=3", "--s 1", "--st 3", "--ver", "--d", "--stats",
		"-v", "-v x", "-v ''", "-v -1", "-v +1", "-v 0x1", "--verbose", "--verbose=x", "-c", "-o", "-p", "-a",
		"-m 0", "-m 5", "-m 511", "-t -c ok.yml -m 512", "-t -c ok.yml -m 513", "-t -c ok.yml -m 16777216", "-m 16777217", "-m x", "-m",
		"-s 0", "-s 65536", "-s x", "-s -1", "-t -c ok.yml -s 1", "-t -c ok.yml -s 65535", "-i x", "-i", "-t -c ok.yml -i 0",
		"-t -c ok.yml -a ''", "-t -c ok.yml -a nonsense", "-t -c ok.yml -p ''", "-t -c ok.yml -o ''", "-t -c ok.yml -d",
	} {
		_, theirs, want := call(t, dir, real, words(line)...)
		stdout, ours, got := call(t, dir, asNutcracker, words(line)...)
		if got != want {
			t.Errorf("%s: exit code %d, nutcracker has %d:\n%s", line, got, want, ours)
		}
		if stdout != "" {
			t.Errorf("%s: wrote to standard output, nutcracker never does: %q", line, stdout)
		}
		if said := firstLine(theirs); strings.HasPrefix(said, "nutcracker: option") || strings.HasPrefix(said, "nutcracker: mbuf") {
			if firstLine(ours) != said {
				t.Errorf("%s: %q, nutcracker says %q", line, firstLine(ours), said)
			}
		}
		if strings.HasSuffix(strings.TrimSpace(theirs), "syntax is ok") && !strings.HasSuffix(ours, lastLine(theirs)) {
			t.Errorf("%s: %q, nutcracker says %q", line, ours, theirs)
		}
	}
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(s, "\n")
	return line
}

func lastLine(s string) string {
	lines := strings.SplitAfter(s, "\n")
	if len(lines) > 1 {
		return lines[len(lines)-2]
	}
	return s
}

// TestDescribeStats: programs read this text, so it is nutcracker's but for the banner.
func TestDescribeStats(t *testing.T) {
	real, err := exec.LookPath("nutcracker")
	if err != nil {
		t.Fatal("nutcracker is missing: this test needs the distribution's package nutcracker")
	}
	_, theirs, _ := call(t, ".", real, "-D")
	_, ours, _ := call(t, ".", asNutcracker, "-D")
	if firstLine(ours) != "This is nutcracker-0.5.0" {
		t.Errorf("the banner is %q", firstLine(ours))
	}
	_, theirs, _ = strings.Cut(theirs, "\n\n")
	_, ours, _ = strings.Cut(ours, "\n\n")
	if strings.ReplaceAll(theirs, "\r", "") != ours {
		t.Errorf("got:\n%s\nnutcracker has:\n%s", ours, theirs)
	}
}

// TestOutput checks what people read.
func TestOutput(t *testing.T) {
	dir := workDir(t)
	for _, c := range []struct {
		line           string
		code           int
		stdout, stderr string // parts; "" is nothing at all
	}{
		{"-t -c ok.yml", 0, "", "cashew: configuration file 'ok.yml' syntax is ok\n"},
		{"-t -c bad.yml", 1, "", `cashew: bad.yml:3:3: alpha: the key "timeuot" is unknown; did you mean "timeout"?
cashew: bad.yml:5:7: alpha.servers: the weight "0" is wrong; allowed: 1 to 2147483647 in host:port:weight
cashew: configuration file 'bad.yml' syntax is invalid
`},
		{"-t -c missing.yml", 1, "", "cashew: stat missing.yml: no such file or directory\ncashew: configuration file 'missing.yml' syntax is invalid\n"},
		{"-t -c scalar.yml", 0, "", "syntax is ok\n"}, // nutcracker wants a list here
		{"-t -c warn.yml", 0, "", "warning: warn.yml:3:13: alpha.redis_db: no effect in a memcached pool"},
		{"-c bad.yml", 1, "", "syntax is invalid\n"},
		{"-m 5", 1, "", "cashew: mbuf chunk size must be between 512 and 16777216 bytes\nUsage: cashew "},
		{"-h", 0, "", "-c, --conf-file=S      : configuration file (default: conf/nutcracker.yml)"},
		{"-h", 0, "", "(default: 127.0.0.1)"},
		{"-V", 0, "", "This is cashew-"},
		{"version", 0, "cashew ", ""},
		{"help", 0, "explain", ""},
		{"help ring", 0, "cashew ring -c FILE [--json] [POOL]", ""},
		{"word", 1, "", `no command "word"`},
		{"rnig", 1, "", `did you mean "ring"`},
		{"explain -c ok.yml alpha user:1", 0, `"user:1"`, ""},
		{"explain -c ok.yml alpha", 1, "", "cashew: wrong number of words; usage: cashew explain -c FILE [--json] POOL KEY...\n"},
		{"explain -c ok.yml beta k", 1, "", `no pool "beta" in ok.yml; it has: alpha`},
		{"explain -c bad.yml alpha k", 1, "", `cashew: bad.yml:3:3:`},
		{"ring -c bad.yml", 1, "", "\ncashew: bad.yml:5:7:"},
		{"help rnig", 1, "", `no command "rnig", did you mean "ring"`},
		{"version x", 1, "", "cashew: wrong number of words; usage: cashew version [--json]\n"},
		{"ring -c ok.yml", 0, "pool alpha: ketama", ""},
		{"ring --conf-file ok.yml alpha", 0, "two     127.0.0.1:6380  1       160", ""},
		{"version --json", 0, `"twemproxy": "0.5.0"`, ""},
		{"ring --json -c ok.yml", 0, `"points": 160,`, ""},
		{"explain --json -c ok.yml alpha user:1", 0, `"hashed": "user:1",`, ""},
		{"diff ok.yml ok.yml", 0, "no difference\n", ""},
		{"diff ok.yml next.yml", 1, "pool alpha: timeout: 0 -> 250\npool alpha: server two moved: 127.0.0.1:6380 -> 127.0.0.1:6381\n\npool   keys that move\nalpha  ", ""},
		{"diff --json ok.yml next.yml", 1, `"server": "two",`, ""},
		{"diff --json ok.yml ok.yml", 0, `"changes": [],`, ""},
		{"diff bad.yml sentinel.yml", 2, "", "cashew: bad.yml:3:3: "},
		{"diff bad.yml sentinel.yml", 2, "", "\ncashew: bad.yml:5:7: "},
		{"diff bad.yml sentinel.yml", 2, "", "\ncashew: sentinel.yml:"},
		{"diff ok.yml bad.yml", 2, "", "cashew: bad.yml:5:7: "},
		{"diff ok.yml missing.yml", 2, "", "cashew: stat missing.yml: no such file"},
		{"diff ok.yml", 2, "", "cashew: wrong number of words; usage: cashew diff [--json] OLD NEW\n"},
		{"diff --jsno ok.yml ok.yml", 2, "", "unknown flag"},
		{"help diff", 0, "--json", ""},
		{"ring -c ok.yml alpha beta", 1, "", "cashew ring -c FILE [--json] [POOL]\n"},
	} {
		stdout, stderr, code := call(t, dir, binary, words(c.line)...)
		if code != c.code {
			t.Errorf("%s: exit code %d, want %d", c.line, code, c.code)
		}
		if c.stdout == "" && stdout != "" || !strings.Contains(stdout, c.stdout) {
			t.Errorf("%s: standard output has no %q:\n%s", c.line, c.stdout, stdout)
		}
		if c.stderr == "" && stderr != "" || !strings.Contains(stderr, c.stderr) {
			t.Errorf("%s: standard error has no %q:\n%s", c.line, c.stderr, stderr)
		}
	}
	if _, stderr, _ := call(t, dir, asNutcracker, "-h"); !strings.Contains(stderr, "(default: 0.0.0.0)") {
		t.Errorf("under nutcracker's name the address is not nutcracker's:\n%s", stderr)
	}
	if _, stderr, _ := call(t, dir, binary, "-t", "-c", "bad.yml"); strings.Count(stderr, "syntax is invalid") != 1 {
		t.Errorf("the verdict is not there once:\n%s", stderr)
	}
}

// TestFlags checks where the values go.
func TestFlags(t *testing.T) {
	o, do, err := parseFlags("cashew", usual, words("-dv 7 -o log -c c.yml -s 1234 -i 50 -a ::1 -p pid -m 1024"))
	if err != nil || do != serve {
		t.Fatal(do, err)
	}
	if !o.Background || o.Verbosity != 7 || o.LogFile != "log" || o.ConfigFile != "c.yml" || o.StatsPort != 1234 ||
		!o.IntervalGiven || o.StatsAddress != "::1" || o.PidFile != "pid" || !o.MbufGiven || o.Compat {
		t.Errorf("%+v", o)
	}
	for _, line := range []string{"-v 12", "-v 99999999999999999999"} {
		if o, _, err := parseFlags("cashew", usual, words(line)); err != nil || o.Verbosity != 11 {
			t.Errorf("%s: %d, %v", line, o.Verbosity, err)
		}
	}
	// Numbers that wrap around in nutcracker are out of bounds here.
	for _, line := range []string{"-m 4294967808", "-s 4294967297", "-i 4294967297"} {
		if _, _, err := parseFlags("cashew", usual, words(line)); err == nil {
			t.Errorf("%s is accepted", line)
		}
	}
	for _, program := range []string{"cashew", "nutcracker"} {
		o, _, err := parseFlags(program, usual, nil)
		if err != nil || o.Compat != (program == "nutcracker") || (o.StatsAddress == "0.0.0.0") != o.Compat || o.IntervalGiven || o.MbufGiven || o.StatsPort != 22222 {
			t.Errorf("%s: %+v, %v", program, o, err)
		}
	}
}
