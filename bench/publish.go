package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
)

// publishTo is a page, by its path in the repository, the name of its marks, and what of the report stands between them.
type publishTo struct {
	page  string
	marks marks
	write func(rep *report, w io.Writer)
}

var published = []publishTo{
	{"README.md", "bench", (*report).summary},
	{filepath.Join("docs", "performance.md"), "bench", (*report).body},
	{filepath.Join("docs", "performance.md"), "resp3", (*report).inRESP3},
}

// marks are two lines on a page, between which figures stand.
type marks string

func (m marks) begin() string { return "<!-- " + string(m) + ":begin -->\n" }
func (m marks) end() string   { return "<!-- " + string(m) + ":end -->\n" }

// replace puts text between the marks of a page.
func (m marks) replace(page, text []byte) ([]byte, error) {
	begin, end := []byte(m.begin()), []byte(m.end())
	head, rest, begins := bytes.Cut(page, begin)
	_, tail, ends := bytes.Cut(rest, end)
	if !begins || !ends || bytes.Contains(tail, begin) {
		return nil, fmt.Errorf("the marks %s:begin and %s:end are not there once each", m, m)
	}
	return bytes.Join([][]byte{head, begin, text, end, tail}, nil), nil
}

// publish writes the figures into the pages of the repository at dir, and draws the picture.
func (rep *report) publish(dir string) error {
	var svg bytes.Buffer
	rep.picture(&svg)
	if err := os.WriteFile(filepath.Join(dir, filepath.FromSlash(picturePath)), svg.Bytes(), 0o644); err != nil {
		return err
	}
	for _, p := range published {
		name := filepath.Join(dir, p.page)
		page, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		var text bytes.Buffer
		p.write(rep, &text)
		page, err = p.marks.replace(page, text.Bytes())
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
	if o.quick || o.rounds < 3 || o.only.String() != "" || o.group != groups[0] || !slices.Equal(o.targets, targetNames) {
		return errors.New("-publish needs a whole run: without -quick, -only, -group, -targets and other proxies, and at least three rounds")
	}
	for _, p := range published {
		page, err := os.ReadFile(filepath.Join(dir, p.page))
		if err == nil {
			_, err = p.marks.replace(page, nil)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", p.page, err)
		}
	}
	return nil
}

// inRESP3 prints what clients in RESP3 make of the rows: beside the same rows in RESP2, and against the same bars.
func (rep *report) inRESP3(w io.Writer) {
	rows := report{Targets: rep.Targets}
	fmt.Fprint(w, "Requests a second and the proxy's CPU per request. The ratio is that of cashew's medians.\n\n")
	fmt.Fprintln(w, "| workload | no proxy, RESP3 | nutcracker, RESP2 | cashew, RESP2 | cashew, RESP3 | CPU, RESP3 to RESP2 |")
	fmt.Fprintln(w, "|---|--:|--:|--:|--:|--:|")
	figures := func(r result, target string) string {
		return fmt.Sprintf("%s, %.3g µs", thousands(r.median(target, throughput.of)), r.median(target, proxyCPU.of))
	}
	for _, r := range rep.Results {
		if !r.Workload.RESP3 {
			continue
		}
		rows.Results = append(rows.Results, r)
		name := strings.TrimSuffix(r.Workload.Name, resp3)
		for _, old := range rep.Results {
			if old.Workload.Name == name {
				fmt.Fprintf(w, "| %s | %s | %s | %s | %s | %.2f |\n", name, thousands(r.median(direct, throughput.of)), figures(r, nutcracker),
					figures(old, cashew), figures(r, cashew), r.median(cashew, proxyCPU.of)/old.median(cashew, proxyCPU.of))
			}
		}
	}
	fmt.Fprintln(w)
	rows.bars(w)
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
