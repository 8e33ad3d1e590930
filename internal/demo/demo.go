// Package demo runs cashew in front of Redis and memcached servers of its own, so that somebody who has
// just built it sees it work, with nothing else installed.
//
// Only the command line uses it. Run owns everything that it starts, on the caller's goroutine: the
// servers, the proxy and the directory of its configuration are gone when it returns. The Redis servers
// are miniredis, which is made for tests, and those of memcached a small one of this package's own: what
// is measured here says little about cashew.
package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"
)

// Options say how to run.
type Options struct {
	Out io.Writer

	// Terminal has the live line rewritten in place. Otherwise there is a line whenever something
	// has changed.
	Terminal bool

	// Duration ends the demonstration; 0 is not before the context ends.
	Duration time.Duration
}

// preferredPort is where nutcracker's own example listens, and the next one is for memcached; ports of
// the kernel's choice serve as well.
const preferredPort = 22121

// The servers' names are also the ring names, so that keys go to the same servers every time although
// the ports differ.
var (
	redisNames = []string{"one", "two", "three"}
	cacheNames = []string{"four", "five"}
)

// liveEvery is the time between two live lines.
const liveEvery = time.Second

// stopWithin is what clients have for what they have already asked.
const stopWithin = 2 * time.Second

// Run demonstrates until ctx or the duration ends, which is no error.
func Run(ctx context.Context, o Options) error { return run(ctx, o, preferredPort, liveEvery) }

func run(ctx context.Context, o Options, port int, every time.Duration) (err error) {
	if o.Duration > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, o.Duration)
		defer cancel()
	}
	s, err := startStage(port)
	if err != nil {
		return err
	}
	defer func() {
		// The context has ended, the clients' last moments are their own.
		stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopWithin)
		defer cancel()
		err = errors.Join(err, s.close(stop))
	}()
	if err := s.introduce(o.Out); err != nil {
		return err
	}
	if err := s.watch(ctx, o, every); err != nil {
		return err
	}
	_, err = fmt.Fprintln(o.Out, "Stopped.")
	return err
}
