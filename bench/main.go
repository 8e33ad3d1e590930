// Command bench measures cashew against nutcracker (twemproxy) and against no proxy at all.
//
// It starts everything itself on loopback: two redis-servers, nutcracker and cashew in front of both
// with the same configuration, and a third redis-server that has every key, for the runs without a
// proxy; and the same once more with memcached. redis-benchmark makes the load for Redis. For
// memcached a generator of this program's own does, because no packaged one has pipelines, many
// connections in one thread and quantiles; -check compares it with redis-benchmark. Targets take turns
// within every round, so that whatever else happens on the machine hits all of them, and a ratio is the
// median of the ratios of each round.
//
// What one process spends is read from its CPU clock, before and after the load. Linux only.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"
)

// options is the command line.
type options struct {
	rounds     int
	seconds    float64
	quick      bool
	check      bool
	publish    bool
	only       *regexp.Regexp
	targets    []string
	cashew     string // path; "" builds it
	nutcracker string
	out        string // directory; "" writes no files
}

func main() {
	// Children die with the thread that started them (see childAttr), so that thread must be this one.
	runtime.LockOSThread()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := command(ctx, os.Args[1:])
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "bench:", err)
		stop()
		os.Exit(1)
	}
}

func command(ctx context.Context, args []string) error {
	if len(args) > 0 {
		if sub := subcommands[args[0]]; sub != nil {
			return sub(args[1:], os.Stdout)
		}
	}
	o, err := parseFlags(args)
	if err != nil {
		return err
	}
	return run(ctx, o, os.Stdout)
}

// targetNames are what can be measured.
var targetNames = []string{direct, nutcracker, cashew, floor}

func parseFlags(args []string) (*options, error) {
	o := &options{}
	fs := flag.NewFlagSet("bench", flag.ContinueOnError)
	fs.IntVar(&o.rounds, "rounds", 3, "rounds per workload; every target runs once in each")
	fs.Float64Var(&o.seconds, "seconds", 3, "how long one run should take")
	fs.BoolVar(&o.quick, "quick", false, "one round of short runs: shows that it works, measures nothing")
	fs.BoolVar(&o.check, "check", false, "only compare the load generator for memcached with redis-benchmark")
	fs.BoolVar(&o.publish, "publish", false, "also write the figures into README.md and docs/performance.md")
	only := fs.String("only", "", "run only the workloads whose name matches this regular expression")
	targets := fs.String("targets", strings.Join(targetNames, ","), "what to measure")
	fs.StringVar(&o.cashew, "cashew", "", "the cashew to measure (default: built from ./cmd/cashew)")
	fs.StringVar(&o.nutcracker, "nutcracker", "nutcracker", "the nutcracker to measure")
	fs.StringVar(&o.out, "out", "", "directory for the table and the raw data")
	if err := fs.Parse(args); err != nil {
		return nil, err
	}
	if o.quick {
		o.rounds, o.seconds = 1, 0.3
	}
	if fs.NArg() > 0 || o.rounds < 1 || o.seconds <= 0 {
		return nil, errors.New("no arguments besides flags; -rounds and -seconds must be positive")
	}
	var err error
	if o.only, err = regexp.Compile(*only); err != nil {
		return nil, fmt.Errorf("-only: %w", err)
	}
	for name := range strings.SplitSeq(*targets, ",") {
		if !slices.Contains(targetNames, name) {
			return nil, fmt.Errorf("-targets: %q is none of %s", name, strings.Join(targetNames, ", "))
		}
		o.targets = append(o.targets, name)
	}
	return o, nil
}

// selected returns those of the workloads that -only names.
func (o *options) selected(all []workload) (selected []workload, err error) {
	for _, w := range all {
		if o.only.MatchString(w.Name) {
			selected = append(selected, w)
		}
	}
	if len(selected) == 0 {
		return nil, fmt.Errorf("no workload matches -only %s", o.only)
	}
	return selected, nil
}

// run does what was asked for. Whatever it started has ended when it returns.
func run(ctx context.Context, o *options, stdout io.Writer) error {
	dir, err := os.MkdirTemp("", "cashew-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if o.check {
		return check(ctx, o, dir, stdout)
	}
	repository := ""
	if o.publish {
		if repository, err = root(); err == nil {
			err = o.publishable(repository)
		}
		if err != nil {
			return err
		}
	}
	rep, err := measureAll(ctx, o, dir)
	if err != nil {
		return err
	}
	rep.markdown(stdout)
	if o.out != "" {
		err = rep.save(o.out)
	}
	if o.publish {
		err = errors.Join(err, rep.publish(repository))
	}
	return err
}

// measureAll runs the workloads that were asked for, on servers and proxies of its own.
func measureAll(ctx context.Context, o *options, dir string) (*report, error) {
	selected, err := o.selected(workloads)
	if err != nil {
		return nil, err
	}
	f, err := startFleet(ctx, o, selected, dir)
	defer f.stop()
	if err != nil {
		return nil, err
	}
	if err := f.preload(selected); err != nil {
		return nil, err
	}
	rep := &report{Began: time.Now().UTC(), Quick: o.quick, Rounds: o.rounds, Seconds: o.seconds, Targets: o.targets}
	rep.Load = readLine("/proc/loadavg")
	rep.Machine = describeMachine(ctx, o, f)
	for _, w := range selected {
		samples, err := measure(ctx, o, f, w)
		if err != nil {
			return nil, err
		}
		rep.Results = append(rep.Results, result{Workload: w, Samples: samples})
	}
	return rep, nil
}

// measure runs one workload: a short run per target that warms up and tells how many requests fill
// the wanted time, then the rounds.
func measure(ctx context.Context, o *options, f *fleet, w workload) ([]sample, error) {
	requests := map[string]int{}
	targets := f.of(w)
	for _, t := range targets {
		s, err := t.load(ctx, w, w.probe)
		if err != nil {
			return nil, err
		}
		n := int(s.Throughput * o.seconds)
		if !o.quick {
			n = max(n, w.atLeast)
		}
		requests[t.name] = max(n, w.probe)
	}
	var samples []sample
	for round := range o.rounds {
		for i := range targets {
			t := targets[(i+round)%len(targets)] // whoever is first this time is last the next
			s, err := t.load(ctx, w, requests[t.name])
			if err != nil {
				return nil, err
			}
			s.Round = round
			samples = append(samples, s)
			fmt.Fprintf(os.Stderr, "%-16s round %d  %-15s %10.0f/s  proxy %6.2f µs  servers %6.2f µs\n",
				w.Name, round+1, t.name, s.Throughput, s.ProxyCPU, s.ServersCPU)
		}
	}
	return samples, nil
}

// root returns the directory of the module, for building cashew from it.
func root() (string, error) {
	dir, err := os.Getwd()
	for err == nil {
		if _, e := os.Stat(filepath.Join(dir, "cmd", "cashew")); e == nil {
			return dir, nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", errors.New("no cmd/cashew here or above: run bench inside the repository or give -cashew")
		}
		dir = parent
	}
	return "", err
}
