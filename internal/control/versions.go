package control

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/cashew-proxy/cashew/internal/topology"
)

// VersionFunc asks a server what version it is.
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

// Pauses between rounds of questions to the servers of a pool that have not answered yet.
const (
	askAgain     = time.Second
	askAgainMost = time.Minute
)

// askVersions asks the servers of each pool, one after the other until all have answered, in the background. It is
// a connection at a time for each pool.
func (c *Control) askVersions(ctx context.Context) {
	if c.hush != nil {
		c.hush()
	}
	ctx, c.hush = context.WithCancel(ctx)
	for _, pool := range c.ejector.Snapshot().Pools {
		if pool.Protocol != topology.Redis {
			continue // its clients are told the level of the protocol
		}
		left := slices.DeleteFunc(slices.Clone(pool.Servers), func(s *topology.Server) bool {
			return c.ejector.records[pool.Index][s.Index].version != ""
		})
		c.probes.Go(func() {
			for pause := askAgain; ; pause = min(2*pause, askAgainMost) {
				left = slices.DeleteFunc(left, func(s *topology.Server) bool { return c.askVersion(ctx, pool, s) })
				if len(left) == 0 {
					return
				}
				select {
				case <-ctx.Done():
					return
				case <-time.After(pause):
				}
			}
		})
	}
}

// askVersion asks one server, and reports whether it has answered, or nobody wants to know any more.
func (c *Control) askVersion(ctx context.Context, pool *topology.Pool, s *topology.Server) bool {
	version, err := c.version(ctx, s, &pool.Settings)
	if err != nil {
		return ctx.Err() != nil
	}
	select {
	case c.answers <- answer{s, version}:
	case <-ctx.Done():
	}
	return true
}
