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
	"runtime"
	"syscall"
)

func main() {
	// Children die with the thread that started them (see childAttr), so that thread must be this one.
	runtime.LockOSThread()
	if err := command(os.Args[1:]); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func command(args []string) error {
	if len(args) > 0 {
		if sub := subcommands[args[0]]; sub != nil { // a process of its own: a signal ends it
			return sub(args[1:], os.Stdout)
		}
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if len(args) > 0 && args[0] == "latency" {
		return latencyCommand(ctx, args[1:], os.Stdout)
	}
	o, err := parseFlags(args)
	if err != nil {
		return err
	}
	return run(ctx, o, os.Stdout)
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
		err = rep.save(o.out, (*report).markdown)
	}
	if o.publish {
		err = errors.Join(err, rep.publish(repository))
	}
	return err
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
