package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// fullReport is a report with a sample of every workload and target.
func fullReport() *report {
	rep := &report{Rounds: 3, Targets: targetNames, Load: "9.99", Machine: []string{"CPU: one of a test", "nutcracker: This is nutcracker-0.5.0, run with -v 4"}}
	for _, w := range workloads {
		r := result{Workload: w}
		for _, t := range []string{direct, nutcracker, cashew} {
			s := sample{Target: t, Throughput: 123_456, ProxyCPU: 8, ServersCPU: 4}
			if t == cashew {
				s.Throughput, s.ProxyCPU = 1_234_567, 2
			}
			r.Samples = append(r.Samples, s)
		}
		rep.Results = append(rep.Results, r)
	}
	return rep
}

// TestPublishing: the figures get between the marks of this repository's pages, and all else stays.
func TestPublishing(t *testing.T) {
	dir := t.TempDir()
	before := map[string]string{}
	for _, p := range published {
		page, err := os.ReadFile(filepath.Join("..", p.page))
		if err != nil {
			t.Fatal(err)
		}
		before[p.page] = string(page)
		name := filepath.Join(dir, p.page)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, page, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	whole, err := parseFlags([]string{"-publish"})
	if err != nil {
		t.Fatal(err)
	}
	if err := whole.publishable(dir); err != nil {
		t.Fatal(err)
	}
	for range 2 { // a second run replaces the first
		if err := fullReport().publish(dir); err != nil {
			t.Fatal(err)
		}
	}
	if svg, err := os.ReadFile(filepath.Join(dir, picturePath)); err != nil || !bytes.HasPrefix(svg, []byte("<svg ")) {
		t.Errorf("the picture: %.20q, %v", svg, err)
	}
	for _, p := range published[:2] {
		after, err := os.ReadFile(filepath.Join(dir, p.page))
		if err != nil {
			t.Fatal(err)
		}
		page := string(after)
		if p.page != "README.md" {
			page = sameRESP3(t, before[p.page], page)
		}
		oldHead, oldRest, _ := strings.Cut(before[p.page], p.marks.begin())
		newHead, newRest, _ := strings.Cut(page, p.marks.begin())
		_, oldTail, _ := strings.Cut(oldRest, p.marks.end())
		figures, newTail, _ := strings.Cut(newRest, p.marks.end())
		if oldHead != newHead || oldTail != newTail {
			t.Errorf("%s: more than the figures has changed", p.page)
		}
		want := []string{"| mc-mget-100 | cashew | 1234567 |", "CPU: one of a test", "| mc-get-50c-P16 | proxy CPU ≤ 0.4 of nutcracker | 0.250 | reached |"}
		if p.page == "README.md" {
			want = []string{
				"| get of 100 keys, split | 123k | 123k, 8 µs | 1.23M, 2 µs | 0.25 |\n",
				"| 50 clients, pipelines of 16 | 123k | 123k, 8 µs | 1.23M, 2 µs | 0.25 |\n",
			}
			want = append(want, ", nutcracker 0.5.0 with `-v 4`:\n")
			if rows := strings.Count(figures, " | 0.25 |\n"); rows != len(summaryRows[redis])+len(summaryRows[memcached]) {
				t.Errorf("the README gets %d rows", rows)
			}
		}
		if strings.Contains(figures, "9.99") {
			t.Errorf("%s: the load of somebody's machine is published", p.page)
		}
		for _, text := range want {
			if !strings.Contains(figures, text) {
				t.Errorf("%s lacks %q:\n%s", p.page, text, figures)
			}
		}
	}
}

// sameRESP3 sees to it that the part about RESP3 is filled, and returns the page with what was there before.
func sameRESP3(t *testing.T, before, after string) string {
	t.Helper()
	m := published[2].marks
	_, rest, _ := strings.Cut(before, m.begin())
	old, _, _ := strings.Cut(rest, m.end())
	head, rest, _ := strings.Cut(after, m.begin())
	figures, tail, _ := strings.Cut(rest, m.end())
	for _, want := range []string{
		"| get-50c-P16 | 123k | 123k, 8 µs | 1.23M, 2 µs | 1.23M, 2 µs | 1.00 |\n",
		"| mget-100-RESP3 | throughput ≥ 1.6 of nutcracker | 10.000 | reached |\n",
	} {
		if !strings.Contains(figures, want) {
			t.Errorf("the part about RESP3 lacks %q:\n%s", want, figures)
		}
	}
	return head + m.begin() + old + m.end() + tail
}

func TestMarks(t *testing.T) {
	m := marks("x")
	begin, end := m.begin(), m.end()
	for _, page := range []string{"", begin, end, end + begin, begin + begin + end + begin} {
		if _, err := m.replace([]byte(page), nil); err == nil {
			t.Errorf("%q has its marks", page)
		}
	}
	got, err := m.replace([]byte("a\n"+begin+"old\n"+end+"z\n"), []byte("new\n"))
	if want := "a\n" + begin + "new\n" + end + "z\n"; err != nil || !bytes.Equal(got, []byte(want)) {
		t.Errorf("have %q, %v", got, err)
	}
}

// TestPartsAreNotPublished: neither is a page whose marks are gone found out after the run.
func TestPartsAreNotPublished(t *testing.T) {
	for _, args := range [][]string{{"-quick"}, {"-rounds=2"}, {"-only=get"}, {"-targets=cashew"}, {"-group=large"}, {"-predixy=/bin/sh"}} {
		o, err := parseFlags(append(args, "-publish"))
		if err != nil {
			t.Fatal(err)
		}
		if err := o.publishable(".."); err == nil {
			t.Errorf("%s is published", args)
		}
	}
	o, err := parseFlags([]string{"-publish"})
	if err != nil {
		t.Fatal(err)
	}
	if err := o.publishable(t.TempDir()); err == nil {
		t.Error("pages that are not there are published")
	}
}

func TestThousands(t *testing.T) {
	for v, want := range map[float64]string{2331: "2.3k", 54_667: "54.7k", 554_119: "554k", 2_150_000: "2.15M"} {
		if got := thousands(v); got != want {
			t.Errorf("thousands(%v) = %s, want %s", v, got, want)
		}
	}
}

// TestRowsInRESP3: each row of Redis with bars has one, and nutcracker is not asked for what it does not have.
func TestRowsInRESP3(t *testing.T) {
	var names []string
	for _, w := range workloads {
		if !w.RESP3 {
			continue
		}
		names = append(names, w.Name)
		for _, name := range []string{direct, nutcracker, cashew} {
			var asked workload
			tg := target{name: name, speaks: memcached, drive: func(_ context.Context, _ int, w workload, _ int) (sample, error) {
				asked = w
				return sample{}, nil
			}}
			if _, err := tg.load(t.Context(), w, 1); err != nil {
				t.Fatal(err)
			}
			if got := slices.Contains(benchmark(t.Context(), 1, asked, 1).Args, "-3"); got != (name != nutcracker) {
				t.Errorf("%s, %s: in RESP3: %v", w.Name, name, got)
			}
		}
	}
	want := []string{"get-1c-RESP3", "get-50c-RESP3", "get-1000c-RESP3", "get-50c-P16-RESP3", "get-50c-P100-RESP3", "mget-100-RESP3"}
	if !slices.Equal(names, want) {
		t.Errorf("the rows are %q", names)
	}
}
