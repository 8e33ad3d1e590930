package main

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// rows are the cells of a page's tables below a heading.
func rows(page, heading string) (all [][]string) {
	_, text, _ := strings.Cut(page, "\n### "+heading+"\n")
	text, _, _ = strings.Cut(text, "\n#")
	for _, line := range strings.Split(text, "\n") {
		if strings.HasPrefix(line, "| ") {
			cells := strings.Split(strings.Trim(line, "|"), "|")
			for i := range cells {
				cells[i] = strings.TrimSpace(cells[i])
			}
			all = append(all, cells)
		}
	}
	return all
}

// TestPage: the page has every library of the table, and the outcomes that are expected; whoever adds a
// library or changes what is expected must run `make compat`.
func TestPage(t *testing.T) {
	text, err := os.ReadFile("../../docs/clients.md")
	if err != nil {
		t.Fatal(err)
	}
	page := string(text)
	if i, j := strings.Index(page, begin), strings.Index(page, end); i < 0 || j < i {
		t.Fatal("the lines that enclose the tables are missing")
	}
	for _, protocol := range []string{"Redis", "memcached"} {
		table := rows(page, "Libraries for "+protocol)
		if len(table) < 10 {
			t.Fatalf("%s: only %d rows", protocol, len(table))
		}
		var want []Library
		for _, l := range Libraries {
			if l.Protocol == protocol {
				want = append(want, l)
			}
		}
		var got []string
		for _, row := range table[2:] {
			got = append(got, row[0])
		}
		for i, l := range want {
			if i >= len(got) || got[i] != l.Name {
				t.Fatalf("%s: the table has %q, want %s in place %d", protocol, got, l.Name, i)
			}
			checkRow(t, l, table[2+i])
		}
		if len(got) != len(want) {
			t.Errorf("%s: the table has %d libraries, want %d", protocol, len(got), len(want))
		}
	}
}

var number = regexp.MustCompile(`^\d+(\.\d+)+$|^\d{4}-\d\d-\d\d$`)

func checkRow(t *testing.T, l Library, cells []string) {
	t.Helper()
	all := steps(l.Protocol)
	if len(cells) != len(all)+4 {
		t.Fatalf("%s: %d cells", l.Name, len(cells))
	}
	if !number.MatchString(cells[2]) {
		t.Errorf("%s: %q is no version", l.Name, cells[2])
	}
	outcome := cells[len(cells)-1]
	if want := l.outcome(l.NotYet.Step != ""); outcome != want {
		t.Errorf("%s: the page says %q, the table of libraries %q", l.Name, outcome, want)
	}
	for i, s := range all {
		cell := cells[3+i]
		switch {
		case !slices.Contains([]string{"yes", "no", "–"}, cell):
			t.Errorf("%s: %s is %q", l.Name, s, cell)
		case l.NotYet.Step == "" && cell != "yes" && cell != "–":
			t.Errorf("%s: it works, but %s is %q", l.Name, s, cell)
		case l.NotYet.Step == s && cell != "no":
			t.Errorf("%s: %s is %q although it fails there", l.Name, s, cell)
		}
	}
}

// TestRecordings: the page has every recording of a handshake.
func TestRecordings(t *testing.T) {
	text, err := os.ReadFile("../../docs/clients.md")
	if err != nil {
		t.Fatal(err)
	}
	want, err := recorded("../integration/testdata/handshakes")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(text), want) {
		t.Errorf("the page lacks\n%s", want)
	}
}

// TestLibraries: the table of libraries is complete in itself, and its programs are there.
func TestLibraries(t *testing.T) {
	names := map[string]bool{}
	for _, l := range Libraries {
		if names[l.Name] || l.Name == "" || l.Protocol != "Redis" && l.Protocol != "memcached" {
			t.Errorf("%q twice, or without a protocol", l.Name)
		}
		names[l.Name] = true
		if (l.NotYet.Step == "") != (l.NotYet.Reason == "") || l.NotYet.Step != "" && !slices.Contains(l.steps(), l.NotYet.Step) {
			t.Errorf("%s: %+v", l.Name, l.NotYet)
		}
		dir := map[string]string{
			"shell": "shell/" + l.Program, "Go": "go/" + l.Program + "/main.go", "C": "c/" + l.Program + ".c", "Node.js": "npm/" + l.Program,
			"Python": "python/" + l.Program, "PHP": "php/" + l.Program, "Ruby": "ruby/" + l.Program, "Lua": "lua/" + l.Program,
			"Perl": "perl/" + l.Program, "Java": "java/" + l.Program,
		}[l.Language]
		if _, err := os.Stat(dir); err != nil || dir == "" {
			t.Errorf("%s: its program: %v", l.Name, err)
		}
	}
}

func TestOpening(t *testing.T) {
	tap := "*2\r\n$5\r\nHELLO\r\n$1\r\n3\r\n*2\r\n$3\r\nGET\r\n$3\r\na|b\r\n*3\r\n$3\r\nSET\r\n$12\r\ncompat:start\r\n$1\r\n1\r\n"
	var commands []string
	for text := tap; text != ""; {
		var c string
		c, text = next(text, "Redis")
		commands = append(commands, c)
	}
	if want := []string{"HELLO 3", "GET a|b", "SET compat:start 1"}; !slices.Equal(commands, want) {
		t.Errorf("got %q, want %q", commands, want)
	}
	if got, want := opening(commands[:2]), "`HELLO 3`, `GET a.b`"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
