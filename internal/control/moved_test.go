package control

import (
	"math"
	"testing"

	"github.com/cashew-proxy/cashew/internal/topology"
)

func TestMoved(t *testing.T) {
	const two = `"h:1:1 one", "h:2:1 two"`
	for _, c := range []struct {
		name     string
		old, new string // what stands beside "listen"
		want     float64
		about    float64 // how far from it
	}{
		{"nothing", "servers: [" + two + "]", "servers: [" + two + "]", 0, 0},
		{"another order", "servers: [" + two + "]", `servers: ["h:2:1 two", "h:1:1 one"]`, 0, 0},
		{"ketama, one more of three", "servers: [" + two + "]", "servers: [" + two + `, "h:3:1 three"]`, 1.0 / 3, 0.05},
		{"ketama, one less", "servers: [" + two + `, "h:3:1 three"]`, "servers: [" + two + "]", 1.0 / 3, 0.05},
		{"modula, one more of three", "distribution: modula, servers: [" + two + "]", "distribution: modula, servers: [" + two + `, "h:3:1 three"]`, 2.0 / 3, 0.02},
		{"an address", "servers: [" + two + "]", `servers: ["h:1:1 one", "h:9:1 two"]`, 0.5, 0.05},
		{"a name", "distribution: modula, servers: [" + two + "]", `distribution: modula, servers: ["h:1:1 one", "h:2:1 owt"]`, 0.5, 0.01},
		{"all", "servers: [" + two + "]", `servers: ["h:3:1 three"]`, 1, 0},
		{"a hash", "distribution: modula, servers: [" + two + "]", "hash: md5, distribution: modula, servers: [" + two + "]", 0.5, 0.02},
		{"a setting", "servers: [" + two + "]", "timeout: 5, redis: true, servers: [" + two + "]", 0, 0},
		{"a tag that no key has", "servers: [" + two + "]", `hash_tag: "{}", servers: [` + two + "]", 0, 0},
		{"a tag that every key has", "distribution: modula, servers: [" + two + "]", `hash_tag: "e:", distribution: modula, servers: [` + two + "]", 0.5, 0.5},
		{"random, the same", "distribution: random, servers: [" + two + "]", "distribution: random, servers: [" + two + "]", 0, 1e-9},
		{"random, one more", "distribution: random, servers: [" + two + "]", "distribution: random, servers: [" + two + `, "h:3:1 three"]`, 1.0 / 3, 1e-9},
		{"random, another", "distribution: random, servers: [" + two + "]", `distribution: random, servers: ["h:1:1 one", "h:3:1 three"]`, 0.5, 1e-9},
		{"random before", "distribution: random, servers: [" + two + "]", "servers: [" + two + "]", 0.5, 1e-9},
		{"one server, random or not", "distribution: random, servers: ['h:1:1']", "servers: ['h:1:1']", 0, 0},
	} {
		old, new := poolOf(t, c.old), poolOf(t, c.new)
		got := Moved(old, new)
		if math.Abs(got-c.want) > c.about {
			t.Errorf("%s: %.4f of the keys move, want %.4f", c.name, got, c.want)
		}
		if again := Moved(old, new); again != got {
			t.Errorf("%s: %v, then %v", c.name, got, again)
		}
		if back := Moved(new, old); back != got {
			t.Errorf("%s: %v, and %v back", c.name, got, back)
		}
	}
}

func poolOf(t *testing.T, text string) *topology.Pool {
	t.Helper()
	return Build(load(t, "p: {listen: 'h:1', "+text+"}"), 1).Pools[0]
}
