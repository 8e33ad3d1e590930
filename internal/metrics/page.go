package metrics

import (
	_ "embed"
	"fmt"
	"strings"

	"github.com/cashew-proxy/cashew/internal/stats"
)

//go:generate go test -run TestPage -update

//go:embed page.md
var page string

// Page is docs/metrics.md: the text around the tables, which come from those of stats.
func Page() string {
	first, last := stats.Bound(0), stats.Bound(stats.Buckets-2)
	return strings.NewReplacer(
		"FAMILIES", fmt.Sprint(perServer()),
		"CLASSES", "`"+strings.Join(stats.ClassNames[:], "`, `")+"`",
		"CAUSES", causes(stats.PoolTable[:], stats.PoolErrors),
		"DROPS", causes(stats.PoolTable[:], stats.PoolClientsDropped),
		"LOSSES", causes(stats.ServerTable[:], stats.PerServerFailures),
		"BOUNDS", fmt.Sprintf("%d µs to %.1f s", first.Microseconds(), last.Seconds()),
		"METRICS\n", families(),
	).Replace(page)
}

// perServer is how many series a server has at most.
func perServer() (n int) {
	for _, f := range stats.Families {
		if len(f.Labels) < 2 || f.Labels[1] != "server" {
			continue
		}
		series := 1
		if f.Kind == stats.Distributed {
			series = stats.Buckets + 2 // a sum and a count
		}
		switch strings.Join(f.Labels[2:], "") {
		case "class":
			series *= int(stats.Classes)
		case "outcome":
			series *= 2
		case "cause":
			series *= 3
		}
		n += series
	}
	return n
}

// causes lists the values of a family's label with what they mean.
func causes(table []stats.Descriptor, f stats.FamilyID) string {
	var all []string
	for _, d := range table {
		if d.Family == f {
			all = append(all, fmt.Sprintf("`%s` (%s)", d.Label, d.Help))
		}
	}
	return strings.Join(all, "; ")
}

func families() string {
	var b strings.Builder
	b.WriteString("| metric | kind | labels | |\n|---|---|---|---|\n")
	for _, f := range stats.Families {
		if f.Name == "" {
			continue
		}
		labels := "none"
		if len(f.Labels) > 0 {
			labels = "`" + strings.Join(f.Labels, "` `") + "`"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", f.Name, stats.KindNames[f.Kind], labels, f.Help)
	}
	return b.String()
}
