package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"
)

// sample is one run of one workload against one target.
type sample struct {
	Target     string
	Round      int
	Requests   int
	Throughput float64 // requests per second
	P50, P99   float64 // latency seen by the client, ms
	P999, Max  float64 `json:",omitempty"` // of an open loop
	Late99     float64 `json:",omitempty"` // ms by which 99 % of its requests were sent too late at most
	ProxyCPU   float64 // µs per request, user and system; 0 without a proxy
	ServersCPU float64 // µs per request, all servers of the target together

	Collector *collected `json:",omitempty"` // what cashew's garbage collector did meanwhile
}

// limit bounds one run. The slowest takes some ten seconds; more means that something hangs.
const limit = 3 * time.Minute

// limitOfOthers is the same where a proxy may not manage the load, and the run goes on without it.
const limitOfOthers = time.Minute

// driver runs a load generator with n requests of a workload against a port, and returns its figures:
// throughput and latencies.
type driver func(ctx context.Context, port int, w workload, n int) (sample, error)

// load runs a workload with n requests against the target.
func (t *target) load(ctx context.Context, w workload, n int) (sample, error) {
	fail := func(err error) (sample, error) {
		return sample{}, fmt.Errorf("%s, %s: %w%s", w.Name, t.name, err, t.log())
	}
	most := limit
	if w.mayFail {
		most = limitOfOthers
	}
	ctx, cancel := context.WithTimeout(ctx, most+seconds(w.seconds))
	defer cancel()

	missed, err := t.misses()
	if err != nil {
		return fail(err)
	}
	proxy, servers, err := t.cpu()
	if err != nil {
		return fail(err)
	}
	if t.name == nutcracker {
		w.RESP3 = false // it closes clients at HELLO
	}
	drive := t.drive
	if w.own {
		drive = ownGenerator
	}
	s, err := drive(ctx, t.port, w, n)
	if err != nil {
		return fail(err)
	}
	proxyAfter, serversAfter, err := t.cpu()
	if err != nil {
		return fail(err)
	}
	missedAfter, err := t.misses()
	if err != nil {
		return fail(err)
	}
	if missedAfter > missed {
		return fail(fmt.Errorf("%d keys were not where they were looked for", missedAfter-missed))
	}
	s.Target = t.name
	if s.Requests == 0 {
		s.Requests = n
	}
	s.ProxyCPU = perRequest(proxyAfter-proxy, s.Requests)
	s.ServersCPU = perRequest(serversAfter-servers, s.Requests)
	return s, nil
}

// misses returns how many keys were ever looked up in vain. Of memcached it need not be known: its load
// generator looks at every reply.
func (t *target) misses() (int, error) {
	if t.speaks == memcached {
		return 0, nil
	}
	return misses(t.servers)
}

// redisBenchmark is the driver for Redis.
func redisBenchmark(ctx context.Context, port int, w workload, n int) (sample, error) {
	cmd := benchmark(ctx, port, w, n)
	var out, complaints bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &complaints
	if err := cmd.Run(); err != nil {
		return sample{}, fmt.Errorf("redis-benchmark: %w: %s", err, complaints.String())
	}
	if strings.Contains(complaints.String(), "Error from server") {
		return sample{}, fmt.Errorf("redis-benchmark: %s", complaints.String())
	}
	return parseCSV(out.String())
}

// ownGenerator is the driver for memcached and for large values that are set: this program, in a process of its own. It speaks the
// protocol of Redis too, so that it can be compared with redis-benchmark.
func ownGenerator(ctx context.Context, port int, w workload, n int) (sample, error) {
	r, err := runGenerator(ctx, port, w, "-pipeline", strconv.Itoa(w.Pipeline), "-requests", strconv.Itoa(n))
	if err == nil && r.Requests != n {
		err = fmt.Errorf("%d of %d requests were answered", r.Requests, n)
	}
	return sample{Throughput: float64(r.Requests) / r.Seconds, P50: r.P50, P99: r.P99}, err
}

// openLoop is the driver for latencies: so many requests a second, for so many seconds.
func openLoop(ctx context.Context, port int, w workload, _ int) (sample, error) {
	number := func(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }
	r, err := runGenerator(ctx, port, w, "-rate", number(w.Rate), "-for", number(w.seconds))
	return sample{
		Requests: r.Requests, Throughput: float64(r.Requests) / r.Seconds,
		P50: r.P50, P99: r.P99, P999: r.P999, Max: r.Max, Late99: r.Late99,
	}, err
}

// runGenerator runs this program's own generator.
func runGenerator(ctx context.Context, port int, w workload, args ...string) (r loadResult, err error) {
	self, err := os.Executable()
	if err != nil {
		return r, err
	}
	cmd := exec.CommandContext(ctx, self, append([]string{
		"load", "-port", strconv.Itoa(port), "-protocol", w.Protocol,
		"-verb", strings.ToLower(w.Args[0]), "-keys", strconv.Itoa(len(w.Args) - 1), "-clients", strconv.Itoa(w.Clients),
		"-prefix", w.keys.prefix, "-range", strconv.Itoa(w.keys.keys), "-size", strconv.Itoa(w.keys.valueSize),
	}, args...)...)
	cmd.SysProcAttr = childAttr()
	var out, complaints bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &complaints
	if err := cmd.Run(); err != nil {
		return r, fmt.Errorf("the load generator: %w: %s", err, complaints.String())
	}
	if err := json.Unmarshal(out.Bytes(), &r); err != nil {
		return r, fmt.Errorf("the load generator says %.200q: %w", out.String(), err)
	}
	if r.Wrong > 0 {
		return r, fmt.Errorf("%d of %d replies were wrong, %s", r.Wrong, r.Requests, r.FirstWrong)
	}
	return r, nil
}

// perRequest returns µs.
func perRequest(d time.Duration, n int) float64 {
	return float64(d.Nanoseconds()) / 1e3 / float64(n)
}

// benchmark returns the redis-benchmark command that makes the load.
func benchmark(ctx context.Context, port int, w workload, n int) *exec.Cmd {
	args := []string{
		"-h", "127.0.0.1", "-p", strconv.Itoa(port), "--csv", "--precision", "3",
		"-c", strconv.Itoa(w.Clients), "-P", strconv.Itoa(w.Pipeline),
		"-n", strconv.Itoa(n), "-r", strconv.Itoa(w.keys.keys),
	}
	if w.RESP3 {
		args = append(args, "-3")
	}
	if w.value {
		args = append(args, "-x") // the last argument comes from stdin: 1 MiB is too long for a command line
	}
	cmd := exec.CommandContext(ctx, "redis-benchmark", append(args, w.Args...)...)
	cmd.SysProcAttr = childAttr()
	if w.value {
		cmd.Stdin = bytes.NewReader(bytes.Repeat([]byte("x"), w.keys.valueSize))
	}
	return cmd
}

// parseCSV reads the last line of redis-benchmark --csv: the command, requests per second, then the
// latencies avg, min, p50, p95, p99, max in ms. The command may hold anything, so fields are counted
// from the end.
func parseCSV(out string) (sample, error) {
	lines := strings.Split(strings.TrimSpace(out), "\n")
	last := lines[len(lines)-1]
	fields := strings.Split(last, `","`)
	if len(fields) < 8 {
		return sample{}, fmt.Errorf("redis-benchmark says %.200q instead of figures", last)
	}
	fields = fields[len(fields)-7:]
	number := make([]float64, len(fields))
	for i, f := range fields {
		var err error
		if number[i], err = strconv.ParseFloat(strings.Trim(f, `"`), 64); err != nil {
			return sample{}, fmt.Errorf("redis-benchmark's figures: %w", err)
		}
	}
	return sample{Throughput: number[0], P50: number[3], P99: number[5]}, nil
}
