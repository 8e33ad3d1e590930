package chaos

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// report is what came of a run.
type report struct {
	Seed        uint64         `json:"seed"`
	Seconds     float64        `json:"seconds"`
	Clients     int            `json:"clients"`
	Requests    int64          `json:"requests"`
	Replies     int64          `json:"replies"` // that were good, each of them judged
	Values      int64          `json:"values"`
	Bytes       int64          `json:"bytes"`
	Errors      map[string]int `json:"errors"`
	Faults      map[string]int `json:"faults"`
	Additions   int64          `json:"additions"` // acknowledged ones, to counters
	Before      resources      `json:"before"`
	After       resources      `json:"after"`
	BackSeconds float64        `json:"back_seconds"` // until memory was back
	Violations  []string       `json:"violations"`
}

// resources are what the proxy holds.
type resources struct {
	Bytes       int64 `json:"bytes"`
	Connections int   `json:"connections"` // to servers
	Descriptors int   `json:"descriptors"` // others
}

// leak says what is left of a load, if it is more than may be: a tenth or 16 MiB of memory, connections that the settings
// allow, and no other descriptor.
func leak(before, after resources, connections int) error {
	if most := max(before.Bytes+before.Bytes/10, before.Bytes+16<<20); after.Bytes > most {
		return fmt.Errorf("%d KiB of memory where %d are allowed, %d before", after.Bytes>>10, most>>10, before.Bytes>>10)
	}
	if after.Connections > connections {
		return fmt.Errorf("%d connections to servers where %d are allowed", after.Connections, connections)
	}
	if after.Descriptors > before.Descriptors {
		return fmt.Errorf("%d descriptors, %d before", after.Descriptors, before.Descriptors)
	}
	return nil
}

// complaints are the lines of the proxy's log that must not be there.
func complaints(log string) (bad []string) {
	for line := range strings.Lines(log) {
		expected := strings.Contains(line, `msg="not reloaded, nothing has changed"`)
		if strings.Contains(line, "panic") || strings.Contains(line, "goroutine ") || strings.Contains(line, "level=ERROR") && !expected {
			bad = append(bad, strings.TrimSpace(line))
		}
	}
	return bad
}

func (r *report) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "seed %d, %.0f seconds, %d clients\n", r.Seed, r.Seconds, r.Clients)
	fmt.Fprintf(&b, "%d requests, %d good replies judged, %d values of %d MiB, %d additions to counters\n",
		r.Requests, r.Replies, r.Values, r.Bytes>>20, r.Additions)
	table := func(name string, m map[string]int) {
		fmt.Fprintf(&b, "%s\n", name)
		for _, k := range slices.Sorted(maps.Keys(m)) {
			fmt.Fprintf(&b, "%9d %s\n", m[k], k)
		}
	}
	table("errors that clients got", r.Errors)
	table("faults", r.Faults)
	fmt.Fprintf(&b, "memory: %d KiB before, %d KiB %.0f s after; connections to servers: %d and %d; other descriptors: %d and %d\n",
		r.Before.Bytes>>10, r.After.Bytes>>10, r.BackSeconds, r.Before.Connections, r.After.Connections, r.Before.Descriptors, r.After.Descriptors)
	fmt.Fprintf(&b, "violations: %d", len(r.Violations))
	return b.String()
}
