package daemon

import (
	"fmt"
	"os"
	"time"

	"github.com/cashew-proxy/cashew/internal/admin"
	"github.com/cashew-proxy/cashew/internal/config"
	"github.com/cashew-proxy/cashew/internal/control"
	"github.com/cashew-proxy/cashew/internal/metrics"
)

// api is the admin API, or none.
type api struct{ server *admin.Server }

// openAdmin opens the API's listener, before those of the pools, as openStatistics does. That the default's address is
// taken is no reason not to start: most likely by another cashew, whose configuration says nothing of it either.
func (r *run) openAdmin(p config.Process) (api, error) {
	if p.Admin.Network == "" {
		return api{}, nil
	}
	s, err := admin.Listen(p.Admin, p.AdminToken)
	switch {
	case err == nil:
		r.log.Info("admin", "address", s.Address())
		return api{s}, nil
	case p.Admin.Text == "":
		r.log.Warn("there is no admin API, because its default address is not to be had; set admin under cashew: to another, or to none", "error", err)
		return api{}, nil
	}
	return api{}, fmt.Errorf("%w (admin under cashew:)", err)
}

// serve answers callers, from when everything is there that they may ask of.
func (a api) serve(r *run, p Proxy, started time.Time) {
	if a.server != nil {
		a.server.Serve(admin.Options{
			System: p, Process: steered{r}, Events: r.events, Log: r.log, Version: Version(), PID: os.Getpid(), Started: started,
			Metrics: metrics.Handler(metrics.Source{Version: Version(), Report: p.Report, Reloads: r.countReloads}),
		})
	}
}

func (a api) close() {
	if a.server != nil {
		a.server.Close()
	}
}

// steered is the process as the API sees it.
type steered struct{ *run }

func (s steered) Config() *config.Config { return s.reloader.config() }

func (s steered) Reload(dry bool) (control.Differences, error) {
	return s.reloader.reload("admin API", dry)
}

func (s steered) Reloads() admin.Reloads {
	o := s.reloader.reloads()
	r := admin.Reloads{Succeeded: o.Succeeded, Failed: o.Failed}
	if !o.Last.IsZero() {
		r.Last = &o.Last
	}
	if o.Err != nil {
		r.Error = o.Err.Error()
	}
	return r
}

// countReloads is the same for Prometheus.
func (r *run) countReloads() metrics.Reloads {
	o := r.reloader.reloads()
	return metrics.Reloads{Succeeded: o.Succeeded, Failed: o.Failed, Last: o.Last, LastFailed: o.Err != nil}
}

// Drain begins the end that the first SIGTERM begins.
func (s steered) Drain() {
	s.draining.Store(true) // whoever asks from now on is to send nobody here
	select {
	case s.drains <- struct{}{}:
	default: // somebody has wanted it already
	}
}

func (s steered) Draining() bool { return s.draining.Load() }

func (s steered) Level() int { return s.verbosity.Add(0) }

func (s steered) SetLevel(n int) int {
	n = s.verbosity.Set(n)
	s.always.Info("verbosity", "level", n)
	return n
}
