package config

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml/ast"
)

// value is what a key was given: a scalar, or for a list key its elements.
type value struct {
	scalar
	items []scalar
}

// digits parses decimal digits only, as twemproxy does: no sign, no space, no hexadecimal.
func digits(s string) (n int64, ok bool) {
	if s == "" || strings.Trim(s, "0123456789") != "" {
		return 0, false
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return math.MaxInt64, true // too large for any bound; it is a number all the same
	}
	return n, true
}

func number(s, what string, low, high int64) (int64, string) {
	n, ok := digits(s)
	if !ok {
		return 0, fmt.Sprintf("%s is not %s; allowed: digits only, %d to %d", quote(s), what, low, high)
	}
	if n < low || n > high {
		return 0, fmt.Sprintf("%s is out of bounds; allowed: %d to %d", quote(s), low, high)
	}
	return n, ""
}

// size parses bytes with an optional unit of 1024 bytes and its powers.
func size(s string, low, high int64) (int64, string) {
	lower := strings.ToLower(s)
	figures := strings.TrimRight(lower, "kmgb")
	shift := map[string]uint{"": 0, "k": 10, "kb": 10, "m": 20, "mb": 20, "g": 30, "gb": 30}
	by, known := shift[lower[len(figures):]]
	n, ok := digits(figures)
	if !known || !ok {
		return 0, fmt.Sprintf("%s is not a size; allowed: digits with kb, mb, gb or no unit, %s to %s",
			quote(s), sizeText(low), sizeText(high))
	}
	if n > high>>by || n<<by < low {
		return 0, fmt.Sprintf("%s is out of bounds; allowed: %s to %s", quote(s), sizeText(low), sizeText(high))
	}
	return n << by, ""
}

// sizeText is the shortest spelling of n that size reads as n.
func sizeText(n int64) string {
	for _, u := range []struct {
		shift uint
		name  string
	}{{30, "gb"}, {20, "mb"}, {10, "kb"}} {
		if n != 0 && n&(1<<u.shift-1) == 0 {
			return strconv.FormatInt(n>>u.shift, 10) + u.name
		}
	}
	return strconv.FormatInt(n, 10)
}

// valueOf reads the node of a key. A list key may be given one scalar, and a scalar key a list of
// one: twemproxy accepts both.
func (d *document) valueOf(n ast.Node, wantList bool) (value, string) {
	if d.resolve(n) == nil {
		return value{scalar: scalar{at: positionOf(n)}}, "the alias has no anchor, or leads to itself"
	}
	if items, isList := d.items(n); isList {
		v := value{scalar: scalar{at: positionOf(n)}}
		for _, item := range items {
			s, ok := d.scalarOf(item)
			if !ok {
				v.at = s.at
				return v, "an element is not a plain value; text needs quotes if it begins with a bracket or brace, or has a colon inside braces"
			}
			v.items = append(v.items, s)
		}
		if wantList {
			return v, ""
		}
		if len(v.items) != 1 {
			return v, fmt.Sprintf("a list of %d values; exactly one value is allowed", len(v.items))
		}
		v.scalar = v.items[0]
		return v, ""
	}
	s, ok := d.scalarOf(n)
	if !ok {
		return value{scalar: s}, "a mapping is given, a plain value is needed; text with braces at its start needs quotes, as in \"{}\""
	}
	return value{scalar: s, items: []scalar{s}}, ""
}
