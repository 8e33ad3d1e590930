package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestLatencyIsMeasured: with the real programs, cashew's collector included.
func TestLatencyIsMeasured(t *testing.T) {
	needPeers(t)
	dir := t.TempDir()
	var table bytes.Buffer
	if err := latencyCommand(t.Context(), []string{"-rounds", "2", "-seconds", "0.3", "-out", dir}, &table); err != nil {
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
	if rate := rep.Results[0].Workload.Rate; rep.Saturation <= 0 || rate != rep.Saturation/2 || len(rep.Results[0].Samples) != 6 {
		t.Errorf("saturation %v, rate %v, samples %+v", rep.Saturation, rate, rep.Results[0].Samples)
	}
	for _, s := range rep.Results[0].Samples {
		if s.Requests < 1 || s.P50 <= 0 || s.P99 < s.P50 || s.P999 < s.P99 || s.Max < s.P999 || (s.ProxyCPU > 0) != (s.Target != direct) {
			t.Errorf("impossible figures: %+v", s)
		}
		if (s.Collector != nil) != (s.Target == cashew) {
			t.Errorf("%s: the collector: %+v", s.Target, s.Collector)
		}
	}
	for _, want := range []string{
		"half of the ", "\n| cashew | ", "\n| direct | ", "\n| latency-get-50c | p99.9 ≤ 1.1 of nutcracker | ", "cashew's garbage collector: ",
	} {
		if !strings.Contains(table.String(), want) {
			t.Errorf("no %q in\n%s", want, table.String())
		}
	}
}

func TestLatencyFlags(t *testing.T) {
	for _, bad := range []string{"-rounds=0", "-seconds=0", "-rate=-1", "extra"} {
		if err := latencyCommand(t.Context(), []string{bad}, nil); err == nil {
			t.Errorf("%s is accepted", bad)
		}
	}
}

func TestCollectorIsRead(t *testing.T) {
	page := "# HELP x\ngo_gc_duration_seconds{quantile=\"0\"} 7\ngo_gc_duration_seconds_sum 0.5\ngo_gc_duration_seconds_count 4\n" +
		"go_cpu_classes_gc_total_cpu_seconds_total 1.5e-1\nprocess_cpu_seconds_total 3\n"
	c, err := parseCollector(strings.NewReader(page))
	if want := (collected{Cycles: 4, Seconds: 0.15, Paused: 0.5, Process: 3}); err != nil || c != want {
		t.Errorf("%+v, %v", c, err)
	}
	c.add(collected{Cycles: 1, Process: 1}, -1)
	if c.Cycles != 3 || c.Process != 2 {
		t.Errorf("since then: %+v", c)
	}
	for _, bad := range []string{"", "go_gc_duration_seconds_sum x\n", page[:60]} {
		if c, err := parseCollector(strings.NewReader(bad)); err == nil {
			t.Errorf("%q is read: %+v", bad, c)
		}
	}
}
