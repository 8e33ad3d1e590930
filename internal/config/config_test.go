package config

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// loadText parses text as a file without password files.
func loadText(t testing.TB, text string, o Options) (*Config, []Mistake, error) {
	t.Helper()
	return parse("test.yml", []byte(text), o, func(path string) (string, error) {
		return "", errors.New("no file " + path)
	})
}

func mustLoad(t testing.TB, text string) *Config {
	t.Helper()
	c, _, err := loadText(t, text, Options{})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// pool is a minimal valid pool with more lines.
func poolText(lines ...string) string {
	return "p:\n  listen: 127.0.0.1:1\n  servers:\n    - 127.0.0.1:2:1\n  " + strings.Join(lines, "\n  ") + "\n"
}

// TestEveryDefault proves what decode relies on: that each key accepts its own defaults.
func TestEveryDefault(t *testing.T) {
	checkDefaults(t, poolKeys)
	checkDefaults(t, processKeys)
}

func checkDefaults[T any](t *testing.T, table []key[T]) {
	t.Helper()
	seen := map[string]bool{}
	for _, k := range table {
		if seen[k.name] {
			t.Errorf("%s is in the table twice", k.name)
		}
		seen[k.name] = true
		for _, text := range []string{k.fallback, k.compat} {
			if other, ok := strings.CutPrefix(text, "="); ok {
				if !seen[other] {
					t.Errorf("the default of %s is that of %s, which does not come before it", k.name, other)
				}
				continue
			}
			if text == "" {
				continue
			}
			var into T
			if problem := k.as.set(&into, value{scalar: scalar{text: text}}); problem != "" {
				t.Errorf("%s refuses its default: %s", k.name, problem)
			}
		}
		if k.help == "" || k.kind == "" || k.allowed == "" || k.since == "" || k.touches == "" {
			t.Errorf("%s lacks a column of the reference page", k.name)
		}
	}
}

func TestKeepAlive(t *testing.T) {
	for _, c := range []struct {
		lines           []string
		servers, client bool
	}{
		{nil, false, false},
		{[]string{"tcpkeepalive: true"}, true, true},
		{[]string{"tcpkeepalive: true", "client_keepalive: false"}, true, false},
		{[]string{"client_keepalive: true"}, false, true},
		{[]string{"client_keepalive: false", "tcpkeepalive: true"}, true, false},
	} {
		p := mustLoad(t, poolText(c.lines...)).Pools[0]
		if p.TCPKeepAlive != c.servers || p.ClientKeepAlive != c.client {
			t.Errorf("%v: servers %v, clients %v", c.lines, p.TCPKeepAlive, p.ClientKeepAlive)
		}
	}
}

func TestSizes(t *testing.T) {
	for text, want := range map[string]int64{
		"1024": 1024, "1k": 1 << 10, "1K": 1 << 10, "2kb": 2 << 10, "3Mb": 3 << 20, "4G": 4 << 30, "0064KB": 64 << 10,
		"": -1, "k": -1, "1 kb": -1, "1b": -1, "1kk": -1, "kb1": -1, "1.5m": -1, "-1k": -1, "0x10": -1, "1tb": -1,
		"1023": -1, "1025g": -1, "9223372036854775807": -1, "8589934592gb": -1, "17179869184gb": -1,
	} {
		got, problem := size(text, minBuffer, maxBuffer)
		if problem != "" {
			got = -1
		}
		if got != want {
			t.Errorf("size(%q) = %d (%s), want %d", text, got, problem, want)
		}
	}
	for _, n := range []int64{0, 1, 1023, 1024, 1025, 1 << 20, 5 << 30} {
		if got, problem := size(sizeText(n), 0, maxBuffer); got != n || problem != "" {
			t.Errorf("%d is written %q, which reads as %d (%s)", n, sizeText(n), got, problem)
		}
	}
}

func TestCompat(t *testing.T) {
	text := poolText("client_connections: 7")
	for _, compat := range []bool{false, true} {
		c, warnings, err := loadText(t, text, Options{Compat: compat})
		if err != nil {
			t.Fatal(err)
		}
		p := c.Pools[0]
		if p.FirstKey != compat || (p.ClientConnections == 0) != compat || len(warnings) == 1 != compat {
			t.Errorf("compat %v: first key %v, %d client connections, %v", compat, p.FirstKey, p.ClientConnections, warnings)
		}
	}
	c, _, err := loadText(t, poolText("cross_server: refuse"), Options{Compat: true})
	if err != nil || c.Pools[0].FirstKey {
		t.Errorf("cross_server as given does not win over the default: %v", err)
	}
}

// TestOrder: pools and servers come in twemproxy's order, whatever the file's.
func TestOrder(t *testing.T) {
	c := mustLoad(t, `
bb: {listen: "h:1", servers: ["h:10:1", "h:9:1", "h:11211:1", "/s:1", "h:1:1 zz"]}
c: {listen: "h:2", servers: "h:1:1"}
aa: {listen: "h:3", servers: "h:1:1"}
`)
	if got, want := c.PoolNames(), []string{"c", "aa", "bb"}; !slices.Equal(got, want) {
		t.Errorf("pools %q, want %q", got, want)
	}
	var got []string
	for _, s := range c.Pool("bb").Servers {
		got = append(got, s.Name)
	}
	if want := []string{"h", "zz", "/s:", "h:9", "h:10"}; !slices.Equal(got, want) {
		t.Errorf("servers %q, want %q", got, want)
	}
	if c.Pool("nobody") != nil {
		t.Error("a pool that is not there")
	}
}

func TestPasswordFile(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for _, c := range []struct{ contents, want string }{
		{"plain", "plain"},
		{"newline\n", "newline"},
		{"dos\r\n", "dos"},
		{"two\n\n", "two\n"},
		{" spaces \n", " spaces "},
	} {
		write("secret", c.contents)
		for _, path := range []string{"secret", filepath.Join(dir, "secret")} {
			file := write("c.yml", poolText("redis: true", "redis_auth_file: "+path))
			got, _, err := Load(file, Options{})
			if err != nil {
				t.Fatal(err)
			}
			if got.Pools[0].RedisAuth != c.want {
				t.Errorf("%q is the password %q, want %q", c.contents, got.Pools[0].RedisAuth, c.want)
			}
		}
	}
	write("secret", strings.Repeat("x", maxSecret+1))
	if _, _, err := Load(write("c.yml", poolText("redis: true", "redis_auth_file: secret")), Options{}); err == nil {
		t.Error("a password of more than 64 KiB loads")
	}
}

// TestUnreadable: what is no file is an error that is not a list of mistakes.
func TestUnreadable(t *testing.T) {
	for _, path := range []string{"", "testdata", "testdata/missing.yml", os.DevNull} {
		_, _, err := Load(path, Options{})
		var m Mistakes
		if err == nil || errors.As(err, &m) {
			t.Errorf("Load(%q): %v", path, err)
		}
	}
}

func TestWithLimits(t *testing.T) {
	c := mustLoad(t, "cashew: {memory_limit: 1mb}\n"+poolText())
	d := c.WithMemoryLimit(5).WithClientLimit(6)
	if c.Process.MemoryLimit != 1<<20 || c.Process.ClientLimit != 0 || d.Process.MemoryLimit != 5 || d.Process.ClientLimit != 6 || d.Process.ShutdownTimeout != 10*time.Second {
		t.Errorf("%+v, %+v", c.Process, d.Process)
	}
	if diff := cmp.Diff(c.Pools, d.Pools); diff != "" {
		t.Error(diff)
	}
}

func TestEditDistance(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{
		{"", "", 0},
		{"a", "a", 0},
		{"", "abc", 3},
		{"ab", "ba", 1},
		{"timeuot", "timeout", 1},
		{"kitten", "sitting", 3},
		{"abc", "abcdefghijkl", 4},
	} {
		if got := editDistance(c.a, c.b, 4); got != c.want {
			t.Errorf("editDistance(%q, %q) = %d, want %d", c.a, c.b, got, c.want)
		}
	}
}

// TestLineEnds: carriage returns before the newlines change nothing.
func TestLineEnds(t *testing.T) {
	for _, file := range corpus(t, "good", 9) {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		secret := func(string) (string, error) { return "s3cret\n", nil }
		unix, _, err := parse(file, text, Options{}, secret)
		if err != nil {
			t.Fatal(err)
		}
		dos, _, err := parse(file, []byte(strings.ReplaceAll(string(text), "\n", "\r\n")), Options{}, secret)
		if err != nil {
			t.Errorf("with carriage returns: %v", err)
			continue
		}
		if diff := cmp.Diff(unix, dos, cmpopts.IgnoreUnexported(Config{})); diff != "" {
			t.Errorf("%s with carriage returns (-without +with):\n%s", file, diff)
		}
	}
}

// TestEjectLimitForNobody: a share that is less than one server is told, because nothing else would tell it.
func TestEjectLimitForNobody(t *testing.T) {
	for _, c := range []struct {
		lines []string
		warns bool
	}{
		{[]string{"auto_eject_hosts: true", "eject_limit: 100"}, false},
		{[]string{"auto_eject_hosts: true", "eject_limit: 99"}, true},
		{[]string{"auto_eject_hosts: true", "eject_limit: 0"}, true},
		{[]string{"auto_eject_hosts: true"}, false},
		{[]string{"auto_eject_hosts: false", "eject_limit: 10"}, false},
	} {
		_, warnings, err := loadText(t, poolText(c.lines...), Options{})
		if err != nil {
			t.Fatal(err)
		}
		if warned := len(warnings) == 1 && strings.Contains(warnings[0].Text, "less than one server"); warned != c.warns {
			t.Errorf("%q: %v", c.lines, warnings)
		}
	}
}

// Files names the password files of a configuration that is wrong, too, and of a missing one what is known.
func TestFiles(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "c.yml")
	if err := os.WriteFile(file, []byte("cashew: {admin_token_file: /t}\n"+poolText("redis: maybe", "redis_auth_file: sub/pw")), 0o600); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string][]string{
		file:                        {file, "/t", filepath.Join(dir, "sub/pw")},
		filepath.Join(dir, "other"): {filepath.Join(dir, "other")},
	} {
		if got := Files(path); !slices.Equal(got, want) {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
