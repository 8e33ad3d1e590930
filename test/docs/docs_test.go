// Package docs has only tests: what the README and the pages under docs/ promise is tried. Examples
// of configurations load, command lines run, and files, headings, make targets, keys, counters and
// names in the code that the pages mention exist.
package docs

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/cashew-proxy/cashew/internal/config"
	"github.com/cashew-proxy/cashew/internal/metrics"
	"github.com/cashew-proxy/cashew/internal/stats"
)

const root = "../.."

// page is one Markdown file: its fenced blocks apart from its text.
type page struct {
	path   string // in the repository
	text   string // without the fenced blocks
	blocks []block
}

type block struct{ language, text string }

// block finds the fenced blocks whose language is given, all pages' if there is none.
func (p page) of(language string) (texts []string) {
	for _, b := range p.blocks {
		if b.language == language {
			texts = append(texts, b.text)
		}
	}
	return texts
}

var fence = regexp.MustCompile("(?ms)^```([a-z]*)\n(.*?)^```$\n?")

func read(t *testing.T, path string) page {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, path))
	if err != nil {
		t.Fatal(err)
	}
	p := page{path: path, text: fence.ReplaceAllString(string(text), "")}
	for _, m := range fence.FindAllStringSubmatch(string(text), -1) {
		p.blocks = append(p.blocks, block{m[1], m[2]})
	}
	if strings.Contains(p.text, "```") {
		t.Errorf("%s: a fenced block is not closed, or indented", path)
	}
	return p
}

// pages are all that people read.
func pages(t *testing.T) []page {
	t.Helper()
	ps := []page{read(t, "README.md"), read(t, "CHANGELOG.md")}
	err := filepath.WalkDir(filepath.Join(root, "docs"), func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && strings.HasSuffix(path, ".md") {
			ps = append(ps, read(t, strings.TrimPrefix(filepath.ToSlash(path), root+"/")))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(ps) < 8 {
		t.Fatalf("only %d pages: this is not the repository", len(ps))
	}
	return ps
}

var span = regexp.MustCompile("`([^`\n]+)`")

// spans are the pieces of text set as code.
func (p page) spans() (texts []string) {
	for _, m := range span.FindAllStringSubmatch(p.text, -1) {
		texts = append(texts, m[1])
	}
	return texts
}

// TestExamplesLoad: a configuration that people copy is valid, and nothing in it is without effect.
func TestExamplesLoad(t *testing.T) {
	n := 0
	for _, p := range pages(t) {
		for _, text := range p.of("yaml") {
			n++
			file := filepath.Join(t.TempDir(), "nutcracker.yml")
			if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			if _, warnings, err := config.Load(file, config.Options{}); err != nil || len(warnings) > 0 {
				t.Errorf("%s: %v %v in\n%s", p.path, err, warnings, text)
			}
		}
	}
	if n < 2 {
		t.Errorf("found %d examples", n)
	}
}

var (
	link    = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	heading = regexp.MustCompile(`(?m)^#+ (.*)$`)
	notSlug = regexp.MustCompile(`[^\p{L}\p{N} _-]`)
)

// anchors are the names that a page's headings have in links.
func (p page) anchors() map[string]bool {
	found := map[string]bool{}
	for _, m := range heading.FindAllStringSubmatch(p.text, -1) {
		slug := notSlug.ReplaceAllString(strings.ToLower(m[1]), "")
		found[strings.ReplaceAll(slug, " ", "-")] = true
	}
	return found
}

// TestLinks: what is linked within the repository exists, headings too.
func TestLinks(t *testing.T) {
	for _, p := range pages(t) {
		for _, m := range link.FindAllStringSubmatch(p.text, -1) {
			if strings.Contains(m[1], "://") {
				continue
			}
			target, anchor, _ := strings.Cut(m[1], "#")
			file := p.path
			if target != "" {
				file = filepath.ToSlash(filepath.Join(filepath.Dir(p.path), target))
			}
			if _, err := os.Stat(filepath.Join(root, file)); err != nil {
				t.Errorf("%s: the link %s leads nowhere", p.path, m[1])
			} else if anchor != "" && !read(t, file).anchors()[anchor] {
				t.Errorf("%s: %s has no heading for %s", p.path, file, m[1])
			}
		}
	}
}

var row = regexp.MustCompile("(?m)^\\| `([a-z_]+)` \\| [^|]* \\| ([^|]*) \\|")

// keys are the configuration's, with their defaults as the reference page shows them.
func keys(t *testing.T) map[string]string {
	t.Helper()
	found := map[string]string{}
	for _, m := range row.FindAllStringSubmatch(config.Reference(), -1) {
		found[m[1]] = m[2]
	}
	if found["timeout"] != "`0`" || len(found) < 25 {
		t.Fatalf("the reference page has another form: %v", found)
	}
	return found
}

func counters() map[string]bool {
	found := map[string]bool{}
	for _, d := range stats.PoolTable {
		found[d.Name], found[d.Label] = true, true
	}
	for _, d := range stats.ServerTable {
		found[d.Name] = true
	}
	for _, f := range stats.Families {
		found[f.Name] = true
	}
	for _, d := range stats.GaugeTable {
		found[d.Name] = true
	}
	return found
}

var (
	words = regexp.MustCompile(`^[a-z]+(_[a-z]+)+$`)
	given = regexp.MustCompile(`^([a-z_]+): `)
)

// otherWords look like keys and are none: system calls, values, commands, files, and what memcached counts.
var otherWords = map[string]bool{
	"epoll_ctl": true, "first_key": true, "table_": true, "client_limit": true,
	"cmd_get": true, "flush_all": true, "lru_crawler": true, "cache_memlimit": true,
	"one_at_a_time": true, "fnv1_64": true, "fnv1a_64": true, "fnv1_32": true, "fnv1a_32": true,
}

// statistics are the fields of twemproxy's JSON.
func statistics() []string {
	names := []string{"service", "source", "version", "uptime", "timestamp", "total_connections", "curr_connections"}
	for _, f := range append(metrics.PoolFields, metrics.ServerFields...) {
		names = append(names, f.Name)
	}
	return names
}

// TestStatistics: every field is explained, in the order in which it comes.
func TestStatistics(t *testing.T) {
	_, text, _ := strings.Cut(read(t, "docs/operations.md").text, "## Statistics\n")
	var got []string
	for _, m := range regexp.MustCompile("(?m)^\\| `([^|]*)` \\|").FindAllStringSubmatch(text, -1) {
		got = append(got, strings.Split(m[1], "`, `")...)
	}
	want := statistics()
	if len(got) < len(want) || !slices.Equal(got[:len(want)], want) {
		t.Errorf("explained are %q, want %q", got, want)
	}
}

// TestKeys: the keys and counters that pages name exist.
func TestKeys(t *testing.T) {
	keys, counters := keys(t), counters()
	for _, name := range statistics() {
		counters[name] = true
	}
	n := 0
	for _, p := range pages(t) {
		for _, s := range p.spans() {
			name := s
			if m := given.FindStringSubmatch(s); m != nil {
				name = m[1]
			} else if !words.MatchString(s) || otherWords[s] {
				continue
			}
			n++
			if _, ok := keys[name]; !ok && !counters[name] {
				t.Errorf("%s: no key and no counter is called %s", p.path, name)
			}
		}
	}
	if n < 50 {
		t.Errorf("found only %d names", n)
	}
}

var bound = regexp.MustCompile("(?m)^\\| [^|]+ \\| `([a-z_]+)` \\| (`[^|`]*`) \\| `([a-z_]+)` \\|")

// TestBounds: the table of bounds tells the true keys, defaults and counters.
func TestBounds(t *testing.T) {
	keys, counters := keys(t), counters()
	rows := bound.FindAllStringSubmatch(read(t, "docs/ARCHITECTURE.md").text, -1)
	if len(rows) < 12 {
		t.Errorf("found only %d rows", len(rows))
	}
	limits := map[string]bool{}
	for _, m := range rows {
		limits[m[1]] = true
		if keys[m[1]] != m[2] {
			t.Errorf("the default of %s is %s, the table says %s", m[1], keys[m[1]], m[2])
		}
		if !counters[m[3]] {
			t.Errorf("no counter is called %s", m[3])
		}
	}
	for key := range keys {
		if strings.HasSuffix(key, "_limit") && key != "server_failure_limit" && key != "eject_limit" && !limits[key] {
			t.Errorf("%s is missing in the table of bounds", key)
		}
	}
}
