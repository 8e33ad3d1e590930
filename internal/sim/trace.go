package sim

import (
	"fmt"
	"strings"
)

// trace keeps the last events of a run.
type trace struct {
	lines []string // a ring once it is full
	at    int
}

const traceLines = 400

func (w *world) log(format string, args ...any) {
	if !w.cfg.Trace {
		return
	}
	line := fmt.Sprintf("%6d %12d  ", w.turns, w.now) + fmt.Sprintf(format, args...)
	t := &w.trace
	if len(t.lines) < traceLines {
		t.lines = append(t.lines, line)
		return
	}
	t.lines[t.at] = line
	t.at = (t.at + 1) % traceLines
}

func (t *trace) text() string {
	return "  turn          now  event\n" + strings.Join(append(t.lines[t.at:len(t.lines):len(t.lines)], t.lines[:t.at]...), "\n")
}

// name tells connections apart in the trace.
func (w *world) name(p *pipe) string {
	if p.server != nil {
		return fmt.Sprintf("server%d/%x", p.server.index, p.id)
	}
	return fmt.Sprintf("client%d/%x", p.client.number, p.id)
}
