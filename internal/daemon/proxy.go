package daemon

import (
	"errors"
	"log/slog"

	"github.com/cashew-proxy/cashew/internal/topology"
)

// newProxy makes the data plane.
func newProxy(_ *topology.Snapshot, _ *slog.Logger) (Proxy, error) {
	return nil, errors.New("this build has no data plane: it checks and explains configurations, and cannot serve")
}
