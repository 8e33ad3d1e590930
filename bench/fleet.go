package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// target is what a load generator is pointed at.
type target struct {
	name    string
	speaks  string // redis or memcached
	port    int
	drive   driver
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
	pools     []*pool
	cashew    string // path, once it is known
}

// pool is what the proxies of one protocol share.
type pool struct {
	speaks string
	shards []*process
	config string   // without the port to listen on
	spread []string // how the keys are spread over the servers
}

// stop ends every process, the newest first.
func (f *fleet) stop() {
	for i := len(f.processes) - 1; i >= 0; i-- {
		f.processes[i].stop()
	}
}

// of returns the targets that a workload is for.
func (f *fleet) of(w workload) (targets []*target) {
	for _, t := range f.targets {
		if t.speaks == w.Protocol && (t.name != floor || w.floor) {
			targets = append(targets, t)
		}
	}
	return targets
}

// startFleet starts the servers and the targets of o that the workloads need. The fleet must be stopped
// even after an error.
func startFleet(ctx context.Context, o *options, selected []workload, dir string) (*fleet, error) {
	f := &fleet{dir: dir}
	for _, protocol := range []string{redis, memcached} {
		if !slices.ContainsFunc(selected, func(w workload) bool { return w.Protocol == protocol }) {
			continue
		}
		for _, name := range o.targets {
			if name == floor && !slices.ContainsFunc(selected, func(w workload) bool { return w.Protocol == protocol && w.floor }) {
				continue
			}
			t, err := f.start(ctx, o, name, protocol)
			if err != nil {
				return f, err
			}
			f.targets = append(f.targets, t)
		}
	}
	return f, nil
}

// start starts a target, and the servers that it needs if they do not run yet.
func (f *fleet) start(ctx context.Context, o *options, name, protocol string) (*target, error) {
	t := &target{name: name, speaks: protocol, drive: redisBenchmark}
	if protocol == memcached {
		t.drive = ownGenerator
	}
	switch name {
	case direct:
		s, err := f.server(ctx, protocol, protocol+"-direct")
		if err != nil {
			return nil, err
		}
		t.port, t.servers = s.port, []*process{s}
	case floor:
		p, err := f.startFloor(ctx)
		if err != nil {
			return nil, err
		}
		t.port, t.proxy = p.port, p
	default:
		pool, err := f.pool(ctx, protocol)
		if err != nil {
			return nil, err
		}
		p, err := f.startProxy(ctx, o, name, pool)
		if err != nil {
			return nil, err
		}
		t.port, t.proxy, t.servers = p.port, p, pool.shards
	}
	return t, nil
}

// pool returns the servers behind the proxies of a protocol.
func (f *fleet) pool(ctx context.Context, protocol string) (*pool, error) {
	for _, p := range f.pools {
		if p.speaks == protocol {
			return p, nil
		}
	}
	p := &pool{speaks: protocol}
	for i := range 2 {
		s, err := f.server(ctx, protocol, protocol+"-"+strconv.Itoa(i))
		if err != nil {
			return nil, err
		}
		p.shards = append(p.shards, s)
	}
	p.config = configuration(protocol, p.shards)
	f.pools = append(f.pools, p)
	return p, nil
}

func (f *fleet) newProcess(name, path, speaks string) (*process, error) {
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	p := &process{name: name, path: path, port: port, speaks: speaks, logs: filepath.Join(f.dir, name+".log")}
	f.processes = append(f.processes, p)
	return p, nil
}

// server starts a server with one thread: for memcached, whose default is four, that is what makes two
// of them comparable with two of Redis.
func (f *fleet) server(ctx context.Context, protocol, name string) (*process, error) {
	program := "redis-server"
	if protocol == memcached {
		program = "memcached"
	}
	p, err := f.newProcess(name, program, protocol)
	if err != nil {
		return nil, err
	}
	port := strconv.Itoa(p.port)
	if protocol == memcached {
		// As root memcached insists on a user; as anybody else it ignores -u.
		return p, start(ctx, p, "-l", "127.0.0.1", "-p", port, "-U", "0", "-u", "root", "-t", "1", "-c", "4096", "-m", "256")
	}
	return p, start(ctx, p, "--port", port, "--bind", "127.0.0.1",
		"--save", "", "--appendonly", "no", "--dir", f.dir, "--logfile", p.logs)
}

// startFloor starts this program again, as a server that forwards nothing.
func (f *fleet) startFloor(ctx context.Context) (*process, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	p, err := f.newProcess(floor, self, redis)
	if err != nil {
		return nil, err
	}
	return p, start(ctx, p, "floor", "-port", strconv.Itoa(p.port))
}

// startProxy starts nutcracker or cashew: the same command line but for nutcracker's verbosity. At
// its default level nutcracker asks the kernel for the peer's name on every request, for a log line
// that it then does not write; -v 4 is its best.
func (f *fleet) startProxy(ctx context.Context, o *options, name string, pool *pool) (*process, error) {
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
	p, err := f.newProcess(name+"-"+pool.speaks, path, pool.speaks)
	if err != nil {
		return nil, err
	}
	stats, err := freePort()
	if err != nil {
		return nil, err
	}
	file := filepath.Join(f.dir, p.name+".yml")
	text := fmt.Sprintf("bench:\n  listen: 127.0.0.1:%d\n%s", p.port, pool.config)
	if name == cashew {
		text += "cashew: {admin: none}\n" // its default port may be somebody's
	}
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
func configuration(protocol string, shards []*process) string {
	var b strings.Builder
	b.WriteString("  hash: fnv1a_64\n  distribution: ketama\n")
	fmt.Fprintf(&b, "  redis: %t\n", protocol == redis)
	b.WriteString("  preconnect: true\n  backlog: 1024\n  servers:\n")
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
	if f.cashew != "" {
		return f.cashew, nil
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
	f.cashew = path
	return path, nil
}

// preload sets the keys that the workloads need: once directly, and once through the first proxy,
// whose ring the other proxy shares. A key that the other looks for elsewhere fails the run.
func (f *fleet) preload(selected []workload) error {
	for _, protocol := range []string{redis, memcached} {
		spaces := map[keyspace]bool{}
		total := 0
		for _, w := range selected {
			if w.Protocol == protocol && !spaces[w.keys] {
				spaces[w.keys] = true
				total += w.keys.keys
			}
		}
		proxied := false
		for _, t := range f.targets {
			if t.speaks != protocol || len(t.servers) == 0 || t.proxy != nil && proxied {
				continue
			}
			proxied = proxied || t.proxy != nil
			for k := range spaces {
				if err := fill(t.port, protocol, k); err != nil {
					return fmt.Errorf("loading keys through %s: %w%s", t.name, err, t.log())
				}
			}
			have, err := t.spread(total)
			if err != nil {
				return err
			}
			for _, p := range f.pools {
				if p.speaks == protocol && t.proxy != nil {
					p.spread = have
				}
			}
		}
	}
	return nil
}

// spread returns how many keys each server of the target has; all of them together are to have total.
func (t *target) spread(total int) (have []string, err error) {
	sum := 0
	for _, s := range t.servers {
		n, err := keysOf(s.port, t.speaks)
		if err != nil {
			return nil, err
		}
		if n == 0 {
			return nil, fmt.Errorf("%s got no key at all through %s", s.name, t.name)
		}
		have = append(have, strconv.Itoa(n))
		sum += n
	}
	if sum != total {
		return nil, fmt.Errorf("%d keys were loaded through %s, %d are there", total, t.name, sum)
	}
	return have, nil
}
