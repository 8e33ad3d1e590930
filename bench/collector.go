package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
)

// collected is what cashew's metrics say of the garbage collector, and for comparison of the whole process.
type collected struct {
	Cycles  float64
	Seconds float64 // CPU time of the collector, as the runtime counts it at the end of a cycle
	Paused  float64 // seconds in which the program stood still
	Process float64 // CPU time of the process
}

// add adds another so many times: -1 leaves what has happened since.
func (c *collected) add(other collected, times float64) {
	c.Cycles += times * other.Cycles
	c.Seconds += times * other.Seconds
	c.Paused += times * other.Paused
	c.Process += times * other.Process
}

// collector asks cashew's admin listener.
func collector(ctx context.Context, port int) (collected, error) {
	page, err := askCashew(ctx, port, "/metrics")
	if err != nil {
		return collected{}, err
	}
	return parseCollector(bytes.NewReader(page))
}

// askCashew returns what cashew's admin listener has at a path.
func askCashew(ctx context.Context, port int, path string) (page []byte, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("cashew's %s: %w", path, err)
		}
	}()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, fmt.Sprintf("http://127.0.0.1:%d%s", port, path), nil)
	if err != nil {
		return nil, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	page, err = io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %.200q", resp.Status, page)
	}
	return page, err
}

func parseCollector(page io.Reader) (c collected, err error) {
	fields := map[string]*float64{
		"go_gc_duration_seconds_count":              &c.Cycles,
		"go_cpu_classes_gc_total_cpu_seconds_total": &c.Seconds,
		"go_gc_duration_seconds_sum":                &c.Paused,
		"process_cpu_seconds_total":                 &c.Process,
	}
	lines := bufio.NewScanner(page)
	for lines.Scan() {
		name, value, _ := strings.Cut(lines.Text(), " ")
		field := fields[name]
		if field == nil {
			continue
		}
		if *field, err = strconv.ParseFloat(value, 64); err != nil {
			return c, fmt.Errorf("cashew's metrics: %w", err)
		}
		delete(fields, name)
	}
	if len(fields) > 0 {
		return c, errors.Join(fmt.Errorf("cashew's metrics lack %d of the collector's", len(fields)), lines.Err())
	}
	return c, nil
}

// collectors prints the collector's share: sums of the rounds.
func (rep *report) collectors(w io.Writer) {
	var sum collected
	seconds := 0.0
	for _, s := range rep.Results[0].Samples {
		if c := s.Collector; c != nil {
			sum.add(*c, 1)
			seconds += float64(s.Requests) / s.Throughput
		}
	}
	if seconds == 0 {
		return
	}
	fmt.Fprintf(w, "\ncashew's garbage collector: %.0f cycles in %.0f s, %.3f s of %.1f s CPU (%.2f %%), the program stood still for %.2f ms of them.\n",
		sum.Cycles, seconds, sum.Seconds, sum.Process, 100*sum.Seconds/max(sum.Process, 1e-9), 1e3*sum.Paused)
}
