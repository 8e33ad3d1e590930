package main

import (
	"fmt"
	"os"
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
	return os.WriteFile(path, []byte(head+begin+tables(results)+end+tail), 0o644)
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
	b.WriteString("\n### What they open with\n\nNoted between each library and a Redis or memcached server. Nothing: the first command is the application's own.\n\n| library | before the application's first command |\n| --- | --- |\n")
	for _, r := range results {
		fmt.Fprintf(&b, "| %s | %s |\n", r.library.Name, opening(r.opens))
	}
	b.WriteString("\n")
	return b.String()
}

func (r result) row() string {
	l := r.library
	cells := []string{l.Name, l.Language}
	if r.proxied == nil {
		return "| " + strings.Join(append(cells, "not installed"), " | ") + " |" + strings.Repeat(" |", len(steps(l.Protocol))+1) + "\n"
	}
	cells = append(cells, r.proxied.version)
	failed, _ := r.proxied.failed(l)
	for _, s := range steps(l.Protocol) {
		switch said := r.proxied.steps[s]; {
		case strings.HasPrefix(said, "ok"):
			cells = append(cells, "yes")
		case strings.HasPrefix(said, "none"), !has(l.steps(), s) && failed == "":
			cells = append(cells, "–")
		case said == "":
			cells = append(cells, "")
		default:
			cells = append(cells, "no")
		}
	}
	outcome := "works"
	if failed != "" {
		outcome = "not yet: " + l.NotYet.Reason
	}
	if l.Note != "" {
		outcome += "; " + l.Note
	}
	return "| " + strings.Join(append(cells, outcome), " | ") + " |\n"
}

// opening is a handshake as a cell. What does not print, or is different each time, is cut.
func opening(commands []string) string {
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
		if len(c) > 70 {
			c = c[:67] + "..."
		}
		cells = append(cells, "`"+strings.TrimSpace(c)+"`")
	}
	return strings.Join(cells, ", ")
}
