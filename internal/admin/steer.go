package admin

import (
	"errors"
	"net/http"
	"time"

	"github.com/cashew-proxy/cashew/internal/config"
	"github.com/cashew-proxy/cashew/internal/downstream"
)

const (
	longestPause = time.Hour
	mostLevel    = 11
)

func (h *handler) reload(c call) (any, error) {
	r, err := body[ReloadRequest](c)
	if err != nil {
		return nil, err
	}
	d, err := h.Process.Reload(r.DryRun)
	if err == nil {
		return d, nil
	}
	f := &failure{status: http.StatusUnprocessableEntity, text: err.Error()}
	var mistakes config.Mistakes
	if errors.As(err, &mistakes) {
		for _, m := range mistakes {
			f.mistakes = append(f.mistakes, m.String())
		}
	}
	return nil, f
}

func (h *handler) eject(c call) (any, error)   { return h.move(c, h.System.Eject) }
func (h *handler) readmit(c call) (any, error) { return h.move(c, h.System.Readmit) }

func (h *handler) move(c call, do func(pool, server string) error) (any, error) {
	pool, server := c.PathValue("pool"), c.PathValue("server")
	if err := do(pool, server); err != nil {
		return nil, err
	}
	return h.serverOf(pool, server)
}

func (h *handler) pause(c call) (any, error) {
	p, err := body[Pause](c)
	if err != nil {
		return nil, err
	}
	if p.Milliseconds < 1 || p.Milliseconds > longestPause.Milliseconds() {
		return nil, wrong("milliseconds is %d; allowed: 1 to %d", p.Milliseconds, longestPause.Milliseconds())
	}
	mode := downstream.PauseAll
	if p.WritesOnly {
		mode = downstream.PauseWrites
	}
	return h.setPause(c, mode, time.Duration(p.Milliseconds)*time.Millisecond)
}

func (h *handler) resume(c call) (any, error) { return h.setPause(c, downstream.PauseNone, 0) }

func (h *handler) setPause(c call, mode downstream.Pause, length time.Duration) (any, error) {
	pool := c.PathValue("pool")
	if err := h.System.Pause(pool, mode, length); err != nil {
		return nil, err
	}
	return h.poolOf(pool)
}

func (h *handler) drain(call) (any, error) {
	h.Process.Drain()
	return Okay{Status: "draining"}, nil
}

func (h *handler) level(call) (any, error) { return Level{Level: h.Process.Level()}, nil }

func (h *handler) setLevel(c call) (any, error) {
	l, err := body[struct {
		Level *int `json:"level"`
	}](c)
	if err != nil {
		return nil, err
	}
	if l.Level == nil || *l.Level < 0 || *l.Level > mostLevel {
		return nil, wrong("level has to be a number from 0 to %d", mostLevel)
	}
	return Level{Level: h.Process.SetLevel(*l.Level)}, nil
}
