package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

// publishTo is a page, by its path in the repository, and what of the report stands in it.
type publishTo struct {
	page  string
	write func(rep *report, w io.Writer)
}

var published = []publishTo{
	{"README.md", (*report).summary},
	{filepath.Join("docs", "performance.md"), (*report).body},
}

// The marks on a page, each on a line, between which figures stand.
const (
	beginMark = "<!-- bench:begin -->\n"
	endMark   = "<!-- bench:end -->\n"
)

// replaceMarked puts text between the marks of a page.
func replaceMarked(page, text []byte) ([]byte, error) {
	head, rest, begins := bytes.Cut(page, []byte(beginMark))
	_, tail, ends := bytes.Cut(rest, []byte(endMark))
	if !begins || !ends || bytes.Contains(tail, []byte(beginMark)) {
		return nil, errors.New("the marks bench:begin and bench:end are not there once each")
	}
	return bytes.Join([][]byte{head, []byte(beginMark), text, []byte(endMark), tail}, nil), nil
}

// publish writes the figures into the pages of the repository at dir.
func (rep *report) publish(dir string) error {
	for _, p := range published {
		name := filepath.Join(dir, p.page)
		page, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		var text bytes.Buffer
		p.write(rep, &text)
		page, err = replaceMarked(page, text.Bytes())
		if err != nil {
			return fmt.Errorf("%s: %w", p.page, err)
		}
		if err := os.WriteFile(name, page, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// publishable says why a run with these options could not be published: a page shows all rows or none,
// and what was measured in one run only.
func (o *options) publishable(dir string) error {
	if o.quick || o.rounds < 3 || o.only.String() != "" || len(o.targets) != len(targetNames) {
		return errors.New("-publish needs a whole run: without -quick, -only and -targets, and at least three rounds")
	}
	for _, p := range published {
		page, err := os.ReadFile(filepath.Join(dir, p.page))
		if err == nil {
			_, err = replaceMarked(page, nil)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", p.page, err)
		}
	}
	return nil
}

// summaryRows are the rows of the README's tables, by the names of their workloads.
var summaryRows = map[string][]struct{ workload, label string }{
	redis: {
		{"get-1c", "one client"},
		{"get-50c", "50 clients"},
		{"get-1000c", "1000 clients"},
		{"get-50c-P16", "50 clients, pipelines of 16"},
		{"get-50c-P100", "50 clients, pipelines of 100"},
		{"mget-100", "MGET of 100 keys, split"},
	},
	memcached: {
		{"mc-get-50c", "get, 50 clients"},
		{"mc-get-1000c", "get, 1000 clients"},
		{"mc-get-50c-P16", "get, 50 clients, pipelines of 16"},
		{"mc-get-50c-P100", "get, 50 clients, pipelines of 100"},
		{"mc-set-50c", "set, 50 clients"},
		{"mc-set-50c-P16", "set, 50 clients, pipelines of 16"},
		{"mc-mget-100", "get of 100 keys, split"},
	},
}

// summary prints what the README shows.
func (rep *report) summary(w io.Writer) {
	fmt.Fprintf(w, "GET of %d bytes, requests a second and the proxy's CPU per request; two Redis servers behind the proxies, medians of %d alternating\n",
		small.valueSize, rep.Rounds)
	fmt.Fprintf(w, "rounds on %d cores (%s), nutcracker%s with `-v 4`:\n\n", runtime.NumCPU(), cpuModel(), rep.nutcrackerVersion())
	rep.summaryTable(w, redis)
	fmt.Fprint(w, "\nThe same with two memcached servers of one thread each:\n\n")
	rep.summaryTable(w, memcached)
	fmt.Fprint(w, "\n[Performance](docs/performance.md) has all rows, what was aimed at and missed, and where the time goes.\n")
}

// nutcrackerVersion returns a space and the version, if it is among the facts.
func (rep *report) nutcrackerVersion() string {
	for _, fact := range rep.Machine {
		if _, version, ok := strings.Cut(fact, "This is nutcracker-"); ok {
			version, _, _ = strings.Cut(version, ",")
			return " " + version
		}
	}
	return ""
}

func (rep *report) summaryTable(w io.Writer, protocol string) {
	fmt.Fprintln(w, "| | no proxy | nutcracker | cashew | cashew's CPU against nutcracker's |")
	fmt.Fprintln(w, "|---|--:|--:|--:|--:|")
	for _, row := range summaryRows[protocol] {
		for _, r := range rep.Results {
			if r.Workload.Name != row.workload {
				continue
			}
			cells := []string{row.label, thousands(r.median(direct, throughput.of))}
			for _, t := range []string{nutcracker, cashew} {
				cells = append(cells, fmt.Sprintf("%s, %.3g µs", thousands(r.median(t, throughput.of)), r.median(t, proxyCPU.of)))
			}
			ratio, _ := r.ratio(proxyCPU, cashew, nutcracker)
			fmt.Fprintf(w, "| %s | %.2f |\n", strings.Join(cells, " | "), ratio)
		}
	}
}

// thousands is a number of requests with three digits or so.
func thousands(v float64) string {
	switch {
	case v >= 1e6:
		return fmt.Sprintf("%.2fM", v/1e6)
	case v >= 1e5:
		return fmt.Sprintf("%.0fk", v/1e3)
	}
	return fmt.Sprintf("%.1fk", v/1e3)
}
