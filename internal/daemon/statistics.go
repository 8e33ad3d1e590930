package daemon

import (
	"os"
	"time"

	"github.com/cashew-proxy/cashew/internal/metrics"
)

// statistics is twemproxy's port, or none.
type statistics struct {
	port    *metrics.Port // nil if there is none
	head    metrics.Head
	started time.Time
}

// openStatistics opens the port before the pools' listeners, so that a second process with the same
// command line fails before it has touched anything.
func (r *run) openStatistics() (*statistics, error) {
	s := &statistics{started: time.Now()}
	if r.StatsAddress == "" {
		return s, nil
	}
	port, err := metrics.Listen(r.StatsAddress, r.StatsPort)
	if err != nil {
		return nil, err
	}
	s.port = port
	// Scripts look at service and version to know what they read.
	s.head = metrics.Head{Service: "cashew", Version: Version()}
	if r.Compat {
		s.head.Service, s.head.Version = "nutcracker", r.TwemproxyVersion
	}
	if s.head.Source, err = os.Hostname(); err != nil {
		s.head.Source = "unknown"
	}
	r.log.Info("statistics", "address", port.Address())
	return s, nil
}

// serve answers readers with the proxy's counters, from when it has started.
func (s *statistics) serve(p Proxy) {
	if s.port == nil {
		return
	}
	s.port.Serve(func() []byte {
		now, h := time.Now(), s.head
		h.Uptime, h.Timestamp = int64(now.Sub(s.started)/time.Second), now.Unix()
		return metrics.AppendTwemproxy(nil, h, p.Report())
	})
}

func (s *statistics) close() {
	if s.port != nil {
		s.port.Close()
	}
}
