package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// target is what redis-benchmark is pointed at.
type target struct {
	name    string
	port    int
	proxy   *process // nil for direct
	servers []*process
}

// cpu returns what the proxy and all the servers of the target have used since they were started.
func (t *target) cpu() (proxy, servers time.Duration, err error) {
	if t.proxy != nil {
		if proxy, err = cpuTime(t.proxy.cmd.Process.Pid); err != nil {
			return 0, 0, err
		}
	}
	for _, s := range t.servers {
		d, err := cpuTime(s.cmd.Process.Pid)
		if err != nil {
			return 0, 0, err
		}
		servers += d
	}
	return proxy, servers, nil
}

func (t *target) log() string {
	if t.proxy == nil {
		return ""
	}
	return t.proxy.tail()
}

// fleet is everything that runs during the measurement.
type fleet struct {
	dir       string
	processes []*process
	targets   []*target
	config    string   // the proxies' configuration, without the port to listen on
	spread    []string // how the keys are spread over the servers
}

// stop ends every process, the newest first.
func (f *fleet) stop() {
	for i := len(f.processes) - 1; i >= 0; i-- {
		f.processes[i].stop()
	}
}

// startFleet starts the servers and the targets of o. The fleet must be stopped even after an error.
func startFleet(ctx context.Context, o *options, dir string) (*fleet, error) {
	f := &fleet{dir: dir}
	var shards []*process
	for _, name := range o.targets {
		if name == direct {
			s, err := f.redis(ctx, "redis-direct")
			if err != nil {
				return f, err
			}
			f.targets = append(f.targets, &target{name: direct, port: s.port, servers: []*process{s}})
			continue
		}
		for i := len(shards); i < 2; i++ {
			s, err := f.redis(ctx, "redis-"+strconv.Itoa(i))
			if err != nil {
				return f, err
			}
			shards = append(shards, s)
		}
		p, err := f.startProxy(ctx, o, name, shards)
		if err != nil {
			return f, err
		}
		f.targets = append(f.targets, &target{name: name, port: p.port, proxy: p, servers: shards})
	}
	return f, nil
}

func (f *fleet) newProcess(name, path string) (*process, error) {
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	p := &process{name: name, path: path, port: port, logs: filepath.Join(f.dir, name+".log")}
	f.processes = append(f.processes, p)
	return p, nil
}

func (f *fleet) redis(ctx context.Context, name string) (*process, error) {
	p, err := f.newProcess(name, "redis-server")
	if err != nil {
		return nil, err
	}
	return p, start(ctx, p, "--port", strconv.Itoa(p.port), "--bind", "127.0.0.1",
		"--save", "", "--appendonly", "no", "--dir", f.dir, "--logfile", p.logs)
}

// startProxy starts nutcracker or cashew: the same command line but for nutcracker's verbosity. At
// its default level nutcracker asks the kernel for the peer's name on every request, for a log line
// that it then does not write; -v 4 is its best.
func (f *fleet) startProxy(ctx context.Context, o *options, name string, shards []*process) (*process, error) {
	path := o.nutcracker
	if name == cashew {
		var err error
		if path, err = f.cashewPath(ctx, o); err != nil {
			return nil, err
		}
	}
	path, err := filepath.Abs(lookup(path))
	if err != nil {
		return nil, err
	}
	p, err := f.newProcess(name, path)
	if err != nil {
		return nil, err
	}
	stats, err := freePort()
	if err != nil {
		return nil, err
	}
	f.config = configuration(shards)
	file := filepath.Join(f.dir, name+".yml")
	text := fmt.Sprintf("bench:\n  listen: 127.0.0.1:%d\n%s", p.port, f.config)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		return nil, err
	}
	args := []string{"-c", file, "-o", p.logs, "-s", strconv.Itoa(stats), "-a", "127.0.0.1"}
	if name == nutcracker {
		args = append(args, "-v", "4")
	}
	return p, start(ctx, p, args...)
}

// lookup finds a program in PATH; what is not there is taken as a path and fails when it is started.
func lookup(program string) string {
	if path, err := exec.LookPath(program); err == nil {
		return path
	}
	return program
}

// configuration returns the pool's settings. The servers have names, so that the ring, and with it
// the share of the keys that each server gets, does not depend on the ports.
func configuration(shards []*process) string {
	var b strings.Builder
	b.WriteString("  hash: fnv1a_64\n  distribution: ketama\n  redis: true\n  preconnect: true\n  backlog: 1024\n  servers:\n")
	for i, s := range shards {
		fmt.Fprintf(&b, "    - 127.0.0.1:%d:1 shard%d\n", s.port, i)
	}
	return b.String()
}

// cashewPath returns the cashew to measure, built from this tree if none was given.
func (f *fleet) cashewPath(ctx context.Context, o *options) (string, error) {
	if o.cashew != "" {
		return o.cashew, nil
	}
	dir, err := root()
	if err != nil {
		return "", err
	}
	path := filepath.Join(f.dir, "cashew")
	cmd := exec.CommandContext(ctx, "go", "build", "-buildvcs=false", "-o", path, "./cmd/cashew")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building cashew: %w\n%s", err, out)
	}
	return path, nil
}

// preload sets the keys that the workloads need: once directly, and once through the first proxy,
// whose ring the other proxy shares. A key that the other looks for elsewhere fails the run.
func (f *fleet) preload(selected []workload) error {
	spaces := map[keyspace]bool{}
	total := 0
	for _, w := range selected {
		if !spaces[w.keys] {
			spaces[w.keys] = true
			total += w.keys.keys
		}
	}
	proxied := false
	for _, t := range f.targets {
		if t.proxy != nil && proxied {
			continue
		}
		proxied = proxied || t.proxy != nil
		for k := range spaces {
			if err := fill(t.port, k); err != nil {
				return fmt.Errorf("loading keys through %s: %w%s", t.name, err, t.log())
			}
		}
		var have []string
		sum := 0
		for _, s := range t.servers {
			n, err := keysOf(s.port)
			if err != nil {
				return err
			}
			if n == 0 {
				return fmt.Errorf("%s got no key at all through %s", s.name, t.name)
			}
			have = append(have, strconv.Itoa(n))
			sum += n
		}
		if sum != total {
			return fmt.Errorf("%d keys were loaded through %s, %d are there", total, t.name, sum)
		}
		if t.proxy != nil {
			f.spread = have
		}
	}
	return nil
}
