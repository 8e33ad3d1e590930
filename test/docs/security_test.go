package docs

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	testName = regexp.MustCompile(`^(Test|Fuzz)[A-Z]\w*$`)
	evidence = regexp.MustCompile(`^(internal|cmd|test)/\S+(_test\.go|\.txt)$`)
)

// TestAttacks: each row of the page about security that names something tried names what shows it, and each test that the
// page names is in the file named behind it.
func TestAttacks(t *testing.T) {
	p := read(t, "docs/security.md")
	var names []string // that wait for their file
	tests := 0
	for _, s := range p.spans() {
		switch {
		case testName.MatchString(s):
			names = append(names, s)
		case evidence.MatchString(s):
			text, err := os.ReadFile(filepath.Join(root, s))
			if err != nil {
				t.Error(err)
			}
			for _, name := range names {
				tests++
				if !strings.Contains(string(text), "\nfunc "+name+"(") {
					t.Errorf("%s has no %s", s, name)
				}
			}
			names = nil
		}
	}
	if len(names) > 0 || tests < 40 {
		t.Errorf("%q have no file; found %d tests", names, tests)
	}

	rows := 0
	for _, section := range strings.Split(p.text, "\n| tried | what happens | shown by |\n|---|---|---|\n")[1:] {
		for line := range strings.Lines(section) {
			if !strings.HasPrefix(line, "|") {
				break
			}
			rows++
			cells := strings.Split(strings.Trim(line, "|\n"), "|")
			shown := false
			for _, m := range span.FindAllStringSubmatch(cells[len(cells)-1], -1) {
				shown = shown || evidence.MatchString(m[1])
			}
			if len(cells) != 3 || !shown {
				t.Errorf("nothing shows what the page says in: %s", line)
			}
		}
	}
	if rows < 30 {
		t.Errorf("found only %d rows", rows)
	}
}
