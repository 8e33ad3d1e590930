package main

import (
	"errors"
	"flag"
	"fmt"
	"maps"
	"os/exec"
	"regexp"
	"slices"
	"strings"
)

// options is the command line.
type options struct {
	rounds     int
	seconds    float64
	quick      bool
	check      bool
	publish    bool
	group      *group
	only       *regexp.Regexp
	targets    []string
	cashew     string // path; "" builds it
	nutcracker string
	peers      map[string]string // paths by name, of those that are to be measured
	out        string            // directory; "" writes no files
	profiles   string            // the same, of cashew's CPU
}

// targetNames are what the rows of the table are measured with.
var targetNames = []string{direct, nutcracker, cashew, floor}

// common adds the flags that every measurement has.
func (o *options) common(fs *flag.FlagSet, rounds int, seconds float64) {
	fs.IntVar(&o.rounds, "rounds", rounds, "rounds; every target runs once in each")
	fs.Float64Var(&o.seconds, "seconds", seconds, "how long one run should take")
	fs.StringVar(&o.cashew, "cashew", "", "the cashew to measure (default: built from ./cmd/cashew)")
	fs.StringVar(&o.nutcracker, "nutcracker", "nutcracker", "the nutcracker to measure")
	fs.StringVar(&o.out, "out", "", "directory for the table and the raw data")
}

func parseFlags(args []string) (*options, error) {
	o := &options{peers: map[string]string{}}
	fs := flag.NewFlagSet("bench", flag.ContinueOnError)
	o.common(fs, 3, 3)
	fs.BoolVar(&o.quick, "quick", false, "one round of short runs: shows that it works, measures nothing")
	fs.BoolVar(&o.check, "check", false, "only compare the load generator for memcached with redis-benchmark")
	fs.BoolVar(&o.publish, "publish", false, "also write the figures into README.md, docs/performance.md and the picture")
	fs.StringVar(&o.profiles, "profile", "", "directory for a profile of cashew's CPU in each row")
	group := fs.String("group", groups[0].name, "which rows: table, many (keys in a request), large (values), workers, hot (one key) or peers")
	only := fs.String("only", "", "run only the workloads whose name matches this regular expression")
	targets := fs.String("targets", "", "what to measure: "+strings.Join(targetNames, ", ")+", cashew-N with N workers, "+joining+" with coalesce_reads (default: what the group is for)")
	for _, p := range peers {
		fs.Func(p.name, "path of a "+p.name+" to measure too", func(path string) error {
			if path != "" {
				o.peers[p.name] = path
			}
			return nil
		})
	}
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
	if o.group, err = groupNamed(*group); err != nil {
		return nil, err
	}
	return o, o.chooseTargets(*targets)
}

// chooseTargets settles what is measured: what was asked for, or what the group is for, and the peers that were
// given.
func (o *options) chooseTargets(names string) error {
	o.targets = slices.Clone(o.group.targets)
	if names != "" {
		o.targets = strings.Split(names, ",")
	}
	for _, name := range o.targets {
		if !slices.Contains(targetNames, name) && !fixed(name) && name != joining {
			return fmt.Errorf("-targets: %q is none of %s, nor %s-N, nor %s", name, strings.Join(targetNames, ", "), cashew, joining)
		}
	}
	if o.group.name == "peers" && len(o.peers) == 0 {
		return errors.New("the group peers needs the path of at least one other proxy: -predixy, -codis (codis-proxy) or -overlord")
	}
	for _, name := range slices.Sorted(maps.Keys(o.peers)) {
		if _, err := exec.LookPath(o.peers[name]); err != nil {
			return fmt.Errorf("-%s: there is no program %s to measure: %w", name, o.peers[name], err)
		}
		o.targets = append(o.targets, name)
	}
	return nil
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
