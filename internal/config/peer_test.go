package config

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// nutcrackerAccepts asks twemproxy's own binary about a file.
func nutcrackerAccepts(t *testing.T, file string) bool {
	t.Helper()
	path, err := exec.LookPath("nutcracker")
	if err != nil {
		t.Fatal("nutcracker is missing: this test needs the distribution's package nutcracker")
	}
	err = exec.Command(path, "-t", "-c", file, "-o", "").Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return err == nil
}

// stricter are the files of the corpus that twemproxy accepts and we do not, each with the reason.
// They are in docs/from-twemproxy.md.
var stricter = map[string]string{
	"wrap.yml":                 "4294967301 wraps around to 5",
	"listen-mode.yml":          "a mode that is not octal counts as none",
	"server-host-colon.yml":    "the host is not looked at until it is used",
	"server-host-brackets.yml": "the same",
	"server-weight-wrap.yml":   "wraps around to 1",
	"server-weights-sum.yml":   "each weight is looked at alone",
	"server-host-missing.yml":  "the same",
	"pool-named-cashew.yml":    "the name is reserved here",
}

// TestBadFilesAgainstNutcracker: what we refuse is refused there as well, but for what is listed.
func TestBadFilesAgainstNutcracker(t *testing.T) {
	for _, file := range corpus(t, "bad", 70) {
		reason := stricter[filepath.Base(file)]
		if accepts := nutcrackerAccepts(t, file); accepts != (reason != "") {
			t.Errorf("%s: nutcracker accepts it: %v; the list says: %q", file, accepts, reason)
		}
	}
}

// pieces are values for each of twemproxy's keys, good ones and bad ones.
var pieces = map[string][]string{
	"listen": {
		"127.0.0.1:22121", "0.0.0.0:1", "::1:22121", "127.0.0.1:65535", "127.0.0.1:0", "127.0.0.1:65536", "127.0.0.1", "22121",
		":22121", "'*:22121'", "/tmp/x.sock", "/tmp/x.sock 0666", "/tmp/x.sock 777", "/tmp/x.sock 01777", "'127.0.0.1:22121 '",
		"127.0.0.1:022121", "127.0.0.1:+1", "127.0.0.1:1a", "/" + strings.Repeat("x", 106), "/" + strings.Repeat("x", 107), "/a b 0600",
	},
	"hash":                 {"fnv1a_64", "md5", "crc16", "crc32a", "hsieh", "murmur", "jenkins", "one_at_a_time", "FNV1A_64", "sha1", "''", "~"},
	"hash_tag":             {`"{}"`, `"$$"`, "ab", `"{"`, `"{}}"`, `"é"`, "'é}'", "'  '", "0x"},
	"distribution":         {"ketama", "modula", "random", "Ketama", "consistent", "ketama "},
	"timeout":              {"0", "400", "2147483647", "-1", "1.5", "10s", "0x10", "007", "''", "1 0", "+5", "2147483648"},
	"backlog":              {"0", "512", "many", "-5"},
	"client_connections":   {"0", "5", "x"},
	"tcpkeepalive":         {"true", "false", "'true'", "yes", "True", "1", "on"},
	"redis":                {"true", "false", "yes", "\"true\"", "TRUE"},
	"preconnect":           {"true", "false", "no"},
	"auto_eject_hosts":     {"true", "false", "off"},
	"server_connections":   {"1", "4", "0", "-1"},
	"server_retry_timeout": {"0", "2000", "x"},
	"server_failure_limit": {"0", "1", "3", "x"},
	"redis_db":             {"0", "3", "-1", "two"},
	"redis_auth":           {"secret", "0123", "'with space'", "\"\"", "~", "\"é\""},
	"sentinels":            {"x"},
	"Listen":               {"127.0.0.1:1"},
	"time_out":             {"5"},
}

var serverPieces = []string{
	"127.0.0.1:6379:1", "127.0.0.1:6380:1", "127.0.0.1:6379:2", "127.0.0.1:6379:1 one", "127.0.0.1:6381:1 one", "127.0.0.1:6382:1 two",
	"127.0.0.1:11211:1", "127.0.0.2:11211:3", "cache.example.net:11211:1", "cache.example.net:6379:10", "::1:6379:1", "fe80::1:11211:1",
	"'[::2]:6379:1'", "/tmp/a.sock:1", "/tmp/a.sock:1 one", "/tmp/b.sock:2", "'/tmp/with space.sock:1 three'", "/tmp/with space.sock:1",
	"127.0.0.1:6379:0", "127.0.0.1:6379:-1", "127.0.0.1:6379:1.5", "127.0.0.1:6379", "127.0.0.1", "127.0.0.1:0:1", "127.0.0.1:65536:1",
	"127.0.0.1:6379:1  two", "127.0.0.1:6379:1 two words", "'127.0.0.1:6379:1 '", "' 127.0.0.1:6379:1'", "127.0.0.1:06379:1",
	"127.0.0.1:6379:01", "/tmp/a:b:1", "/tmp/a.sock", "one", ":6379:1", "127.0.0.1::1", "127.0.0.1:6379:", "127.0.0.1:6379:1 naïve",
	"127.0.0.1:011211:1", "127.0.0.1:6379:2147483647", "localhost:6379:1 'one'", "\"127.0.0.1:6379:1\\ttab\"",
}

// differs are the values that are judged differently on purpose.
func differs(text string) bool {
	return strings.Contains(text, "timeout: 2147483648") || strings.Contains(text, "- :6379:1")
}

// randomPool writes a pool that is mostly right: the first third of each list of pieces is right.
func randomPool(r *rand.Rand, name string) string {
	pick := func(values []string) string {
		if r.IntN(30) > 0 {
			return values[r.IntN((len(values)+2)/3)]
		}
		return values[r.IntN(len(values))]
	}
	lines := []string{}
	for _, key := range sortedKeys(pieces) {
		rare := key == "sentinels" || key == "Listen" || key == "time_out"
		if key == "listen" && r.IntN(20) > 0 || rare && r.IntN(40) == 0 || !rare && key != "listen" && r.IntN(4) == 0 {
			lines = append(lines, "  "+key+": "+pick(pieces[key])+"\n")
		}
	}
	list := "  servers:\n"
	for range r.IntN(3) + 1 {
		list += "    - " + pick(serverPieces) + "\n"
	}
	lines = append(lines, list)
	if r.IntN(20) == 0 {
		lines = append(lines, lines[r.IntN(len(lines))]) // a key twice
	}
	r.Shuffle(len(lines), func(i, j int) { lines[i], lines[j] = lines[j], lines[i] })
	return name + ":\n" + strings.Join(lines, "")
}

func sortedKeys(m map[string][]string) []string {
	var keys []string
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// TestAgainstNutcracker writes random files in twemproxy's format and compares the verdicts.
func TestAgainstNutcracker(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 11))
	file := filepath.Join(t.TempDir(), "c.yml")
	valid := 0
	for i := range 600 {
		text := randomPool(r, "alpha")
		if r.IntN(4) == 0 {
			text += randomPool(r, []string{"beta", "alpha"}[r.IntN(2)])
		}
		if differs(text) {
			continue
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		_, _, err := Load(file, Options{Compat: true})
		if err == nil {
			valid++
		}
		if accepts := nutcrackerAccepts(t, file); accepts != (err == nil) {
			t.Errorf("file %d: nutcracker accepts it: %v; we say: %v\n%s", i, accepts, err, indent(text))
		}
	}
	if valid < 100 {
		t.Errorf("only %d of the files are valid: the comparison says little", valid)
	}
}

func indent(text string) string { return fmt.Sprint("\t", strings.ReplaceAll(text, "\n", "\n\t")) }
