package metrics

import (
	"flag"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/cashew-proxy/cashew/internal/stats"
)

var update = flag.Bool("update", false, "write docs/metrics.md instead of comparing")

// The page is what the tables make of it.
func TestPage(t *testing.T) {
	const path = "../../docs/metrics.md"
	if *update {
		if err := os.WriteFile(path, []byte(Page()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), Page()); diff != "" {
		t.Errorf("%s differs (-want +got): go generate ./internal/metrics\n%s", path, diff)
	}
}

// Every family has a name as Prometheus wants it, and a help that is a sentence.
func TestFamilies(t *testing.T) {
	name := regexp.MustCompile(`^cashew_[a-z]+(_[a-z]+)*$`)
	seen := map[string]bool{}
	for i, f := range stats.Families {
		if stats.FamilyID(i) == stats.None {
			continue
		}
		if !name.MatchString(f.Name) || seen[f.Name] {
			t.Errorf("family %d is called %q, twice: %v", i, f.Name, seen[f.Name])
		}
		seen[f.Name] = true
		if !strings.HasSuffix(f.Help, ".") || strings.Contains(f.Help, "|") {
			t.Errorf("%s: help %q", f.Name, f.Help)
		}
		if total := strings.HasSuffix(f.Name, "_total"); total != (f.Kind == stats.Count) {
			t.Errorf("%s is a %s", f.Name, stats.KindNames[f.Kind])
		}
		if f.Kind == stats.Distributed && !strings.HasSuffix(f.Name, "_seconds") {
			t.Errorf("%s is a histogram of times", f.Name)
		}
	}
}

// Every counter of a worker is told by a family, but for those that others tell; where several share one, the label
// tells them apart.
func TestEveryCounterIsTold(t *testing.T) {
	otherwise := map[string]bool{"requests": true, "client_eofs": true}
	for what, table := range map[string][]stats.Descriptor{
		"pool": stats.PoolTable[:], "server": append(stats.ServerTable[:], stats.GaugeTable[:]...),
	} {
		of := map[stats.FamilyID]map[string]bool{}
		for _, d := range table {
			if d.Family == stats.None {
				if !otherwise[d.Name] {
					t.Errorf("%s: nobody gets to see %s", what, d.Name)
				}
				continue
			}
			f := stats.Families[d.Family]
			labels := 0
			if d.Label != "" {
				labels = 1
			}
			own := map[string]int{"pool": 1, "server": 2}[what]
			if len(f.Labels) != own+labels || f.Labels[own-1] != what {
				t.Errorf("%s: %s has labels %q and a value %q", what, f.Name, f.Labels, d.Label)
			}
			if of[d.Family] == nil {
				of[d.Family] = map[string]bool{}
			}
			if of[d.Family][d.Label] {
				t.Errorf("%s: %s{%s} twice", what, f.Name, d.Label)
			}
			of[d.Family][d.Label] = true
		}
	}
}
