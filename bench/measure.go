package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"
)

// measureAll runs the workloads that were asked for, on servers and proxies of its own.
func measureAll(ctx context.Context, o *options, dir string) (*report, error) {
	selected, err := o.selected(o.group.rows)
	if err != nil {
		return nil, err
	}
	rep := &report{Began: time.Now().UTC(), Quick: o.quick, Rounds: o.rounds, Seconds: o.seconds, Targets: o.targets, Group: o.group.name}
	rep.Load = readLine("/proc/loadavg")
	for len(selected) > 0 {
		servers := selected[0].Servers
		part := slices.DeleteFunc(slices.Clone(selected), func(w workload) bool { return w.Servers != servers })
		selected = slices.DeleteFunc(selected, func(w workload) bool { return w.Servers == servers })
		if err := rep.measurePart(ctx, o, part, filepath.Join(dir, strconv.Itoa(servers))); err != nil {
			return nil, err
		}
	}
	return rep, nil
}

// measurePart runs workloads that have as many servers. So no more run than are needed.
func (rep *report) measurePart(ctx context.Context, o *options, part []workload, dir string) error {
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	f, err := startFleet(ctx, o, part, dir)
	defer f.stop()
	if err != nil {
		return err
	}
	if err := f.preload(part); err != nil {
		return err
	}
	for _, fact := range describeMachine(ctx, o, f) {
		if !slices.Contains(rep.Machine, fact) {
			rep.Machine = append(rep.Machine, fact)
		}
	}
	for _, w := range part {
		r, err := measure(ctx, o, f, w)
		if err != nil {
			return err
		}
		rep.Results = append(rep.Results, r)
	}
	return nil
}

// measure runs one workload: a short run per target that warms up and tells how many requests fill
// the wanted time, then the rounds.
func measure(ctx context.Context, o *options, f *fleet, w workload) (result, error) {
	r := result{Workload: w}
	requests := map[string]int{}
	var able []*target
	for _, t := range f.of(w) {
		s, err := t.load(ctx, w, w.probe)
		if err != nil {
			if err := r.unable(ctx, t, err); err != nil {
				return r, err
			}
			continue
		}
		n := int(s.Throughput * o.seconds)
		if !o.quick {
			n = max(n, w.atLeast)
		}
		requests[t.name] = max(n, w.probe)
		able = append(able, t)
	}
	for round := range o.rounds {
		for i := range able {
			t := able[(i+round)%len(able)] // whoever is first this time is last the next
			if r.Unable[t.name] != "" {
				continue
			}
			profiled := o.profile(ctx, t, w)
			s, err := t.load(ctx, w, requests[t.name])
			if err = errors.Join(err, profiled()); err != nil {
				if err := r.unable(ctx, t, err); err != nil {
					return r, err
				}
				continue
			}
			s.Round = round
			r.Samples = append(r.Samples, s)
			fmt.Fprintf(os.Stderr, "%-16s round %d  %-15s %10.0f/s  proxy %6.2f µs  servers %6.2f µs\n",
				w.Name, round+1, t.name, s.Throughput, s.ProxyCPU, s.ServersCPU)
		}
	}
	return r, nil
}

// unable notes that somebody else's proxy does not manage the workload, and starts that proxy anew for the next
// one. Of cashew, and without a proxy, it is an error.
func (r *result) unable(ctx context.Context, t *target, err error) error {
	if !r.Workload.mayFail || t.name != nutcracker && peerNamed(t.name) == nil || ctx.Err() != nil {
		return err
	}
	if r.Unable == nil {
		r.Unable = map[string]string{}
	}
	r.Unable[t.name] = err.Error()
	fmt.Fprintf(os.Stderr, "%-16s %s does not manage it: %v\n", r.Workload.Name, t.name, err)
	if again := t.proxy.restart(ctx); again != nil {
		return errors.Join(err, again)
	}
	return nil
}
