package daemon

import (
	"fmt"
	"log/slog"

	"github.com/cashew-proxy/cashew/internal/proxy"
	"github.com/cashew-proxy/cashew/internal/topology"
)

// newProxy makes the data plane. Pools of a protocol that it does not speak are refused before
// anything is opened.
func newProxy(s *topology.Snapshot, log *slog.Logger) (Proxy, error) {
	for _, p := range s.Pools {
		if p.Protocol != topology.Redis {
			return nil, fmt.Errorf("pool %s: this version serves Redis only (redis: true); memcached pools are to come", p.Name)
		}
	}
	return proxy.New(s, log), nil
}
