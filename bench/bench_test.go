package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

func TestParseCSVCountsFromTheEnd(t *testing.T) {
	out := `"test","rps","avg_latency_ms","min_latency_ms","p50_latency_ms","p95_latency_ms","p99_latency_ms","max_latency_ms"` + "\n" +
		`"SET a","b xxx","1234.50","0.4","0.1","0.25","0.9","1.75","3.0"` + "\n"
	s, err := parseCSV(out)
	if err != nil || s.Throughput != 1234.5 || s.P50 != 0.25 || s.P99 != 1.75 {
		t.Errorf("have %+v, %v", s, err)
	}
	for _, bad := range []string{"", "Could not connect", `"GET","x","1","1","1","1","1","1"`} {
		if s, err := parseCSV(bad); err == nil {
			t.Errorf("parseCSV(%q) = %+v, want an error", bad, s)
		}
	}
}

func TestMedian(t *testing.T) {
	for _, c := range []struct {
		v    []float64
		want float64
	}{{nil, 0}, {[]float64{3}, 3}, {[]float64{9, 1, 2}, 2}, {[]float64{4, 1, 2, 9}, 3}} {
		if got := median(c.v); got != c.want {
			t.Errorf("median(%v) = %v, want %v", c.v, got, c.want)
		}
	}
}

// twoRounds is a machine that was twice as fast in the second round for everybody.
func twoRounds() result {
	return result{
		Workload: workload{Name: "w", bars: []bar{{throughput, nutcracker, 2}, {proxyCPU, nutcracker, 0.4}}},
		Samples: []sample{
			{Target: cashew, Round: 0, Throughput: 200, ProxyCPU: 5},
			{Target: nutcracker, Round: 0, Throughput: 100, ProxyCPU: 10},
			{Target: nutcracker, Round: 1, Throughput: 200, ProxyCPU: 5},
			{Target: cashew, Round: 1, Throughput: 400, ProxyCPU: 2.5},
		},
	}
}

func TestRatioPairsRounds(t *testing.T) {
	r := twoRounds()
	if v, ok := r.ratio(throughput, cashew, nutcracker); !ok || v != 2 {
		t.Errorf("throughput: have %v, %v", v, ok)
	}
	if v, ok := r.ratio(proxyCPU, cashew, nutcracker); !ok || v != 0.5 {
		t.Errorf("proxy CPU: have %v, %v", v, ok)
	}
	if v, ok := r.ratio(throughput, cashew, direct); ok {
		t.Errorf("there is no direct run, but a ratio: %v", v)
	}
}

func TestBarsAreMarked(t *testing.T) {
	rep := &report{Targets: []string{cashew, nutcracker}, Results: []result{twoRounds()}}
	var b bytes.Buffer
	rep.markdown(&b)
	for _, want := range []string{
		"| w | throughput ≥ 2 of nutcracker | 2.000 | reached |",
		"| w | proxy CPU ≤ 0.4 of nutcracker | 0.500 | **missed** |",
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no line %q in\n%s", want, b.String())
		}
	}
}

func TestFlags(t *testing.T) {
	o, err := parseFlags([]string{"-quick", "-targets", "direct,cashew", "-only", "50c$"})
	if err != nil || o.rounds != 1 || len(o.targets) != 2 || o.only.MatchString("get-50c-P16") {
		t.Errorf("have %+v, %v", o, err)
	}
	for _, bad := range []string{"-targets=redis", "-targets=cashew-x", "-group=none", "-group=peers", "-predixy=/no/such/predixy", "-only=(", "-rounds=0", "extra"} {
		if _, err := parseFlags([]string{bad}); err == nil {
			t.Errorf("%s is accepted", bad)
		}
	}
}

// needPeers fails the test if a program that is measured against is not installed.
func needPeers(t *testing.T) {
	t.Helper()
	for _, p := range []string{"redis-server", "redis-benchmark", "memcached", "nutcracker"} {
		if _, err := exec.LookPath(p); err != nil {
			t.Fatalf("this test needs a real %s: scripts/peers.sh installs it: %v", p, err)
		}
	}
}

func peerOptions(t *testing.T, dir string) *options {
	t.Helper()
	needPeers(t)
	o, err := parseFlags([]string{"-quick", "-only", "get-50c$", "-targets", "direct,nutcracker", "-out", dir})
	if err != nil {
		t.Fatal(err)
	}
	o.seconds = 0.05 // shorter still: only that there are figures matters
	return o
}

// TestMain lets the tests' binary be what this program starts of itself.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && subcommands[os.Args[1]] != nil {
		main()
		return
	}
	os.Exit(m.Run())
}

func TestRunMeasures(t *testing.T) {
	dir := t.TempDir()
	o := peerOptions(t, dir)
	o.only = regexp.MustCompile("^get-50c$|^mc-set-50c-P16$|^mc-mget-100$")
	o.targets = []string{direct, nutcracker, floor}
	var table bytes.Buffer
	if err := run(t.Context(), o, &table); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.json"))
	if err != nil || len(files) != 1 {
		t.Fatalf("raw data: %v, %v", files, err)
	}
	raw, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	var rep report
	if err := json.Unmarshal(raw, &rep); err != nil {
		t.Fatal(err)
	}
	want := map[string]int{"get-50c": 3, "mc-set-50c-P16": 2, "mc-mget-100": 2} // the floor is for Redis
	if len(rep.Results) != len(want) {
		t.Fatalf("have %+v, want %v", rep.Results, want)
	}
	for _, r := range rep.Results {
		if len(r.Samples) != want[r.Workload.Name] {
			t.Errorf("%s has %d samples, want %d", r.Workload.Name, len(r.Samples), want[r.Workload.Name])
		}
		for _, s := range r.Samples {
			if s.Throughput <= 0 || s.P50 <= 0 || s.P99 < s.P50 || (s.ServersCPU > 0) != (s.Target != floor) || (s.ProxyCPU > 0) != (s.Target != direct) {
				t.Errorf("%s: impossible figures: %+v", r.Workload.Name, s)
			}
		}
	}
	for _, row := range []string{"| get-50c | nutcracker |", "| get-50c | floor |", "| mc-mget-100 | nutcracker |"} {
		if !strings.Contains(table.String(), row) {
			t.Errorf("no row %s in\n%s", row, table.String())
		}
	}
	if strings.Contains(table.String(), "| mc-mget-100 | floor |") {
		t.Errorf("a floor that was not measured has a row in\n%s", table.String())
	}
}

func TestCheckCompares(t *testing.T) {
	o := peerOptions(t, "")
	o.check = true
	o.only = regexp.MustCompile("^get-50c$|^set-50c$")
	var table bytes.Buffer
	if err := run(t.Context(), o, &table); err != nil {
		t.Fatal(err)
	}
	for _, row := range []string{"\n| get-50c | ", "\n| set-50c | "} {
		if strings.Count(table.String(), row) != 1 {
			t.Errorf("no row %q in\n%s", row, table.String())
		}
	}
}

// TestStopEndsEverything: whatever interrupts the run, no server stays behind.
func TestStopEndsEverything(t *testing.T) {
	dir := t.TempDir()
	o := peerOptions(t, "")
	f, err := startFleet(t.Context(), o, workloads[:1], dir)
	defer f.stop()
	if err != nil {
		t.Fatal(err)
	}
	if len(f.processes) != 4 {
		t.Errorf("%d processes, want three servers and a proxy", len(f.processes))
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := f.preload(workloads[:1]); err != nil {
		t.Fatal(err)
	}
	if _, err := f.targets[0].load(ctx, workloads[0], 1_000_000_000); err == nil {
		t.Error("a cancelled run has no error")
	}
	f.stop()
	for _, p := range f.processes {
		if err := p.ping(); err == nil {
			t.Errorf("%s still answers", p.name)
		}
	}
}

func TestMissingKeysFailTheRun(t *testing.T) {
	o := peerOptions(t, "")
	f, err := startFleet(t.Context(), o, workloads[:1], t.TempDir())
	defer f.stop()
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.targets[1].load(t.Context(), workloads[0], 100)
	if err == nil || !strings.Contains(err.Error(), "100 keys were not where") {
		t.Errorf("have %v", err)
	}
}

func TestStartTellsWhy(t *testing.T) {
	needPeers(t)
	f := &fleet{dir: t.TempDir()}
	defer f.stop()
	p, err := f.newProcess("broken", "redis-server", redis)
	if err != nil {
		t.Fatal(err)
	}
	begin := time.Now()
	err = start(t.Context(), p, "--port", "nonsense")
	if err == nil || !strings.Contains(err.Error(), "broken did not come up: it ended") {
		t.Errorf("have %v", err)
	}
	if d := time.Since(begin); d > 9*time.Second {
		t.Errorf("noticed only after %v", d)
	}
}
