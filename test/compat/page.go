package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// The generated part of the page stands between these lines.
const (
	begin = "<!-- made by make compat: begin -->\n"
	end   = "<!-- made by make compat: end -->\n"
)

// headings are the steps as the page calls them.
var headings = map[string]string{
	"connect": "connect", "handshake": "handshake", "binary": "1 MiB", "pipeline": "pipeline", "expiry": "expiry",
	"counters": "counters", "hashes": "hashes", "scan": "scan", "reconnect": "reconnect", "multiget": "1 000 keys", "cas": "cas",
	"append": "append",
}

func writePage(path string, results []result) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	head, rest, ok := strings.Cut(string(text), begin)
	_, tail, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		return fmt.Errorf("%s: the lines that enclose the tables are missing", path)
	}
	recordings, err := recorded(handshakes)
	if err != nil {
		return err
	}
	return os.WriteFile(path, []byte(head+begin+tables(results)+recordings+end+tail), 0o644)
}

// tables has one table per protocol, and what each library opens with.
func tables(results []result) string {
	var b strings.Builder
	for _, protocol := range []string{"Redis", "memcached"} {
		fmt.Fprintf(&b, "\n### Libraries for %s\n\n| library | language | version |", protocol)
		for _, s := range steps(protocol) {
			fmt.Fprintf(&b, " %s |", headings[s])
		}
		fmt.Fprintf(&b, " outcome |\n|%s\n", strings.Repeat(" --- |", len(steps(protocol))+4))
		for _, r := range results {
			if r.library.Protocol == protocol {
				b.WriteString(r.row())
			}
		}
	}
	b.WriteString(failures(results))
	b.WriteString("\n### What they open with\n\nNoted between each library and a Redis server. The others send nothing of their own.\n\n| library | before the application's first command |\n| --- | --- |\n")
	for _, r := range results {
		if r.library.Protocol == "Redis" && len(r.opens) > 0 {
			fmt.Fprintf(&b, "| %s | %s |\n", r.library.Name, opening(r.opens))
		}
	}
	return b.String()
}

// tried is what a library did at the step at which it failed.
var tried = map[string]string{
	"connect": "to connect, and a first `SET`", "add": "to put a job into a queue", "work": "to take that job out of the queue, and another that comes later",
}

// failures has each step at which a library fails through the proxy, and what it said itself.
func failures(results []result) string {
	var b strings.Builder
	for _, r := range results {
		if r.proxied == nil {
			continue
		}
		for _, step := range r.library.steps() {
			said, ok := strings.CutPrefix(r.proxied.steps[step], "FAIL ")
			if !ok {
				continue
			}
			if b.Len() == 0 {
				b.WriteString("\n### What fails, in the libraries' own words\n\n| library | what it was to do | what it said |\n| --- | --- | --- |\n")
			}
			words := []string{said}
			if more := r.proxied.aside(); more != "" && !strings.Contains(said, more) {
				words = append(words, more)
			}
			fmt.Fprintf(&b, "| %s | %s | %s |\n", r.library.Name, tried[step], quoted(words, 200))
		}
	}
	return b.String()
}

// handshakes are the recordings of libraries that are not run, by file name.
const handshakes = "test/integration/testdata/handshakes"

// recorded is the table of the recordings.
func recorded(dir string) (string, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*.txt"))
	if err != nil || len(files) == 0 {
		return "", fmt.Errorf("no recordings in %s: %v", dir, err)
	}
	var b strings.Builder
	b.WriteString("\n### Handshake tested, library not run\n\n| library | protocol | recording |\n| --- | --- | --- |\n")
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return "", err
		}
		title, _, _ := strings.Cut(strings.TrimPrefix(string(text), "# "), "\n")
		i := strings.LastIndex(title, ", ")
		if i < 0 {
			return "", fmt.Errorf("%s: the first line has no protocol", file)
		}
		fmt.Fprintf(&b, "| %s | %s | `%s` |\n", title[:i], title[i+2:], strings.TrimSuffix(filepath.Base(file), ".txt"))
	}
	b.WriteString("\n")
	return b.String(), nil
}

func (r result) row() string {
	l := r.library
	cells := []string{l.Name, l.Language}
	if r.proxied == nil {
		return "| " + strings.Join(append(cells, "not installed"), " | ") + " |" + strings.Repeat(" |", len(steps(l.Protocol))+1) + "\n"
	}
	version := r.proxied.version
	if _, commit, ok := strings.Cut(version, "0.0.0-"); ok {
		version, _, _ = strings.Cut(commit, "-") // a module without versions has dates
		version = version[:4] + "-" + version[4:6] + "-" + version[6:8]
	}
	cells = append(cells, version)
	failed, _ := r.proxied.failed(l)
	for _, s := range steps(l.Protocol) {
		switch said := r.proxied.steps[s]; {
		case strings.HasPrefix(said, "ok"):
			cells = append(cells, "yes")
		case strings.HasPrefix(said, "none"), said == "":
			cells = append(cells, "–")
		default:
			cells = append(cells, "no")
		}
	}
	return "| " + strings.Join(append(cells, l.outcome(failed != "")), " | ") + " |\n"
}

// outcome is the last cell of a row.
func (l Library) outcome(failed bool) string {
	text := "works"
	if failed {
		text = "not yet: " + l.NotYet.Reason
	}
	if l.Note != "" {
		text += "; " + l.Note
	}
	return text
}

// opening is a handshake as a cell. What does not print, or is different each time, is cut.
func opening(commands []string) string { return quoted(commands, 70) }

// quoted are lines as a cell, each cut to a length.
func quoted(commands []string, most int) string {
	if len(commands) == 0 {
		return "nothing"
	}
	var cells []string
	for _, c := range commands {
		c = strings.Map(func(r rune) rune {
			if r < ' ' || r > '~' || r == '|' || r == '`' {
				return '.'
			}
			return r
		}, c)
		if len(c) > most {
			c = c[:most-3] + "..."
		}
		cells = append(cells, "`"+strings.TrimSpace(c)+"`")
	}
	return strings.Join(cells, ", ")
}
