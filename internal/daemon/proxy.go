package daemon

import (
	"log/slog"

	"github.com/cashew-proxy/cashew/internal/config"
	"github.com/cashew-proxy/cashew/internal/control"
)

// newProxy makes the data plane and its control.
func newProxy(c *config.Config, log *slog.Logger) (Proxy, error) {
	return control.NewSystem(c, control.Build(c, 1), log), nil
}
