package main

import (
	"context"
	"fmt"
	"io"
	"math"
)

// What -check compares.
const (
	known = "redis-benchmark"
	own   = "cashew-bench"
)

// written is a keyspace of its own: redis-benchmark writes other values than the generator expects.
var written = keyspace{"written:", 100_000, 32}

// checked are the loads that both generators make.
var checked = []workload{
	get("get-1c", 1, 1, 5_000, 0),
	get("get-50c", 50, 1, 20_000, 0),
	get("get-1000c", 1000, 1, 20_000, 0),
	get("get-50c-P16", 50, 16, 100_000, pipelined),
	get("get-50c-P100", 50, 100, 200_000, pipelined),
	get("get-1000c-P16", 1000, 16, 100_000, pipelined),
	set("set-50c", written, 50, 20_000),
	set("set-1000c", written, 1000, 20_000),
	pipes(set("set-50c-P16", written, 50, 100_000), 16),
}

func pipes(w workload, pipeline int) workload {
	w.Pipeline = pipeline
	return w
}

const (
	// apart is by how much throughputs may differ where the server is the limit of both.
	apart = 0.1
	// busy is the share of a core that a server uses when it is the limit. With less, the generator is,
	// and then a cheaper one has more throughput.
	busy = 0.9
)

// check compares the load generator for memcached with redis-benchmark: both speak to one redis-server,
// in alternation.
func check(ctx context.Context, o *options, dir string, stdout io.Writer) error {
	selected, err := o.selected(checked)
	if err != nil {
		return err
	}
	f := &fleet{dir: dir}
	defer f.stop()
	s, err := f.server(ctx, redis, "redis")
	if err != nil {
		return err
	}
	t := target{name: known, speaks: redis, port: s.port, drive: redisBenchmark, behind: 2, servers: []*process{s}}
	other := t
	other.name, other.drive = own, ownGenerator
	f.targets = []*target{&t, &other}
	for _, k := range []keyspace{small, written} {
		if err := fill(s.port, redis, k); err != nil {
			return err
		}
	}
	rep := report{Quick: o.quick, Rounds: o.rounds, Targets: []string{known, own}}
	for _, w := range selected {
		r, err := measure(ctx, o, f, w)
		if err != nil {
			return err
		}
		rep.Results = append(rep.Results, r)
	}
	rep.comparison(stdout)
	return nil
}

// comparison prints what check found: medians, and the median of the ratios of each round.
func (rep *report) comparison(w io.Writer) {
	fmt.Fprintf(w, "The load generator for memcached (%s) against %s, on the same redis-server; rounds: %d.\n", own, known, rep.Rounds)
	fmt.Fprintf(w, "Pairs of figures are %s's and this tool's. A server that is not busy waits for the load.\n\n", known)
	if rep.Quick {
		fmt.Fprint(w, quickNote)
	}
	fmt.Fprintln(w, "| load | requests/s | ratio | p50 ms | p99 ms | server's CPU µs | server busy | |")
	fmt.Fprintln(w, "|---|--:|--:|--:|--:|--:|--:|---|")
	for _, r := range rep.Results {
		both := func(format string, pick func(sample) float64) string {
			return fmt.Sprintf(format+" / "+format, r.median(known, pick), r.median(own, pick))
		}
		ratio, _ := r.ratio(throughput, own, known)
		fmt.Fprintf(w, "| %s | %s | %.2f | %s | %s | %s | %s | %s |\n", r.Workload.Name,
			both("%.0f", throughput.of), ratio,
			both("%.3f", func(s sample) float64 { return s.P50 }),
			both("%.3f", func(s sample) float64 { return s.P99 }),
			both("%.3g", serversCPU.of), both("%.2f", busyShare), verdict(ratio, r.median(known, busyShare)))
	}
}

// busyShare is the part of a core that the servers used.
func busyShare(s sample) float64 { return s.ServersCPU * s.Throughput / 1e6 }

// verdict judges the ratio of the throughputs, given how busy redis-benchmark kept the server.
func verdict(ratio, share float64) string {
	switch {
	case math.Abs(ratio-1) <= apart:
		return "the same"
	case share < busy && ratio > 1:
		return known + " is the limit"
	}
	return "**apart**"
}
