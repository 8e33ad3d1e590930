package main

import "testing"

func TestVerdict(t *testing.T) {
	for _, c := range []struct {
		ratio, share float64
		want         string
	}{
		{1.05, 0.97, "the same"},
		{0.93, 0.5, "the same"},
		{1.3, 0.5, "redis-benchmark is the limit"},
		{1.3, 0.97, "**apart**"}, // more than a server can: the generator counts what was not answered
		{0.7, 0.5, "**apart**"},
	} {
		if got := verdict(c.ratio, c.share); got != c.want {
			t.Errorf("ratio %v, server busy %v: %s, want %s", c.ratio, c.share, got, c.want)
		}
	}
}
