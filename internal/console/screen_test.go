package console

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/cashew-proxy/cashew/internal/admin"
	"github.com/cashew-proxy/cashew/internal/stats"
)

var update = flag.Bool("update", false, "write the screens instead of comparing")

func TestMain(m *testing.M) {
	time.Local = time.UTC // screens have times of the reader's zone
	os.Exit(m.Run())
}

var start = time.Date(2026, 5, 4, 9, 0, 0, 0, time.UTC)

// status is a process with two pools after so many seconds of load.
func status(seconds int) *admin.Status {
	n, last := uint64(seconds), start.Add(time.Hour)
	s := &admin.Status{
		Version: "1.2.3", PID: 4242, Started: start, Now: start.Add(3*time.Hour + time.Duration(seconds)*time.Second), Epoch: 4,
		Reloads: admin.Reloads{Succeeded: 3, Last: &last},
		Memory:  admin.Memory{Buffered: 1 << 20, Limit: 512 << 20, Heap: 6 << 20, System: 18 << 20},
		Workers: []admin.Worker{{Active: true, Busy: int64(seconds) * 370e6}, {}},
	}
	until := s.Now.Add(20 * time.Second)
	alpha := admin.PoolStatus{
		Name: "alpha", Protocol: "redis", Listen: "127.0.0.1:22121", Clients: 120,
		Counters: map[string]uint64{"requests": n * 78_000, "forward_errors": n / 2},
	}
	for i := range 12 {
		alpha.Servers = append(alpha.Servers, admin.ServerStatus{
			Name: fmt.Sprintf("cache%d", i), Address: fmt.Sprintf("10.0.0.%d:6379", i), State: "live", Share: float64(i) / 66, Connections: 1,
			Queued: uint64(i % 3), InFlight: uint64(i % 5), Counters: map[string]uint64{"requests": n * uint64(i) * 1100},
		})
	}
	alpha.Servers[3].State, alpha.Servers[3].Ejections = "ejected", 2
	alpha.Servers[7].Name = "a name that is longer than its column, ü"
	s.Pools = []admin.PoolStatus{alpha, {
		Name: "b\x1b[2Jeta", Protocol: "memcached", Listen: "/run/beta.sock", Paused: "write", PausedUntil: &until,
		Counters: map[string]uint64{"requests": n * 2_500_000},
		Servers:  []admin.ServerStatus{{Name: "", Address: "127.0.0.1:11211", State: "held", Share: 1, Counters: map[string]uint64{}}},
	}}
	return s
}

func happenings() (events []admin.Event) {
	for i := range 8 {
		events = append(events, admin.Event{
			Number: uint64(i + 1), Time: start.Add(time.Duration(i) * time.Minute), Level: "WARN", Text: "server ejected",
			Fields: map[string]string{"pool": "alpha", "server": fmt.Sprintf("cache%d", i), "reason": "connection refused"},
		})
	}
	return events
}

// pageSample is what docs/operations.md shows; its test reads the same file.
func pageSample(t *testing.T) Sample {
	t.Helper()
	text, err := os.ReadFile("testdata/page.json")
	if err != nil {
		t.Fatal(err)
	}
	var s Sample
	if err := json.Unmarshal(text, &s); err != nil { // names of fields are found in small letters, too
		t.Fatal(err)
	}
	return s
}

// TestScreens compares screens with testdata. Each line has its mark in front.
func TestScreens(t *testing.T) {
	usual := Sample{Before: status(10), Now: status(12), Events: happenings()}
	failed := usual
	failed.Now = status(12)
	failed.Now.Reloads.Failed, failed.Now.Reloads.Error, failed.Now.Draining = 1, "cashew.yml:3:3: alpha: wrong", true
	for name, c := range map[string]struct {
		s Sample
		v View
	}{
		"usual":    {usual, View{Width: 80, Height: 24}},
		"beta":     {usual, View{Width: 80, Height: 24, Pool: usual.Now.Pools[1].Name}},
		"requests": {usual, View{Width: 80, Height: 24, Order: ByRequests}},
		"state":    {usual, View{Width: 80, Height: 24, Order: ByState}},
		"scrolled": {usual, View{Width: 80, Height: 24, Skip: 9}},
		"first":    {Sample{Now: status(12)}, View{Width: 80, Height: 24}},
		"trouble":  {failed, View{Width: 80, Height: 24, Trouble: "NO ANSWER for 5s, trying again: nothing listens at 127.0.0.1:22223"}},
		"large":    {usual, View{Width: 140, Height: 40, Order: ByWaiting}},
		"small":    {usual, View{Width: 40, Height: 12}},
		"page":     {pageSample(t), View{Width: 80, Height: 24}},
		"empty":    {Sample{Now: &admin.Status{Started: start, Now: start}}, View{Width: 80, Height: 12}},
	} {
		var b strings.Builder
		for _, l := range Screen(c.s, c.v) {
			b.WriteString(strings.TrimRight(string("-THPA"[l.Mark])+" "+l.Text, " ") + "\n")
		}
		file := filepath.Join("testdata", name+".txt")
		if *update {
			if err := os.WriteFile(file, []byte(b.String()), 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), b.String()); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

// TestScreenFits: no screen is larger than the terminal, down to none, and the keys are there if anything is.
func TestScreenFits(t *testing.T) {
	s := Sample{Before: status(10), Now: status(12), Events: happenings()}
	for height := range 45 {
		for width := range 130 {
			lines := Screen(s, View{Width: width, Height: height, Skip: width, Trouble: "trouble"})
			if len(lines) != height {
				t.Fatalf("%dx%d: %d lines", width, height, len(lines))
			}
			for _, l := range lines {
				if utf8.RuneCountInString(l.Text) > width {
					t.Fatalf("%dx%d: %q", width, height, l.Text)
				}
			}
			if width > 6 && height > 0 && lines[height-1].Text[:6] != "q quit" {
				t.Fatalf("%dx%d: the last line is %q", width, height, lines[height-1].Text)
			}
		}
	}
}

// TestCounters: what is shown is counted under these names.
func TestCounters(t *testing.T) {
	known := map[string]bool{}
	for _, d := range stats.PoolTable {
		known[d.Name] = true
	}
	if !known["requests"] || !known["forward_errors"] || !known["memory_refused"] || stats.ServerTable[stats.ServerRequests].Name != "requests" {
		t.Error("counters have other names")
	}
}
