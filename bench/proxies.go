package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
)

// startProxy starts a proxy. Of nutcracker and cashew it is the same command line but for nutcracker's verbosity. At
// its default level nutcracker asks the kernel for the peer's name on every request, for a log line
// that it then does not write; -v 4 is its best.
func (f *fleet) startProxy(ctx context.Context, o *options, name string, pool *pool) (*process, error) {
	path, err := f.pathOf(ctx, o, name)
	if err != nil {
		return nil, err
	}
	p, err := f.newProcess(name+"-"+pool.speaks, path, pool.speaks)
	if err != nil {
		return nil, err
	}
	var stats int
	for _, port := range []*int{&stats, &p.admin} {
		if *port, err = freePort(); err != nil {
			return nil, err
		}
	}
	if peer := peerNamed(name); peer != nil {
		return p, peer.start(ctx, f.dir, p, pool)
	}
	file := filepath.Join(f.dir, p.name+".yml")
	text := fmt.Sprintf("bench:\n  listen: 127.0.0.1:%d\n%s", p.port, pool.config)
	if name == joining {
		text += "  coalesce_reads: true\n"
	}
	if name != nutcracker {
		text += ofCashew(name, p.admin)
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

// pathOf returns the path of a proxy's program.
func (f *fleet) pathOf(ctx context.Context, o *options, name string) (path string, err error) {
	switch peer := peerNamed(name); {
	case peer != nil:
		path = o.peers[name]
	case name == nutcracker:
		path = o.nutcracker
	default:
		if path, err = f.cashewPath(ctx, o); err != nil {
			return "", err
		}
	}
	return filepath.Abs(lookup(path))
}

// ofCashew returns what a configuration has that only cashew reads: where the admin listener is, whose default
// port may be somebody's, and the number of workers if the target's name has one.
func ofCashew(name string, admin int) string {
	text := fmt.Sprintf("cashew:\n  admin: 127.0.0.1:%d\n", admin)
	if fixed(name) {
		text += "  threads: " + strings.TrimPrefix(name, cashew+"-") + "\n"
	}
	return text
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
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=false", "-o", path, "./cmd/cashew")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building cashew: %w\n%s", err, out)
	}
	f.cashew = path
	return path, nil
}
