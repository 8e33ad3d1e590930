package control

import (
	"context"
	"fmt"
	"time"

	"github.com/cashew-proxy/cashew/internal/clock"
	"github.com/cashew-proxy/cashew/internal/proxy"
	"github.com/cashew-proxy/cashew/internal/topology"
)

// Status is what an operator may want to know of a System beside its Report.
type Status struct {
	proxy.Status
	Servers map[topology.ServerID]ServerStatus
}

// ServerStatus is what control alone knows of a server.
type ServerStatus struct {
	Held    bool   // it is out because somebody wanted it
	Version string // that it says it is; "" if it has not
}

// statusWithin is how long control has to answer: a reload may be waiting for a worker that is stuck.
const statusWithin = 500 * time.Millisecond

// Status asks the worker and control how things are. Of one that does not answer in time, what it alone knows is
// missing.
func (y *System) Status() Status {
	s := Status{Status: y.Proxy.Status()}
	answer := make(chan map[topology.ServerID]ServerStatus, 1)
	ctx, cancel := context.WithTimeout(context.Background(), statusWithin)
	defer cancel()
	order := func(context.Context) {
		e, all := y.control.ejector, map[topology.ServerID]ServerStatus{}
		for i, p := range e.Snapshot().Pools {
			for k, server := range p.Servers {
				all[server.ID()] = ServerStatus{Held: e.Held(i, k), Version: e.records[i][k].version}
			}
		}
		answer <- all
	}
	select {
	case y.control.orders <- order:
		s.Servers = <-answer
	case <-y.control.over:
	case <-ctx.Done():
	}
	return s
}

// Eject takes a server out until Readmit, whatever the pool's policy says.
func (y *System) Eject(pool, server string) error {
	return y.steer(pool, server, func(at Probe) {
		e := y.control.ejector
		if e.Eject(at.Pool, at.Server) {
			y.control.plane.CountEjection(at.Pool, at.Server, time.Now())
			y.control.plane.Publish(e.Snapshot())
		}
		y.control.change("server ejected by an operator", at, nil)
	})
}

// Readmit lets a server return at once, and be ejected by its failures again.
func (y *System) Readmit(pool, server string) error {
	return y.steer(pool, server, func(at Probe) {
		e := y.control.ejector
		if e.Readmit(clock.System(), at.Pool, at.Server) {
			y.control.plane.Publish(e.Snapshot())
		}
		y.control.change("server readmitted by an operator", at, nil)
	})
}

// steer has f run between two decisions of control, for a server of the topology in force.
func (y *System) steer(pool, server string, f func(at Probe)) error {
	err := errEnded
	y.control.do(func(context.Context) {
		err = nil
		at, ok := y.control.find(topology.ServerID{Pool: pool, Name: server})
		switch {
		case ok:
			f(at)
		case y.control.ejector.Snapshot().Pool(pool) == nil:
			err = proxy.NoPool(pool)
		default:
			err = proxy.NotFoundError(fmt.Sprintf("no server %q in pool %q", server, pool))
		}
	})
	return err
}
