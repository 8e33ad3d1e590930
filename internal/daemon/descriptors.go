package daemon

import (
	"math"

	"golang.org/x/sys/unix"

	"github.com/cashew-proxy/cashew/internal/config"
)

// The descriptors that are neither clients' nor servers': the standard streams, the log, the poller, the
// mailbox, look-ups of names, the readers of statistics, the callers of the admin API; and for each pool its
// listener, and what it may accept in one turn only to refuse it.
const (
	descriptorsForUs   = 64
	descriptorsPerPool = 1 + 64
	// descriptorsPerWorker are a poller, a mailbox and look-ups of names.
	descriptorsPerWorker = 8
	// usualLanes are those of the pool's own database in both protocols. Clients that choose other databases
	// make more, which takes from what clients may have.
	usualLanes = 2
)

// openFiles is the limit of open files. The Go runtime has raised it as far as the process may.
func openFiles() uint64 {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return math.MaxInt32
	}
	return uint64(limit.Cur)
}

// clientLimit is how many clients may be connected, so that there is a descriptor for every server
// connection of every worker: without one no client would be served. If the limit of open files is so low that servers
// would take most of it, clients get half of it, and enough is false.
func clientLimit(c *config.Config, files uint64, workers int) (clients int, enough bool) {
	limit := int(min(files, math.MaxInt32))
	reserved := descriptorsForUs + descriptorsPerWorker*(workers-1)
	for _, p := range c.Pools {
		lanes := 1
		if p.Redis {
			lanes = usualLanes
		}
		reserved += descriptorsPerPool + len(p.Servers)*p.ServerConnections*lanes*workers
	}
	if reserved > limit/2 {
		return max(limit/2, 1), false
	}
	return limit - reserved, true
}
