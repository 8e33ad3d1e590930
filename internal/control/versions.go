package control

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/cashew-proxy/cashew/internal/topology"
)

// VersionFunc asks a server what version it is. "" without an error is a server that does not tell.
type VersionFunc func(ctx context.Context, s *topology.Server, set *topology.Settings) (string, error)

// SetVersion notes what a server says that it is. Clients are told one version for a pool, the lowest that its
// servers have said, so that nobody relies on what one of them lacks, whichever answers first. It reports whether
// there is a new snapshot.
func (e *Ejector) SetVersion(pool, server int, version string) bool {
	e.records[pool][server].version = version
	return e.chooseVersion(pool)
}

func (e *Ejector) chooseVersion(pool int) bool {
	lowest := ""
	for i := range e.records[pool] {
		if v := e.records[pool][i].version; v != "" && (lowest == "" || lower(v, lowest)) {
			lowest = v
		}
	}
	p := *e.current.Pools[pool]
	if p.Version == lowest {
		return false
	}
	p.Version = lowest
	e.replace(&p)
	return true
}

// lower says that version a is before b, number by number.
func lower(a, b string) bool {
	for a != "" && b != "" {
		var x, y string
		x, a, _ = strings.Cut(a, ".")
		y, b, _ = strings.Cut(b, ".")
		m, errM := strconv.Atoi(x)
		n, errN := strconv.Atoi(y)
		if errM != nil || errN != nil {
			return false
		}
		if m != n {
			return m < n
		}
	}
	return a == "" && b != ""
}

// answer is what a server has said.
type answer struct {
	server  *topology.Server
	version string
}

// Pauses between questions: to a server that has not answered, longer each time; and to one that has.
const (
	askAgain     = time.Second
	askAgainMost = time.Minute
)

// askVersions asks the servers of Redis pools for their versions, in the background, a connection at a time for each
// pool. It ends the questions that it has begun before.
func (c *Control) askVersions(ctx context.Context) {
	if c.hush != nil {
		c.hush()
	}
	ctx, c.hush = context.WithCancel(ctx)
	all := map[topology.ServerID]chan struct{}{}
	for _, pool := range c.ejector.Snapshot().Pools {
		if pool.Protocol != topology.Redis {
			continue // its clients are told the level of the protocol
		}
		turn := make(chan struct{}, 1)
		for _, s := range pool.Servers {
			connected := make(chan struct{}, 1)
			all[s.ID()] = connected
			told := c.ejector.records[pool.Index][s.Index].version != ""
			c.probes.Go(func() { c.askServer(ctx, pool, s, told, turn, connected) })
		}
	}
	c.mu.Lock()
	c.connected = all
	c.mu.Unlock()
}

// askServer asks until the server has answered. That it does not tell, because the user may not ask, is an answer. It is
// asked again when there is a new connection to it: it may be another server, or have another mind.
func (c *Control) askServer(ctx context.Context, pool *topology.Pool, s *topology.Server, told bool, turn chan struct{}, connected <-chan struct{}) {
	for pause := askAgain; ; {
		if told {
			select {
			case <-connected:
			case <-ctx.Done():
				return
			}
		}
		select {
		case turn <- struct{}{}:
		case <-ctx.Done():
			return
		}
		_, err := c.askVersion(ctx, pool, s)
		<-turn
		wait := askAgainMost
		if told = err == nil; told {
			pause = askAgain
		} else {
			wait, pause = pause, min(2*pause, askAgainMost)
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return
		}
	}
}

// Connected reports a new connection to a server.
func (c *Control) Connected(_ *topology.Pool, server *topology.Server) {
	c.mu.Lock()
	connected := c.connected[server.ID()]
	c.mu.Unlock()
	select {
	case connected <- struct{}{}:
	default: // there is one already that nobody has looked at, or nobody asks
	}
}

// askVersion asks one server, and passes on what it says.
func (c *Control) askVersion(ctx context.Context, pool *topology.Pool, s *topology.Server) (version string, err error) {
	version, err = c.version(ctx, s, &pool.Settings)
	if err != nil || version == "" {
		return "", err
	}
	select {
	case c.answers <- answer{s, version}:
	case <-ctx.Done():
	}
	return version, nil
}
