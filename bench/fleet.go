package main

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"
)

// target is what a load generator is pointed at.
type target struct {
	name    string
	speaks  string // redis or memcached
	behind  int    // how many servers are behind the proxies; direct is one for each of them
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

// pool is what the proxies of one protocol share that place keys alike.
type pool struct {
	speaks string
	owner  string // a peer that places keys in a way of its own; "" is for nutcracker and cashew
	shards []*process
	config string   // of nutcracker and cashew, without the port to listen on
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
		if t.speaks == w.Protocol && t.behind == w.Servers && measures(t.name, w) {
			targets = append(targets, t)
		}
	}
	return targets
}

// measures says whether a target is measured with a workload.
func measures(name string, w workload) bool {
	if name == floor {
		return w.floor
	}
	p := peerNamed(name)
	return p == nil || p.speaks(w.Protocol) && !w.RESP3
}

// startFleet starts the servers and the targets of o that the workloads need. The fleet must be stopped
// even after an error.
func startFleet(ctx context.Context, o *options, selected []workload, dir string) (*fleet, error) {
	f := &fleet{dir: dir}
	for _, protocol := range []string{redis, memcached} {
		for _, name := range o.targets {
			i := slices.IndexFunc(selected, func(w workload) bool { return w.Protocol == protocol && measures(name, w) })
			if i < 0 {
				continue
			}
			t, err := f.start(ctx, o, name, protocol, selected[i].Servers)
			if err != nil {
				return f, err
			}
			f.targets = append(f.targets, t)
		}
	}
	return f, nil
}

// start starts a target, and the servers that it needs if they do not run yet.
func (f *fleet) start(ctx context.Context, o *options, name, protocol string, servers int) (*target, error) {
	t := &target{name: name, speaks: protocol, behind: servers, drive: redisBenchmark}
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
		pool, err := f.pool(ctx, protocol, placementOf(name), servers)
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

// placementOf returns whose pool a proxy is in front of.
func placementOf(name string) (owner string) {
	if peerNamed(name) != nil {
		return name
	}
	return ""
}

// pool returns the servers behind the proxies of a protocol that place keys alike.
func (f *fleet) pool(ctx context.Context, protocol, owner string, servers int) (*pool, error) {
	for _, p := range f.pools {
		if p.speaks == protocol && p.owner == owner {
			return p, nil
		}
	}
	p := &pool{speaks: protocol, owner: owner}
	for i := range servers {
		s, err := f.server(ctx, protocol, protocol+owner+"-"+strconv.Itoa(i))
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
