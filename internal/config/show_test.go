package config

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// shownAs has texts for every key and what the value made of them is shown as: alternately one and
// the other. A list's elements are separated by "|".
var shownAs = map[string][]string{
	"listen": {
		"h:01", "h:1", "*:1", "127.0.0.1:1", "::1:2", "[::1]:2", "[fe80::1%eth0]:2", "[fe80::1%eth0]:2", "/s", "/s", "/s 777", "/s 0777",
		"/a b 0", "/a b 0000", "/a b 00600", "/a b 0600",
	},
	"servers": {
		"h:01:02|[::1]:11211:1|::1:6379:1 six|/s:3", "h:01:2|[::1]:11211:1|[::1]:6379:1 six|/s:3",
		"h:011211:1|::1:06379:1|h:1:1 |/a b:1 x", "h:11211:1|::1:06379:1|h:1:1 |/a b:1 x",
	},
	"redis":                   {"true", "true", "false", "false"},
	"hash":                    {"md5", "md5"},
	"hash_tag":                {"{}", "{}", "é", "é"},
	"distribution":            {"modula", "modula"},
	"cross_server":            {"refuse", "refuse", "first_key", "first_key"},
	"timeout":                 {"0400", "400", "0", "0"},
	"connect_timeout":         {"1", "1"},
	"client_idle_timeout":     {"2147483647", "2147483647"},
	"backlog":                 {"007", "7"},
	"reuseport":               {"true", "true"},
	"client_connections":      {"8", "8"},
	"server_connections":      {"9", "9"},
	"preconnect":              {"true", "true"},
	"coalesce_reads":          {"true", "true"},
	"tcpkeepalive":            {"true", "true"},
	"client_keepalive":        {"false", "false"},
	"redis_auth":              {"open sesame", hidden},
	"redis_auth_file":         {"open sesame", ""},
	"redis_user":              {"null", "null"},
	"redis_db":                {"03", "3"},
	"databases":               {"17", "17"},
	"on_server_error":         {"miss", "miss", "error", "error"},
	"allow_commands":          {"swapdb|flushdb|swapdb", "flushdb|swapdb"},
	"auto_eject_hosts":        {"true", "true"},
	"server_retry_timeout":    {"10", "10"},
	"server_failure_limit":    {"11", "11"},
	"eject_limit":             {"50", "50"},
	"on_eject":                {"fail", "fail", "rehash", "rehash"},
	"request_size_limit":      {"1024K", "1mb", "1025", "1025"},
	"request_arguments_limit": {"12", "12"},
	"inline_size_limit":       {"65536", "64kb"},
	"reply_nesting_limit":     {"13", "13"},
	"client_output_limit":     {"2G", "2gb"},
	"client_output_timeout":   {"14", "14"},
	"server_queue_limit":      {"3m", "3mb"},
	"slowlog_threshold":       {"100", "100"},
	"big_key_threshold":       {"4096", "4kb", "0", "0"},
	"hotkeys_sample":          {"8", "8"},
	"access_log_sample":       {"9", "9"},
	"threads":                 {"auto", "auto", "007", "7"},
	"memory_limit":            {"0", "0", "1536mb", "1536mb", "2048MB", "2gb"},
	"shutdown_timeout":        {"15", "15"},
	"log_format":              {"json", "json"},
	"watch":                   {"true", "true"},
	"admin":                   {"none", "none", "/run/a b 0600", "/run/a b 0600", "[::1]:022223", "[::1]:22223"},
	"admin_token":             {"open sesame", hidden},
	"admin_token_file":        {"open sesame", ""},
}

func TestEveryKeyIsShown(t *testing.T) {
	checkShown(t, poolKeys)
	checkShown(t, processKeys)
	if n := len(poolKeys) + len(processKeys); len(shownAs) != n {
		t.Errorf("there are %d keys, and texts for %d", n, len(shownAs))
	}
}

func checkShown[T any](t *testing.T, table []key[T]) {
	t.Helper()
	for i := range table {
		k := &table[i]
		if len(shownAs[k.name]) == 0 {
			t.Errorf("there is no text for %s", k.name)
		}
		for pair := range slices.Chunk(shownAs[k.name], 2) {
			var into T
			for text := range strings.SplitSeq(pair[0], "|") {
				s := scalar{text: text}
				if problem := k.as.set(&into, value{scalar: s, items: []scalar{s}}); problem != "" {
					t.Errorf("%s refuses %q: %s", k.name, text, problem)
				}
			}
			if got := strings.Join(k.shown(&into), "|"); got != pair[1] {
				t.Errorf("%s: %q is shown as %q, want %q", k.name, pair[0], got, pair[1])
			}
		}
	}
}

// sameConfig leaves out what Show cannot give back: the spelling of an address, and where files are.
var sameConfig = cmp.Options{cmpopts.IgnoreFields(Listen{}, "Text"), cmpopts.IgnoreFields(Config{}, "Path"), cmpopts.IgnoreUnexported(Config{})}

// checkShow proves that a Config comes back from what Show makes of it, but for passwords.
func checkShow(t *testing.T, c *Config) {
	t.Helper()
	text := c.Show()
	again, _, err := parse("shown.yml", text, Options{}, readSecret)
	if err != nil {
		t.Fatalf("it does not load again: %v\n%s", err, text)
	}
	if had := c.Process.AdminToken != ""; had != (again.Process.AdminToken == hidden) {
		t.Fatalf("the token is shown as %q", again.Process.AdminToken)
	}
	again.Process.AdminToken = c.Process.AdminToken
	for i, p := range again.Pools {
		if had := i < len(c.Pools) && c.Pools[i].RedisAuth != ""; had != (p.RedisAuth == hidden) {
			t.Fatalf("the password of %s is shown as %q", p.Name, p.RedisAuth)
		} else if had {
			p.RedisAuth = c.Pools[i].RedisAuth
		}
	}
	if diff := cmp.Diff(c, again, sameConfig); diff != "" {
		t.Errorf("it loads as another configuration (-want +got):\n%s\n%s", diff, text)
	}
	if changes := Diff(c, again); len(changes) > 0 {
		t.Errorf("there are changes: %v", changes)
	}
}

func TestShow(t *testing.T) {
	secret := func(string) (string, error) { return "s3cret\n", nil }
	for _, file := range corpus(t, "good", 9) {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, compat := range []bool{false, true} {
			c, _, err := parse(file, text, Options{Compat: compat}, secret)
			if err != nil {
				t.Fatal(err)
			}
			checkShow(t, c)
			if strings.Contains(string(c.Show()), "s3cret") {
				t.Errorf("%s: the password is shown", file)
			}
		}
	}
}

// TestShowWords: what is shown is the file that a person would write.
func TestShowWords(t *testing.T) {
	c := mustLoad(t, `
"my pool": {listen: "::1:1", hash_tag: "{}", redis: true, redis_auth: "geheim", servers: ["::1:6379:2 one", "h:1:1"]}
`)
	got := string(c.WithMemoryLimit(3 << 30).Show())
	for _, want := range []string{
		"cashew:\n  threads: auto\n  memory_limit: 3gb\n", "\nmy pool:\n  listen: '[::1]:1'\n", "  servers:\n    - h:1:1\n    - '[::1]:6379:2 one'\n",
		"  hash_tag: '{}'\n", "  redis_auth: '***'\n", "  databases: 16\n",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
	for _, bad := range []string{"geheim", "on_server_error", "redis_auth_file", "allow_commands", "redis_user"} {
		if strings.Contains(got, bad) {
			t.Errorf("%q in\n%s", bad, got)
		}
	}
}

// TestYAMLText: any text that a file can give comes back as a name and as a value.
func TestYAMLText(t *testing.T) {
	for _, text := range []string{
		"a", "a b", "a:b", "a: b", "a:", ":a", "a #b", "#a", "-", "- a", "-a", "a-", "---", "...", "<<", "~", "null", "true", "0123", "1e3", "1_000", "0x10", "0o7", "1.0", ".5", "12:30", "2001-01-01", ".inf", "\u00ff", "\ufffd",
		"é", "服务器 一", "🥜", "it's", "''", `"`, `a"b`, `\`, `a\n`, "tab\there", "new\nline", "\r", "\x00", "\x7f", "\u0085", "\u2028", "\ufeff", "\u00a0",
		" a", "a ", "a  b", "{}", "[]", "{a", "*a", "&a", "!a", "!!str a", "|", ">", "%a", "@a", "`a", "?", "? a", "a,b", "=", "***", "/a b", "[::1]:1",
	} {
		for _, form := range []string{yamlText(text) + ": x\n", "x: " + yamlText(text) + "\n", "x:\n  - " + yamlText(text) + "\n"} {
			doc, bad := readYAML([]byte(form))
			if bad != nil {
				t.Errorf("%q is written %q: %s", text, form, bad.text)
				continue
			}
			entries, ok := doc.entries(doc.root)
			if !ok || len(entries) != 1 {
				t.Errorf("%q is written %q, which is no entry", text, form)
				continue
			}
			v, _ := doc.valueOf(entries[0].value, true)
			if got := []string{entries[0].key.text, v.items[0].text}; !slices.Contains(got, text) || !slices.Contains(got, "x") {
				t.Errorf("%q is written %q and read as %q", text, form, got)
			}
		}
	}
}

// JSON has the same values as the file: numbers and booleans as such, everything else as it is written.
func TestJSON(t *testing.T) {
	c := mustLoad(t, "cashew: {admin: none, watch: true}\n\"0123\":\n  listen: h:1\n  servers: [\"h:1:1 ü\", h:2:1]\n  redis: true\n"+
		"  redis_user: 0123\n  redis_auth: secret\n  timeout: 400\n  request_size_limit: 1mb\n")
	text, err := JSON(c.Show())
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]map[string]any
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	p := got["0123"]
	for name, want := range map[string]any{
		"servers": []any{"h:1:1 ü", "h:2:1"}, "redis": true, "redis_user": "0123", "redis_auth": hidden, "timeout": 400.0, "request_size_limit": "1mb",
	} {
		if diff := cmp.Diff(want, p[name]); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
	if process := got[processName]; process["watch"] != true || process["admin"] != "none" {
		t.Errorf("%v", process)
	}
	for _, text := range []string{"a: [", "a: b", "", "- a"} {
		if b, err := JSON([]byte(text)); err == nil {
			t.Errorf("%q is %s", text, b)
		}
	}
}
