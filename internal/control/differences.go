package control

import (
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/cashew-proxy/cashew/internal/config"
	"github.com/cashew-proxy/cashew/internal/topology"
)

// Differences are what a change from one configuration to another means.
type Differences struct {
	Old          string          `json:"old"` // the file
	New          string          `json:"new"`
	Changes      []config.Change `json:"changes"`
	Pools        []PoolMove      `json:"pools"`         // those in both
	NeedsRestart int             `json:"needs_restart"` // changes that a running process cannot make
}

// PoolMove is how many keys of a pool change their server.
type PoolMove struct {
	Pool  string  `json:"pool"`
	Moved float64 `json:"moved"` // the share of its keys, 0 to 1
}

// Compare finds the differences between two configurations, as config.Diff and Moved do.
func Compare(old, new *config.Config) Differences {
	d := Differences{Old: old.Path, New: new.Path, Changes: []config.Change{}, Pools: []PoolMove{}}
	for _, c := range config.Diff(old, new) {
		d.Changes = append(d.Changes, c)
		if c.NeedsRestart {
			d.NeedsRestart++
		}
	}
	after := map[string]*topology.Pool{}
	for _, p := range Build(new, 1).Pools {
		after[p.Name] = p
	}
	for _, p := range Build(old, 1).Pools {
		if q := after[p.Name]; q != nil {
			d.Pools = append(d.Pools, PoolMove{p.Name, Moved(p, q)})
		}
	}
	return d
}

// Write writes the differences for people: the changes, the keys that move, and the verdict.
func (d Differences) Write(w io.Writer) error {
	for _, c := range d.Changes {
		fmt.Fprintln(w, c)
	}
	if len(d.Changes) > 0 && len(d.Pools) > 0 {
		fmt.Fprintln(w)
		t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
		fmt.Fprintln(t, "pool\tkeys that move")
		for _, p := range d.Pools {
			fmt.Fprintf(t, "%s\t%s\n", p.Pool, percent(p.Moved))
		}
		if err := t.Flush(); err != nil {
			return err
		}
		fmt.Fprintln(w)
	}
	_, err := fmt.Fprintln(w, d.verdict())
	return err
}

// percent has no digits for none and all, so that few is not taken for none.
func percent(share float64) string {
	switch share {
	case 0:
		return "none"
	case 1:
		return "all"
	}
	return fmt.Sprintf("%.1f %%", 100*share)
}

func (d Differences) verdict() string {
	switch {
	case len(d.Changes) == 0:
		return "no difference"
	case d.NeedsRestart == 0:
		return fmt.Sprintf("changes: %d, none of which needs a restart", len(d.Changes))
	}
	return fmt.Sprintf("changes: %d, of which %d cannot be made without a restart", len(d.Changes), d.NeedsRestart)
}
