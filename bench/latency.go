package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"time"
)

// latencyCommand measures latencies in an open loop, at half of the rate that nutcracker can do.
func latencyCommand(ctx context.Context, args []string, stdout io.Writer) error {
	o := &options{targets: proxied}
	fs := flag.NewFlagSet("latency", flag.ContinueOnError)
	o.common(fs, 5, 60)
	rate := fs.Float64("rate", 0, "requests a second (default: half of nutcracker's saturation, which is measured first)")
	if err := parseAll(fs, args); err != nil {
		return err
	}
	if o.rounds < 1 || o.seconds <= 0 || *rate < 0 {
		return errors.New("-rounds and -seconds must be positive, and so -rate if it is given")
	}
	dir, err := os.MkdirTemp("", "cashew-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	rep, err := measureLatency(ctx, o, *rate, dir)
	if err != nil {
		return err
	}
	rep.latency(stdout)
	if o.out != "" {
		return rep.save(o.out, (*report).latency)
	}
	return nil
}

// latencyRow is what latencies are measured with.
func latencyRow() workload {
	return get("latency-get-50c", 50, 1, 20_000, 0,
		bar{p50, nutcracker, 1.1}, bar{p99, nutcracker, 1.1}, bar{p999, nutcracker, 1.1})
}

func measureLatency(ctx context.Context, o *options, rate float64, dir string) (*report, error) {
	w := latencyRow()
	w.floor = false
	f, err := startFleet(ctx, o, []workload{w}, dir)
	defer f.stop()
	if err != nil {
		return nil, err
	}
	if err := f.preload([]workload{w}); err != nil {
		return nil, err
	}
	rep := &report{Began: time.Now().UTC(), Rounds: o.rounds, Seconds: o.seconds, Targets: o.targets, Group: "latency", Load: readLine("/proc/loadavg")}
	rep.Machine = describeMachine(ctx, o, f)
	if rate == 0 {
		if rep.Saturation, err = saturation(ctx, f, w, min(o.seconds, saturationSeconds)); err != nil {
			return nil, err
		}
		rate = rep.Saturation / 2
	}
	w.Rate, w.seconds = rate, o.seconds
	r := result{Workload: w}
	for round := range o.rounds {
		for i := range f.targets {
			t := f.targets[(i+round)%len(f.targets)]
			s, err := t.latency(ctx, w)
			if err != nil {
				return nil, err
			}
			s.Round = round
			r.Samples = append(r.Samples, s)
			fmt.Fprintf(os.Stderr, "latency round %d  %-12s %8.0f/s  p50 %.3f  p99 %.3f  p99.9 %.3f  max %.3f ms\n",
				round+1, t.name, s.Throughput, s.P50, s.P99, s.P999, s.Max)
		}
	}
	rep.Results = []result{r}
	return rep, nil
}

// saturationSeconds is how long nutcracker is saturated, three times.
const saturationSeconds = 5

// saturation returns how many requests a second nutcracker can do with the same clients in a closed loop. The
// generator is the same too, so that half of it is half of it.
func saturation(ctx context.Context, f *fleet, w workload, length float64) (float64, error) {
	i := slices.IndexFunc(f.targets, func(t *target) bool { return t.name == nutcracker })
	t := *f.targets[i]
	t.drive = ownGenerator
	s, err := t.load(ctx, w, w.probe)
	var rates []float64
	for range 3 {
		if err == nil {
			s, err = t.load(ctx, w, max(w.probe, int(s.Throughput*length)))
			rates = append(rates, s.Throughput)
		}
	}
	return median(rates), err
}

// latency is one run of an open loop against a target. Of cashew it also tells what the garbage collector did.
func (t *target) latency(ctx context.Context, w workload) (sample, error) {
	open := *t
	open.drive = openLoop
	if t.name != cashew {
		return open.load(ctx, w, 0)
	}
	before, err := collector(ctx, t.proxy.admin)
	if err != nil {
		return sample{}, err
	}
	s, err := open.load(ctx, w, 0)
	if err != nil {
		return s, err
	}
	after, err := collector(ctx, t.proxy.admin)
	after.add(before, -1)
	s.Collector = &after
	return s, err
}

// latency prints the report of a latency run.
func (rep *report) latency(w io.Writer) {
	r := rep.Results[0]
	fmt.Fprintf(w, "# Latency, measured %s\n\n- Load average at the start: %s\n", rep.Began.Format("2006-01-02 15:04 MST"), rep.Load)
	for _, fact := range rep.Machine {
		fmt.Fprintf(w, "- %s\n", fact)
	}
	fmt.Fprintf(w, "- GET of %d bytes, %d clients in an open loop: %.0f requests/s at random moments (Poisson)", small.valueSize, r.Workload.Clients, r.Workload.Rate)
	if rep.Saturation > 0 {
		fmt.Fprintf(w, ", half of the %.0f/s that nutcracker does in a closed one", rep.Saturation)
	}
	fmt.Fprintf(w, "\n- Rounds: %d of %g s, targets in alternation\n", rep.Rounds, rep.Seconds)
	fmt.Fprint(w, "\nMedians of the rounds, in ms from when a request should have been sent; of the longest both the median and the worst of all rounds.\n"+
		"The last column is by how much 99 % of the requests were sent too late at most: that is the generator's, and in all figures.\n\n")
	rep.latencies(w)
	fmt.Fprint(w, "\n")
	rep.bars(w)
	rep.collectors(w)
}

func (rep *report) latencies(w io.Writer) {
	r := rep.Results[0]
	fmt.Fprintln(w, "| target | requests/s | p50 | p99 | p99.9 | longest | worst | proxy CPU µs | sent late |")
	fmt.Fprintln(w, "|---|--:|--:|--:|--:|--:|--:|--:|--:|")
	for _, t := range rep.Targets {
		worst, proxy := 0.0, "–"
		if t != direct {
			proxy = fmt.Sprintf("%.3g", r.median(t, proxyCPU.of))
		}
		longest := r.median(t, func(s sample) float64 { worst = max(worst, s.Max); return s.Max })
		fmt.Fprintf(w, "| %s | %.0f | %.3f | %.3f | %.3f | %.2f | %.2f | %s | %.3f |\n", t, r.median(t, throughput.of),
			r.median(t, p50.of), r.median(t, p99.of), r.median(t, p999.of), longest, worst,
			proxy, r.median(t, func(s sample) float64 { return s.Late99 }))
	}
}
