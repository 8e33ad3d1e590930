// Package daemon is the composition root: it makes a running process out of options, a configuration
// and the data plane, and tells people what a configuration means.
//
// Only the command line uses it. Run owns the process: its signals, its log, its pid file. It runs on
// the caller's goroutine and returns the exit code.
package daemon

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"sync/atomic"
	"time"

	"github.com/cashew-proxy/cashew/internal/admin"
	"github.com/cashew-proxy/cashew/internal/config"
	"github.com/cashew-proxy/cashew/internal/proxy"
)

// Options are what the command line says.
type Options struct {
	Program    string // how the process calls itself in messages
	Compat     bool   // invoked as nutcracker: twemproxy's defaults
	ConfigFile string
	LogFile    string // "" is standard error
	Verbosity  int    // 0 to 11, as twemproxy counts
	PidFile    string // "" is none
	Background bool   // detach from the terminal

	StatsAddress  string // of the statistics, or a unix socket's absolute path; "" is none
	StatsPort     int
	IntervalGiven bool // twemproxy's interval of the statistics was given
	MbufGiven     bool // twemproxy's buffer size was given

	// TwemproxyVersion is the release whose behaviour is reproduced. Under its name statistics say it.
	TwemproxyVersion string

	Stderr io.Writer // for what goes wrong before the log is open; Run owns it
}

// Proxy is the data plane. Start opens the listeners and returns; Shutdown stops accepting, lets
// clients have the replies that they wait for, and returns when all are gone or ctx ends.
type Proxy interface {
	Start() error
	Shutdown(ctx context.Context) error
	// What is asked of it while it runs, by the statistics and the admin API.
	admin.System
	// Reload puts another configuration in force; on an error nothing has changed.
	Reload(c *config.Config) error
	// Check is the error that Reload would have, as far as listeners are concerned. It changes nothing.
	Check(c *config.Config) error
}

// The exit codes of Run, which are twemproxy's.
const (
	exitOK     = 0
	exitFailed = 1
)

// run is one life of the process.
type run struct {
	Options
	newProxy  func(*config.Config, *slog.Logger) (Proxy, error)
	log       *slog.Logger
	always    *slog.Logger // writes events whatever the verbosity is
	logFile   *logFile
	verbosity *verbosity
	events    *admin.Events
	ready     func() // tells whoever waits for the start
	systemd   *notifier
	reloader  *reloader
	draining  atomic.Bool   // the orderly end has begun, or will in a moment
	drains    chan struct{} // has room for one: somebody wants it
}

// Run runs the proxy until ctx ends or a signal stops it, and returns the exit code. In the
// background it returns in the parent once the child serves, or has failed.
func Run(ctx context.Context, o Options) int {
	r := &run{Options: o, newProxy: newProxy, ready: func() {}}
	if o.Background {
		parent := readyPipe()
		if parent == nil {
			return startBackground(o)
		}
		r.enterBackground(parent)
	}
	return r.main(ctx)
}

func (r *run) main(ctx context.Context) int {
	// Before anything that a signal should not leave behind.
	began := time.Now()
	r.drains = make(chan struct{}, 1)
	signals := make(chan os.Signal, 16)
	signal.Notify(signals, handled...)
	defer signal.Stop(signals)

	if err := r.openLog(); err != nil {
		return r.fail(err)
	}
	defer r.logFile.Close()
	cfg, err := r.loadConfig()
	if err != nil {
		return r.fail(err)
	}
	if r.IntervalGiven {
		r.log.Info("-i has no effect: statistics are those of the moment in which they are read")
	}
	if r.MbufGiven {
		r.log.Info("-m has no effect: buffers have the size that each request needs")
	}
	p, err := r.newProxy(cfg, r.log)
	if err != nil {
		return r.fail(err)
	}
	statistics, err := r.openStatistics()
	if err != nil {
		return r.fail(err)
	}
	defer statistics.close()
	api, err := r.openAdmin(cfg.Process)
	if err != nil {
		return r.fail(err)
	}
	defer api.close()
	if err := located(cfg, p.Start()); err != nil {
		return r.fail(err)
	}
	statistics.serve(p)
	r.systemd = newNotifier(os.Getenv)
	defer r.systemd.close()
	// Not before the start: a second daemon that finds its ports taken must not touch the file of the
	// first.
	if r.PidFile != "" {
		if err := writePidFile(r.PidFile); err != nil {
			ctx, cancel := context.WithTimeout(ctx, cfg.Process.ShutdownTimeout)
			defer cancel()
			return r.fail(errors.Join(err, p.Shutdown(ctx)))
		}
		defer removePidFile(r.PidFile)
	}
	r.reloader = &reloader{path: r.ConfigFile, load: r.loadConfig, apply: p.Reload, check: p.Check, log: r.log, current: cfg}
	api.serve(r, p, began)
	r.log.Info("started", "version", Version(), "pid", os.Getpid(), "config", r.ConfigFile,
		"pools", strings.Join(cfg.PoolNames(), " "), "memory_limit", cfg.Process.MemoryLimit, "client_limit", cfg.Process.ClientLimit)
	r.ready()
	r.systemd.say("READY=1")
	defer r.systemd.watch(p.Alive)()
	end := make(chan struct{})
	defer close(end)
	go r.reloader.watch(end)
	go collect(end)
	return r.serve(ctx, signals, p)
}

// loadConfig returns a valid configuration with the limits of this machine, its warnings logged.
func (r *run) loadConfig() (*config.Config, error) {
	cfg, warnings, err := config.Load(r.ConfigFile, config.Options{Compat: r.Compat})
	if err != nil {
		return nil, fmt.Errorf("%w\n%s", err, Verdict(r.ConfigFile, false))
	}
	if r.reloader == nil { // it is the start
		r.setLogFormat(cfg.Process.LogFormat)
	}
	for _, w := range warnings {
		r.log.Warn(w.String())
	}
	if cfg.Process.MemoryLimit == 0 {
		cfg = cfg.WithMemoryLimit(memoryTotal() / 2)
	}
	files := openFiles()
	clients, enough := clientLimit(cfg, files, proxy.MostWorkers(cfg.Process.Threads))
	if !enough {
		r.log.Warn("the limit of open files is low for so many servers: raise it (ulimit -n, LimitNOFILE)",
			"limit", files, "clients", clients)
	}
	return cfg.WithClientLimit(clients), nil
}

// Verdict is the sentence about a configuration file that twemproxy's users know.
func Verdict(file string, ok bool) string {
	if ok {
		return fmt.Sprintf("configuration file '%s' syntax is ok", file)
	}
	return fmt.Sprintf("configuration file '%s' syntax is invalid", file)
}

// fail says why there is no start: always on standard error, and in the log if that is a file.
func (r *run) fail(err error) int {
	for line := range strings.Lines(err.Error() + "\n") {
		fmt.Fprintf(r.Stderr, "%s: %s", r.Program, line)
	}
	if r.logFile != nil && r.logFile.path != "" {
		r.log.Error("not started", "error", err)
	}
	return exitFailed
}
