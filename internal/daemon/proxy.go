package daemon

import (
	"log/slog"

	"github.com/cashew-proxy/cashew/internal/proxy"
	"github.com/cashew-proxy/cashew/internal/topology"
)

// newProxy makes the data plane.
func newProxy(s *topology.Snapshot, log *slog.Logger) (Proxy, error) { return proxy.New(s, log), nil }
