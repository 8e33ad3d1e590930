package docs

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	// A file or directory: of the repository, or of a room without "internal/" in front.
	goFile    = regexp.MustCompile(`^[a-z]+(/[a-z_]+)*\.go$`)
	ofTheRepo = regexp.MustCompile(`^(internal|cmd|docs|examples|bench|scripts|test)(/[A-Za-z0-9_.-]+)*$`)
	// A name in Go: with an upper case letter inside or in front, or a room before a dot.
	goName = regexp.MustCompile(`^([a-z]+\.)?([a-z]+[A-Z]\w*|[A-Z][a-z]\w*)$`)
	word   = regexp.MustCompile(`[A-Za-z_]\w*`)
)

// TestPaths: files that are named exist.
func TestPaths(t *testing.T) {
	n := 0
	for _, p := range pages(t) {
		for _, s := range p.spans() {
			if !goFile.MatchString(s) && !ofTheRepo.MatchString(s) {
				continue
			}
			n++
			_, here := os.Stat(filepath.Join(root, s))
			_, room := os.Stat(filepath.Join(root, "internal", s))
			if here != nil && room != nil {
				t.Errorf("%s: there is no %s", p.path, s)
			}
		}
	}
	if n < 60 {
		t.Errorf("found only %d paths", n)
	}
}

// TestNames: what the architecture's page calls by its name in the code is called so there.
func TestNames(t *testing.T) {
	known := map[string]bool{}
	err := filepath.WalkDir(filepath.Join(root, "internal"), func(path string, d fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		text, err := os.ReadFile(path)
		for _, w := range word.FindAllString(string(text), -1) {
			known[w] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, s := range read(t, "docs/ARCHITECTURE.md").spans() {
		m := goName.FindStringSubmatch(s)
		if m == nil {
			continue
		}
		n++
		if !known[m[2]] {
			t.Errorf("nothing in the code is called %s", s)
		}
	}
	if n < 40 {
		t.Errorf("found only %d names", n)
	}
}

// TestRooms: the table has every room, and no other.
func TestRooms(t *testing.T) {
	_, table, ok := strings.Cut(read(t, "docs/ARCHITECTURE.md").text, "## Rooms\n")
	table, _, _ = strings.Cut(table, "\n## ")
	if !ok {
		t.Fatal("there is no table of rooms")
	}
	listed := map[string]bool{}
	for _, line := range regexp.MustCompile("(?m)^\\| (`[^|]*) \\|").FindAllStringSubmatch(table, -1) {
		for _, m := range span.FindAllStringSubmatch(line[1], -1) {
			listed[m[1]] = true
			if _, err := os.Stat(filepath.Join(root, "internal", m[1])); err != nil {
				t.Errorf("there is no room %s", m[1])
			}
		}
	}
	dirs, err := os.ReadDir(filepath.Join(root, "internal"))
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range dirs {
		if d.IsDir() && !listed[d.Name()] {
			t.Errorf("the room %s is missing", d.Name())
		}
	}
}

// TestDecisions: every record is in the list, with the title and status that it has.
func TestDecisions(t *testing.T) {
	list := read(t, "docs/decisions/README.md").text
	files, err := filepath.Glob(filepath.Join(root, "docs/decisions/[0-9]*.md"))
	if err != nil || len(files) < 3 {
		t.Fatalf("found %d records: %v", len(files), err)
	}
	head := regexp.MustCompile(`^# (\d{4}): (.*)\n\n- Status: (.*)\n- Touches: `)
	for _, f := range files {
		name := filepath.Base(f)
		if name == "0000-template.md" {
			continue
		}
		m := head.FindStringSubmatch(read(t, "docs/decisions/"+name).text)
		if m == nil {
			t.Errorf("%s does not begin as the template", name)
			continue
		}
		line := "| [" + m[1] + "](" + name + ") | " + m[2] + " | " + m[3] + " |"
		if !strings.Contains(list, line) {
			t.Errorf("the list lacks the line %s", line)
		}
	}
}
