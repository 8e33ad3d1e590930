package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// report is the outcome of all runs; it is also the form of the raw data.
type report struct {
	Began      time.Time
	Quick      bool
	Rounds     int
	Seconds    float64
	Targets    []string
	Group      string
	Saturation float64 `json:",omitempty"` // of nutcracker, where latencies are measured
	Load       string  // average at the start
	Machine    []string
	Results    []result
}

// result is all runs of one workload.
type result struct {
	Workload workload
	Samples  []sample
	Unable   map[string]string `json:",omitempty"` // why, by target
}

// median returns the middle of v, or the mean of the two middles; 0 if there is none.
func median(v []float64) float64 {
	if len(v) == 0 {
		return 0
	}
	v = slices.Sorted(slices.Values(v))
	return (v[(len(v)-1)/2] + v[len(v)/2]) / 2
}

// median returns the median of what pick takes from the target's samples.
func (r result) median(target string, pick func(sample) float64) float64 {
	var v []float64
	for _, s := range r.Samples {
		if s.Target == target {
			v = append(v, pick(s))
		}
	}
	return median(v)
}

// ratio returns the median over the rounds of m(a)/m(b), and whether there is one. Pairs of one
// round saw the same machine; medians of different rounds need not have.
func (r result) ratio(m metric, a, b string) (float64, bool) {
	var v []float64
	for _, x := range r.Samples {
		for _, y := range r.of(b, m) {
			if x.Round == y.Round && x.Target == a && m.of(y) > 0 {
				v = append(v, m.of(x)/m.of(y))
			}
		}
	}
	return median(v), len(v) > 0
}

// of returns a target's samples. Those of bestFixed are in each round the one with the most of the metric.
func (r result) of(target string, m metric) (samples []sample) {
	best := map[int]sample{}
	for _, s := range r.Samples {
		if s.Target == target {
			samples = append(samples, s)
		}
		if target == bestFixed && fixed(s.Target) && m.of(s) > m.of(best[s.Round]) {
			best[s.Round] = s
		}
	}
	return slices.AppendSeq(samples, maps.Values(best))
}

// markdown prints the report for people.
func (rep *report) markdown(w io.Writer) {
	fmt.Fprintf(w, "# Measured %s\n\n", rep.Began.Format("2006-01-02 15:04 MST"))
	if rep.Quick {
		fmt.Fprint(w, quickNote)
	}
	fmt.Fprintf(w, "- Load average at the start: %s\n", rep.Load)
	rep.body(w)
}

const quickNote = "**A quick run: it shows that the tool works. The figures mean nothing.**\n\n"

// body prints the report without what only matters to who made it.
func (rep *report) body(w io.Writer) {
	for _, fact := range rep.Machine {
		fmt.Fprintf(w, "- %s\n", fact)
	}
	fmt.Fprintf(w, "- Rounds: %d, targets in alternation; a run takes about %g s\n", rep.Rounds, rep.Seconds)
	if g, err := groupNamed(rep.Group); err == nil && g.note != "" {
		fmt.Fprintf(w, "- %s\n", g.note)
	}
	fmt.Fprint(w, "\nMedians of the rounds. CPU is user and system time in µs per request.\n\n")
	rep.medians(w)
	rep.unable(w)
	if rep.Group == "many" {
		rep.perKey(w)
	}
	fmt.Fprint(w, "\nRatios: medians of the ratios of each round.\n\n")
	rep.ratios(w)
	if slices.Contains(rep.Targets, cashew) {
		fmt.Fprint(w, "\nWhat was aimed at, and what this run reached.\n\n")
		rep.bars(w)
	}
}

func (rep *report) medians(w io.Writer) {
	fmt.Fprintln(w, "| workload | target | requests/s | p50 ms | p99 ms | proxy CPU | servers' CPU |")
	fmt.Fprintln(w, "|---|---|--:|--:|--:|--:|--:|")
	for _, r := range rep.Results {
		for _, t := range rep.Targets {
			if !slices.ContainsFunc(r.Samples, func(s sample) bool { return s.Target == t }) {
				continue // the floor is measured in some rows only
			}
			proxy := "–"
			if t != direct {
				proxy = fmt.Sprintf("%.3g", r.median(t, proxyCPU.of))
			}
			fmt.Fprintf(w, "| %s | %s | %.0f | %.3f | %.3f | %s | %.3g |\n", r.Workload.Name, t,
				r.median(t, throughput.of),
				r.median(t, func(s sample) float64 { return s.P50 }),
				r.median(t, func(s sample) float64 { return s.P99 }),
				proxy, r.median(t, serversCPU.of))
		}
	}
}

// pairs are the targets of which ratios are shown.
func (rep *report) pairs() (pairs [][2]string) {
	all := [][2]string{{cashew, nutcracker}, {cashew, direct}, {nutcracker, direct}, {floor, cashew}, {floor, nutcracker}}
	for _, t := range rep.Targets {
		if fixed(t) || peerNamed(t) != nil {
			all = append(all, [2]string{cashew, t})
		}
	}
	for _, p := range all {
		if slices.Contains(rep.Targets, p[0]) && slices.Contains(rep.Targets, p[1]) {
			pairs = append(pairs, p)
		}
	}
	return pairs
}

// unable says which workloads somebody does not manage.
func (rep *report) unable(w io.Writer) {
	head := "\nNot managed:\n\n"
	for _, r := range rep.Results {
		for _, t := range slices.Sorted(maps.Keys(r.Unable)) {
			why, _, _ := strings.Cut(r.Unable[t], "\n")
			fmt.Fprintf(w, "%s- %s: %s (%s)\n", head, t, r.Workload.Name, why)
			head = ""
		}
	}
}

func (rep *report) ratios(w io.Writer) {
	pairs := rep.pairs()
	head, rule := "| workload |", "|---|"
	type column struct {
		metric metric
		pair   [2]string
	}
	var columns []column
	for _, p := range pairs {
		for _, m := range []metric{throughput, proxyCPU, serversCPU} {
			if m == proxyCPU && p[1] == direct || m != proxyCPU && p[0] == floor {
				continue
			}
			columns = append(columns, column{m, p})
			head += fmt.Sprintf(" %s %s/%s |", m, p[0], p[1])
			rule += "--:|"
		}
	}
	fmt.Fprintf(w, "%s\n%s\n", head, rule)
	for _, r := range rep.Results {
		cells := []string{r.Workload.Name}
		for _, c := range columns {
			cell := "–"
			if v, ok := r.ratio(c.metric, c.pair[0], c.pair[1]); ok {
				cell = fmt.Sprintf("%.2f", v)
			}
			cells = append(cells, cell)
		}
		fmt.Fprintf(w, "| %s |\n", strings.Join(cells, " | "))
	}
}

func (rep *report) bars(w io.Writer) {
	fmt.Fprintln(w, "| workload | bar | measured | |")
	fmt.Fprintln(w, "|---|---|--:|---|")
	for _, r := range rep.Results {
		for _, b := range r.Workload.bars {
			v, ok := r.ratio(b.metric, cashew, b.than)
			mark, value := "not measured", "–"
			if ok {
				mark, value = "**missed**", fmt.Sprintf("%.3f", v)
				if b.reached(v) {
					mark = "reached"
				}
			}
			fmt.Fprintf(w, "| %s | %s | %s | %s |\n", r.Workload.Name, b, value, mark)
		}
	}
}

// save writes the tables and the raw data into a directory, named by the time of the measurement.
func (rep *report) save(dir string, write func(*report, io.Writer)) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	base := filepath.Join(dir, rep.Began.Format("20060102-150405"))
	var text bytes.Buffer
	write(rep, &text)
	if err := os.WriteFile(base+".md", text.Bytes(), 0o644); err != nil {
		return err
	}
	raw, err := json.MarshalIndent(rep, "", " ")
	if err != nil {
		return err
	}
	return os.WriteFile(base+".json", append(raw, '\n'), 0o644)
}
