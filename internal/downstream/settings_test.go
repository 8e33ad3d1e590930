package downstream

import (
	"strings"
	"testing"
	"time"
)

func TestMatches(t *testing.T) {
	for _, c := range []struct {
		pattern, name string
		want          bool
	}{
		{"save", "save", true},
		{"save", "saves", false},
		{"saves", "save", false},
		{"*", "save", true},
		{"*", "", true},
		{"", "", true},
		{"", "s", false},
		{"?", "", false},
		{"s*e", "save", true},
		{"s*e", "saved", false},
		{"s**e*", "saved", true},
		{"*a*e", "save", true},
		{"*ave*x", "save", false},
		{"s?ve", "save", true},
		{"s?e", "save", false},
		{"[a-s]ave", "save", true},
		{"[s-a]ave", "save", true},
		{"[^a-s]ave", "save", false},
		{"[^x]ave", "save", true},
		{"[xs]ave", "save", true},
		{`[\]s]ave`, "save", true},
		{`\save`, "save", true},
		{`s\*`, "save", false},
		{`s\*`, "s*", true},
		{"sav[e", "save", true},
		{"sav[", "save", false},
		{"save\\", "save\\", true},
		{"save*", "save", true},
		{"save?", "save", false},
	} {
		if got := matches([]byte(c.pattern), c.name); got != c.want {
			t.Errorf("%q, %q: %v", c.pattern, c.name, got)
		}
	}
}

// A pattern that is meant to take for ever does not.
func TestMatchesIsQuick(t *testing.T) {
	begin := time.Now()
	if matches([]byte(strings.Repeat("*a", 5000)+"b"), strings.Repeat("a", 10000)) {
		t.Error("there is no b")
	}
	if d := time.Since(begin); d > 5*time.Second {
		t.Errorf("it took %v", d)
	}
}
