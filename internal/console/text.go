package console

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"

	"github.com/cashew-proxy/cashew/internal/admin"
)

// clock is how times of day are shown, in the reader's zone.
const (
	clock = "15:04:05"
	date  = "2006-01-02 15:04:05"
)

// WriteStatus writes the process, its pools and their servers.
func WriteStatus(w io.Writer, s *admin.Status) error {
	fmt.Fprintf(w, "cashew %s, pid %d, up %s, epoch %d, log level %d\n", printable(s.Version), s.PID, span(s.Now.Sub(s.Started)), s.Epoch, s.Level)
	fmt.Fprintf(w, "configuration %s\n", printable(s.Config))
	fmt.Fprintf(w, "reloads: %s\n", reloads(s.Reloads, date))
	fmt.Fprintf(w, "memory: %s\n", memory(s.Memory))
	if s.Draining {
		fmt.Fprintln(w, "it is draining: clients get what they have asked for, and nobody new is accepted")
	}
	for i := range s.Pools {
		if err := writePool(w, &s.Pools[i]); err != nil {
			return err
		}
	}
	return nil
}

func writePool(w io.Writer, p *admin.PoolStatus) error {
	fmt.Fprintf(w, "\npool %s: %s%s, %s, %s, clients %d, requests %d, errors %d\n", Name(p.Name), paused(p), p.Protocol, printable(p.Listen),
		p.Distribution, p.Clients, p.Counters["requests"], failed(p.Counters))
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "server\taddress\tstate\tshare\trequests\tqueued\tin flight\tconnections\tejections")
	for _, s := range p.Servers {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%d\t%d\t%d\t%d\t%d\n", Name(s.Name), printable(s.Address), s.State, percent(s.Share),
			s.Counters["requests"], s.Queued, s.InFlight, s.Connections, s.Ejections)
	}
	return t.Flush()
}

// WriteClients writes a line for each client.
func WriteClients(w io.Writer, list []admin.Client) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "pool\tid\taddress\tname\tlibrary\tdb\tage\tidle\tpending\tunsent\theld")
	for _, c := range list {
		fmt.Fprintf(t, "%s\t%d\t%s\t%s\t%s\t%d\t%s\t%s\t%d\t%s\t%s\n", Name(c.Pool), c.ID, printable(c.Address), orDash(printable(c.Name)),
			orDash(printable(c.Library)), c.Database, span(seconds(c.Age)), span(seconds(c.Idle)), c.Pending, size(c.Unsent), size(c.Held))
	}
	return t.Flush()
}

// WriteSlow writes a line for each slow request.
func WriteSlow(w io.Writer, list []admin.SlowRequest) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "time\tpool\tserver\tclient\tcommand\tkey\twaiting\tserving\tfailure")
	for _, r := range list {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", r.Time.Local().Format(date), Name(r.Pool), Name(r.Server), orDash(printable(r.Client)),
			orDash(printable(r.Command)), orDash(printable(r.Key)), micros(r.Waiting), micros(r.Serving), orDash(printable(r.Failure)))
	}
	return t.Flush()
}

// micros is a time in milliseconds.
func micros(n int64) string { return fmt.Sprintf("%.1fms", float64(n)/1000) }

// WriteHot writes the keys of each pool with their part of all requests, and of all bytes.
func WriteHot(w io.Writer, list []admin.HotKeys) error {
	for i, pool := range list {
		if i > 0 {
			fmt.Fprintln(w)
		}
		if err := writeHot(w, pool); err != nil {
			return err
		}
	}
	return nil
}

func writeHot(w io.Writer, pool admin.HotKeys) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	if pool.Every == 0 {
		fmt.Fprintf(t, "pool %s: hotkeys_sample is 0, so that no hot keys are known\n", Name(pool.Pool))
	} else {
		fmt.Fprintf(t, "pool %s: one of %d requests, %d samples of the last minutes\n", Name(pool.Pool), pool.Every, pool.Samples)
		fmt.Fprintln(t, "requests\tkey")
		for _, k := range pool.ByRequests {
			fmt.Fprintf(t, "%s\t%s\n", percent(k.Share), printable(k.Key))
		}
		fmt.Fprintln(t, "\nbytes\tkey\tlargest")
		for _, k := range pool.ByBytes {
			fmt.Fprintf(t, "%s\t%s\t%s\n", percent(k.Share), printable(k.Key), size(int64(k.Peak)))
		}
	}
	if pool.BigThreshold > 0 {
		fmt.Fprintf(t, "\nbig (%s)\tkey\tlargest\n", size(pool.BigThreshold))
		for _, k := range pool.Big {
			fmt.Fprintf(t, "%s\t%s\t%s\n", size(int64(k.Bytes)), printable(k.Key), size(int64(k.Largest)))
		}
	}
	return t.Flush()
}

// WriteEvents writes a line for each event.
func WriteEvents(w io.Writer, list []admin.Event) error {
	for _, e := range list {
		if _, err := fmt.Fprintln(w, e.Time.Local().Format(date), event(e)); err != nil {
			return err
		}
	}
	return nil
}

// event is an event without its time.
func event(e admin.Event) string {
	line := strings.ToLower(printable(e.Level)) + " " + printable(e.Text)
	for _, k := range slices.Sorted(maps.Keys(e.Fields)) {
		v := e.Fields[k]
		if v == "" || strings.ContainsAny(v, " =\"") {
			v = strconv.Quote(v)
		}
		line += " " + printable(k) + "=" + printable(v)
	}
	return line
}

// reloads is what became of the reloads; times are shown in a layout.
func reloads(r admin.Reloads, layout string) string {
	if r.Last == nil {
		return "none yet"
	}
	at := r.Last.Local().Format(layout)
	if r.Error != "" {
		return fmt.Sprintf("%d, and %d failed; the last, at %s, failed: %s", r.Succeeded, r.Failed, at, printable(r.Error))
	}
	return fmt.Sprintf("%d, and %d failed; the last, at %s, succeeded", r.Succeeded, r.Failed, at)
}

func memory(m admin.Memory) string {
	return fmt.Sprintf("%s of %s buffered, heap %s, %s from the system", size(m.Buffered), size(m.Limit), size(int64(m.Heap)), size(int64(m.System)))
}

// paused is what comes first of a pool whose requests wait.
func paused(p *admin.PoolStatus) string {
	if p.Paused == "" {
		return ""
	}
	what := "paused"
	if p.Paused == "write" {
		what = "writes paused"
	}
	if p.PausedUntil != nil {
		what += " until " + p.PausedUntil.Local().Format(clock)
	}
	return what + ", "
}

// failed are a pool's requests that were answered with an error because of a server, or of memory.
func failed(counters map[string]uint64) uint64 {
	return counters["forward_errors"] + counters["memory_refused"]
}

func seconds(n int64) time.Duration { return time.Duration(n) * time.Second }

// span is a length of time in two units.
func span(d time.Duration) string {
	s := int64(d / time.Second)
	switch {
	case s < 60:
		return fmt.Sprintf("%ds", s)
	case s < 3600:
		return fmt.Sprintf("%dm%02ds", s/60, s%60)
	case s < 86400:
		return fmt.Sprintf("%dh%02dm", s/3600, s/60%60)
	}
	return fmt.Sprintf("%dd%02dh", s/86400, s/3600%24)
}

// size is a number of bytes.
func size(n int64) string {
	if n < 1024 {
		return fmt.Sprintf("%dB", n)
	}
	x, unit := float64(n)/1024, 0
	for x >= 1024 && unit < 3 {
		x, unit = x/1024, unit+1
	}
	return fmt.Sprintf("%.1f%ciB", x, "KMGT"[unit])
}

func percent(share float64) string { return fmt.Sprintf("%.1f%%", 100*share) }

// Name is a pool's or server's name as it is shown. It may be empty.
func Name(s string) string { return cmp.Or(printable(s), `""`) }

func orDash(s string) string { return cmp.Or(s, "-") }

// printable takes from a text of others what would command a terminal, or break a line.
func printable(s string) string {
	if !strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) && !strings.ContainsRune(s, unicode.ReplacementChar) {
		return s
	}
	q := strconv.Quote(s)
	return strings.ReplaceAll(q[1:len(q)-1], `\"`, `"`)
}
