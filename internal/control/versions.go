package control

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/cashew-proxy/cashew/internal/topology"
)

// VersionFunc asks a server what version it is.
type VersionFunc func(ctx context.Context, s *topology.Server, set *topology.Settings) (string, error)

// SetVersion notes what a server says that it is. Clients are told one version for a pool: that of the first
// server that answers, or of another if it is lower, so that nobody relies on what one of them lacks. It
// reports whether there is a new snapshot.
func (e *Ejector) SetVersion(pool int, version string) bool {
	p := *e.current.Pools[pool]
	if version == "" || p.Version != "" && !lower(version, p.Version) {
		return false
	}
	p.Version = version
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

// answer is what a server of a pool has said.
type answer struct {
	pool    int
	version string
}

// Pauses between rounds of questions to a pool none of whose servers answers.
const (
	askAgain     = time.Second
	askAgainMost = time.Minute
)

// askVersions asks one server of each pool, the next if it does not answer, and so on, in the background.
func (c *Control) askVersions(ctx context.Context) {
	for _, pool := range c.ejector.Snapshot().Pools {
		if pool.Protocol != topology.Redis {
			continue // its clients are told the level of the protocol
		}
		c.probes.Go(func() {
			for pause := askAgain; ; pause = min(2*pause, askAgainMost) {
				for _, s := range pool.Servers {
					if c.askVersion(ctx, pool, s) {
						return
					}
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
	case c.answers <- answer{pool.Index, version}:
	case <-ctx.Done():
	}
	return true
}
