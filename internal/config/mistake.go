package config

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// Mistake is one thing that is wrong, or in a list of warnings one that is questionable.
type Mistake struct {
	File         string
	Line, Column int    // from 1; 0 if the file as a whole is meant
	Where        string // "pool", "pool.key" or ""
	Text         string
}

// String is "file:line:column: where: text".
func (m Mistake) String() string {
	var b strings.Builder
	b.WriteString(m.File)
	if m.Line > 0 {
		fmt.Fprintf(&b, ":%d:%d", m.Line, m.Column)
	}
	b.WriteString(": ")
	if m.Where != "" {
		b.WriteString(m.Where)
		b.WriteString(": ")
	}
	b.WriteString(m.Text)
	return b.String()
}

// Mistakes is the error of a file that was read and is not valid: never empty, in the file's order.
type Mistakes []Mistake

// Error has one mistake per line, without a newline at the end.
func (ms Mistakes) Error() string {
	lines := make([]string, len(ms))
	for i, m := range ms {
		lines[i] = m.String()
	}
	return strings.Join(lines, "\n")
}

func sortMistakes(ms []Mistake) {
	slices.SortStableFunc(ms, func(a, b Mistake) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
}

// maxQuoted keeps a message to one screen, whatever the file holds.
const maxQuoted = 80

// quote shows what was given, cut if it is long.
func quote(s string) string {
	if len(s) <= maxQuoted {
		return fmt.Sprintf("%q", s)
	}
	cut := maxQuoted
	for cut > 0 && !utf8.RuneStart(s[cut]) {
		cut--
	}
	return fmt.Sprintf("%q...", s[:cut])
}

// didYouMean is "; did you mean X?" if a candidate is near enough to be meant, else "". Of equally
// near ones that with the longer beginning in common is meant.
func didYouMean(given string, candidates []string) string {
	best, distance := "", max(2, len(given)/3)+1
	for _, c := range candidates {
		d := editDistance(strings.ToLower(given), c, distance+1)
		if d < distance || best != "" && d == distance && sameStart(given, c) > sameStart(given, best) {
			best, distance = c, d
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf("; did you mean %q?", best)
}

func sameStart(a, b string) int {
	n := 0
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	return n
}

// editDistance counts insertions, deletions, replacements and swaps of neighbours (the restricted
// Damerau-Levenshtein distance), over bytes. Results from limit up are only "too far".
func editDistance(a, b string, limit int) int {
	if d := len(a) - len(b); d >= limit || -d >= limit {
		return limit
	}
	before, last := make([]int, len(b)+1), make([]int, len(b)+1)
	row := make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(b)]
}
