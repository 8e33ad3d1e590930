package config

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const before = `
cashew: {memory_limit: 1gb}
alpha:
  listen: 127.0.0.1:1
  redis: true
  timeout: 400
  hash_tag: "{}"
  allow_commands: [flushdb, swapdb]
  servers: [127.0.0.1:6379:1 one, "10.0.0.1:6379:1 two", "10.0.0.2:6379:1"]
gone: {listen: "h:2", servers: ["h:1:1", "h:2:1"]}
`

func TestDiff(t *testing.T) {
	for _, c := range []struct {
		name, old, new string // what is replaced in before by what
		want           string // lines
	}{
		{"nothing", "", "", ""},
		{"a spelling", "memory_limit: 1gb", "memory_limit: 1024MB", ""},
		{"the order of a list", "[flushdb, swapdb]", "[swapdb, flushdb]", ""},
		{"the spelling of an address", "listen: 127.0.0.1:1", `listen: "*:01"`, ""},
		{"a name as it was", "10.0.0.2:6379:1", "10.0.0.2:6379:1 10.0.0.2:6379", ""},
		{"a default that is given", "timeout: 400", "timeout: 400\n  databases: 16", ""},
		{"a number", "timeout: 400", "timeout: 250", "pool alpha: timeout: 400 -> 250"},
		{"an address to listen at", "listen: 127.0.0.1:1", "listen: /s 0777", "pool alpha: listen: 127.0.0.1:1 -> /s 0777"},
		{"an address in the way", "listen: 127.0.0.1:1", "listen: 0.0.0.0:1", "pool alpha: listen: 127.0.0.1:1 -> 0.0.0.0:1; needs a restart"},
		{"the address of the admin API", "listen: 127.0.0.1:1", "listen: 127.0.0.1:22223", "cashew: admin: 127.0.0.1:22223 -> none; needs a restart\npool alpha: listen: 127.0.0.1:1 -> 127.0.0.1:22223; needs a restart"},
		{"no value any more", `hash_tag: "{}"`, "", "pool alpha: hash_tag: '{}' -> none"},
		{"a list", "[flushdb, swapdb]", "[flushall]", "pool alpha: allow_commands: flushdb, swapdb -> flushall"},
		{"a default of another key", "timeout: 400", "timeout: 400\n  tcpkeepalive: true", "pool alpha: tcpkeepalive: false -> true\npool alpha: client_keepalive: false -> true"},
		{
			"a key of the process", "memory_limit: 1gb", "log_format: json",
			"cashew: memory_limit: 1gb -> 0\ncashew: log_format: text -> json; needs a restart",
		},
		{
			"a database", "timeout: 400", "timeout: 400\n  redis_db: 2",
			"pool alpha: redis_db: 0 -> 2; the pool's clients are closed when they have their replies",
		},
		{
			"a protocol", "h:2\"", "h:2\", redis: true",
			"pool gone: redis: false -> true; the pool's clients are closed when they have their replies",
		},
		{"a password", "redis: true", "redis: true\n  redis_auth: geheim", "pool alpha: redis_auth: none -> ***"},
		{"pools", "gone:", "cool pool:", "pool gone removed (h:2, servers: 2)\npool cool pool added (h:2, servers: 2)"},
		{
			"servers", `, "10.0.0.1:6379:1 two", "10.0.0.2:6379:1"`, `, "10.0.0.9:6379:3 two", "[::1]:6379:1 three"`,
			`pool alpha: server two moved: 10.0.0.1:6379 -> 10.0.0.9:6379
pool alpha: server two weight: 1 -> 3
pool alpha: server 10.0.0.2:6379 removed (10.0.0.2:6379, weight 1)
pool alpha: server three added ([::1]:6379, weight 1)`,
		},
	} {
		var lines []string
		for _, change := range Diff(mustLoad(t, before), mustLoad(t, strings.Replace(before, c.old, c.new, 1))) {
			lines = append(lines, change.String())
		}
		if diff := cmp.Diff(c.want, strings.Join(lines, "\n")); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
	}
}

// TestDiffIsDiscreet: nobody learns a password from a change of it.
func TestDiffIsDiscreet(t *testing.T) {
	changes := Diff(mustLoad(t, poolText("redis: true", "redis_auth: geheim")), mustLoad(t, poolText("redis: true", "redis_auth: offen")))
	if len(changes) != 1 || changes[0].String() != "pool p: redis_auth: changed" {
		t.Fatalf("the changes are %v", changes)
	}
	b, err := json.Marshal(changes)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(b), "geheim") || strings.Contains(string(b), "offen") {
		t.Errorf("a password is in %s", b)
	}
}

// TestDiffFields are what programs go by.
func TestDiffFields(t *testing.T) {
	got := Diff(mustLoad(t, before), mustLoad(t, strings.NewReplacer(
		"memory_limit: 1gb", "log_format: json", "timeout: 400", "redis_db: 1", ":6379:1 one", ":6379:2 one").Replace(before)))
	want := []Change{
		{What: KeyChanged, Key: "memory_limit", Old: "1gb", New: "0", Touches: TouchesProcess},
		{What: KeyChanged, Key: "log_format", Old: "text", New: "json", Touches: TouchesProcess, NeedsRestart: true},
		{What: KeyChanged, Pool: "alpha", Key: "timeout", Old: "400", New: "0", Touches: TouchesRequests},
		{What: KeyChanged, Pool: "alpha", Key: "redis_db", Old: "0", New: "1", Touches: TouchesServers, ClosesClients: true},
		{What: ServerWeighed, Pool: "alpha", Server: "one", Old: "1", New: "2", Touches: TouchesPlacement},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
