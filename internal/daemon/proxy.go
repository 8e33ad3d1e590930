package daemon

import (
	"log/slog"
	"os"
	"runtime"

	"github.com/cashew-proxy/cashew/internal/config"
	"github.com/cashew-proxy/cashew/internal/control"
	"github.com/cashew-proxy/cashew/internal/topology"
)

// newProxy makes the data plane and its control.
func newProxy(c *config.Config, log *slog.Logger) (Proxy, error) {
	s := control.Build(c, 1)
	s.Process = topology.Process{ID: os.Getpid(), System: runtime.GOOS + " " + runtime.GOARCH, Version: Version()}
	return control.NewSystem(c, s, log), nil
}
