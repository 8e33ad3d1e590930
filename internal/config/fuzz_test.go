package config

import (
	"errors"
	"os"
	"slices"
	"testing"

	"github.com/cashew-proxy/cashew/internal/hashkit"
	"github.com/cashew-proxy/cashew/internal/ring"
)

// FuzzLoad: whatever the file, parsing ends without a panic, in a Config that control.Build can take
// and that can be shown, or in mistakes.
func FuzzLoad(f *testing.F) {
	for _, dir := range []string{"good", "bad"} {
		for _, file := range corpus(f, dir, 9) {
			text, err := os.ReadFile(file)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(text, false)
			f.Add(text, true)
		}
	}
	f.Fuzz(func(t *testing.T, text []byte, compat bool) {
		c, _, err := parse("f.yml", text, Options{Compat: compat}, func(string) (string, error) { return "secret\n", nil })
		if err != nil {
			var m Mistakes
			if !errors.As(err, &m) || len(m) == 0 {
				t.Fatalf("the error is no list of mistakes: %v", err)
			}
			return
		}
		checkConfig(t, c)
		checkShow(t, c)
	})
}

// checkConfig checks what the rooms that use a Config rely on.
func checkConfig(t *testing.T, c *Config) {
	t.Helper()
	if len(c.Pools) == 0 {
		t.Fatal("no pools")
	}
	if !slices.IsSortedFunc(c.Pools, func(a, b *Pool) int { return shorter(a.Name, b.Name) }) {
		t.Error("the pools are not sorted")
	}
	for _, p := range c.Pools {
		_, hash := hashkit.ByName(p.Hash)
		_, distribution := ring.ByName(p.Distribution)
		if !hash || !distribution || len(p.HashTag) != 0 && len(p.HashTag) != 2 {
			t.Errorf("%s: hash %q, distribution %q, hash tag %q", p.Name, p.Hash, p.Distribution, p.HashTag)
		}
		if len(p.Servers) == 0 || p.Listen.Address == "" || p.ServerConnections < 1 {
			t.Errorf("%s: %d servers, listens on %q, %d server connections", p.Name, len(p.Servers), p.Listen.Address, p.ServerConnections)
		}
		sum := 0
		for i, s := range p.Servers {
			if i > 0 && shorter(p.Servers[i-1].Name, s.Name) >= 0 {
				t.Errorf("%s: servers %q and %q are out of order or the same", p.Name, p.Servers[i-1].Name, s.Name)
			}
			if s.Weight < 1 || s.Address == "" || s.Network != "tcp" && s.Network != "unix" {
				t.Errorf("%s: server %+v", p.Name, s)
			}
			sum += s.Weight
		}
		if sum > maxWeight {
			t.Errorf("%s: the weights add up to %d", p.Name, sum)
		}
	}
}
