package daemon

import (
	"context"
	"os"
	"syscall"
	"time"
)

// handled are the signals that the process answers. SIGUSR2 is only logged, as in twemproxy, where
// SIGUSR1 is too: unhandled it would end the process. SIGPIPE is here so that a closed standard error
// does not either.
var handled = []os.Signal{
	syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGTTIN, syscall.SIGTTOU,
	syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGPIPE,
}

// ender is a Proxy that may end by itself, when it cannot go on.
type ender interface {
	Ended() <-chan struct{}
}

// endWithin is how long the end at once may take: the data plane has sockets to remove, if it still can.
const endWithin = time.Second

// serve waits for the end: the first SIGINT or SIGTERM begins an orderly one, the second ends at once.
func (r *run) serve(ctx context.Context, signals <-chan os.Signal, proxy Proxy) int {
	begin := ctx.Done()
	patience, cut := context.WithCancel(context.Background())
	defer cut()
	var ended <-chan struct{} // nil once the end is wanted
	if e, ok := proxy.(ender); ok {
		ended = e.Ended()
	}
	var stopped <-chan error // nil until the end has begun
	for {
		select {
		case <-r.drains:
			if stopped == nil {
				begin, ended, stopped = nil, nil, r.stop(patience, proxy, "admin API")
			}
		case <-begin:
			begin, ended, stopped = nil, nil, r.stop(patience, proxy, "context")
		case <-ended:
			// Shutdown of a proxy that has ended only says why.
			r.log.Error("the proxy has ended by itself", "error", proxy.Shutdown(ctx))
			return exitFailed
		case s := <-signals:
			if s != syscall.SIGINT && s != syscall.SIGTERM {
				r.signal(s)
				continue
			}
			if stopped != nil {
				r.log.Warn("stopped at once by a second signal", "signal", s.String())
				cut()
				select {
				case <-stopped:
				case <-time.After(endWithin):
				}
				return exitFailed
			}
			begin, ended, stopped = nil, nil, r.stop(patience, proxy, s.String())
		case err := <-stopped:
			if err != nil {
				r.log.Warn("stopped before every client was served", "error", err)
			} else {
				r.log.Info("stopped")
			}
			return exitOK
		}
	}
}

// stop begins the orderly end, which lasts as long as ctx at most; its outcome arrives on the channel.
func (r *run) stop(ctx context.Context, proxy Proxy, why string) <-chan error {
	r.draining.Store(true)
	timeout := r.reloader.config().Process.ShutdownTimeout
	r.log.Info("stopping", "because", why, "timeout", timeout)
	r.systemd.sayStopping(timeout)
	stopped := make(chan error, 1)
	go func() {
		ctx, cancel := context.WithTimeout(ctx, timeout)
		defer cancel()
		stopped <- proxy.Shutdown(ctx)
	}()
	return stopped
}

// signal answers the signals that do not end the process.
func (r *run) signal(s os.Signal) {
	switch s {
	case syscall.SIGHUP:
		if err := r.logFile.Reopen(); err != nil {
			r.log.Error("the log stays with the old file", "error", err)
			return
		}
		r.log.Info("log reopened")
	case syscall.SIGTTIN:
		r.always.Info("verbosity", "level", r.verbosity.Add(1))
	case syscall.SIGTTOU:
		r.always.Info("verbosity", "level", r.verbosity.Add(-1))
	case syscall.SIGUSR1:
		go func() { _, _ = r.reloader.reload(s.String(), false) }() // the log has the outcome
	case syscall.SIGPIPE:
		// Nothing to say: it would be said to the very stream that is closed.
	default:
		r.log.Info("signal without effect", "signal", s.String())
	}
}
