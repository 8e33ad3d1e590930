package main

import (
	"fmt"
	"slices"
)

// The targets.
const (
	direct     = "direct"
	nutcracker = "nutcracker"
	cashew     = "cashew"
	floor      = "floor" // no proxy and no server: see floorServer
)

// keyspace is a set of keys of equal size, loaded before the runs: prefix and twelve digits.
type keyspace struct {
	prefix    string
	keys      int
	valueSize int // bytes
}

// The values of the large keyspaces fit the caches of no machine, and the memory of all.
var (
	small  = keyspace{"key:", 100_000, 32}
	medium = keyspace{"medium:", 1_000, 16 << 10}
	large  = keyspace{"large:", 64, 1 << 20}
)

// placeholder is what redis-benchmark replaces by twelve random digits.
const placeholder = "__rand_int__"

// workload is one row of the report.
type workload struct {
	Name     string
	Protocol string
	Clients  int
	Pipeline int
	Args     []string // the command, without a value
	RESP3    bool     // the clients say HELLO 3, where the target has it
	Servers  int      // behind the proxies
	Rate     float64  `json:",omitempty"` // requests a second of an open loop

	keys    keyspace
	seconds float64 // of an open loop
	value   bool    // append a value of the keyspace's size to the command
	probe   int     // requests of the first, short run
	atLeast int     // requests of a run, however fast or slow
	floor   bool    // the floor is measured, too
	mayFail bool    // what another proxy does not manage is said, and ends nothing
	own     bool    // the load is this program's own: redis-benchmark copies what is left of a large request at each write
	bars    []bar
}

// bar is what cashew has to reach: the ratio of a metric between cashew and another target.
type bar struct {
	metric metric
	than   string // the other target
	limit  float64
}

// metric is a measured quantity that has bars.
type metric uint8

const (
	throughput metric = iota // at least the limit
	proxyCPU                 // at most the limit
	serversCPU               // at most the limit
	p50                      // at most the limit, as the next two
	p99
	p999
)

func (m metric) String() string {
	return [...]string{"throughput", "proxy CPU", "servers' CPU", "p50", "p99", "p99.9"}[m]
}

// of takes the metric out of a sample.
func (m metric) of(s sample) float64 {
	return [...]float64{s.Throughput, s.ProxyCPU, s.ServersCPU, s.P50, s.P99, s.P999}[m]
}

// reached says whether a ratio passes the bar.
func (b bar) reached(ratio float64) bool {
	if b.metric == throughput {
		return ratio >= b.limit
	}
	return ratio <= b.limit
}

func (b bar) String() string {
	sign := "≤"
	if b.metric == throughput {
		sign = "≥"
	}
	return fmt.Sprintf("%s %s %g of %s", b.metric, sign, b.limit, b.than)
}

// pipelined is the least number of requests of a pipelined run: fewer are over in a blink.
const pipelined = 3_000_000

// Bars of rows that are in more than one group.
var (
	splitBars = against(0.45, 1.6)
	largeBars = against(0.85, 1)
)

var workloads = withRESP3([]workload{
	get("get-1c", 1, 1, 5_000, 0,
		bar{throughput, nutcracker, 1}),
	get("get-50c", 50, 1, 20_000, 0,
		bar{proxyCPU, nutcracker, 0.85}, bar{throughput, nutcracker, 1}),
	get("get-1000c", 1000, 1, 20_000, 0,
		bar{proxyCPU, nutcracker, 0.85}, bar{throughput, nutcracker, 0.95}, bar{serversCPU, direct, 0.5}),
	get("get-50c-P16", 50, 16, 100_000, pipelined,
		bar{proxyCPU, nutcracker, 0.35}, bar{throughput, nutcracker, 1.9}, bar{throughput, direct, 0.7}),
	get("get-50c-P100", 50, 100, 200_000, pipelined,
		bar{proxyCPU, nutcracker, 0.11}, bar{throughput, nutcracker, 4}, bar{throughput, direct, 0.85}),
	mget("mget-10", 10, 10_000),
	mget("mget-100", 100, 4_000, splitBars...),
	set("set-16KiB", medium, 50, 4_000, largeBars...),
	read("get-16KiB", medium, 50, 4_000, largeBars...),
	set("set-1MiB", large, 10, 100, largeBars...),
	read("get-1MiB", large, 10, 100, largeBars...),

	ofMemcached("mc-get-50c", "get", 1, 50, 1, 20_000, against(0.85, 0.95)),
	ofMemcached("mc-get-1000c", "get", 1, 1000, 1, 20_000, against(0.85, 0.95)),
	ofMemcached("mc-get-50c-P16", "get", 1, 50, 16, 100_000, against(0.4, 0.95)),
	ofMemcached("mc-get-50c-P100", "get", 1, 50, 100, 200_000, against(0.4, 0.95)),
	ofMemcached("mc-get-1000c-P16", "get", 1, 1000, 16, 100_000, against(0.4, 0.95)),
	ofMemcached("mc-set-50c", "set", 1, 50, 1, 20_000, against(0.85, 0.95)),
	ofMemcached("mc-set-1000c", "set", 1, 1000, 1, 20_000, against(0.85, 0.95)),
	ofMemcached("mc-set-50c-P16", "set", 1, 50, 16, 100_000, against(0.4, 0.95)),
	ofMemcached("mc-set-1000c-P16", "set", 1, 1000, 16, 100_000, against(0.4, 0.95)),
	ofMemcached("mc-mget-100", "get", 100, 50, 1, 4_000, against(0.6, 1.3)),
})

// resp3 is what the name of a row with clients in RESP3 ends with.
const resp3 = "-RESP3"

// withRESP3 adds the rows with clients in RESP3: those of Redis with small values that have bars, which are to hold as well.
func withRESP3(rows []workload) []workload {
	for _, w := range rows {
		if w.Protocol == redis && w.keys == small && len(w.bars) > 0 {
			w.Name += resp3
			w.RESP3, w.floor = true, false
			rows = append(rows, w)
		}
	}
	return rows
}

func get(name string, clients, pipeline, probe, atLeast int, bars ...bar) workload {
	w := read(name, small, clients, probe, bars...)
	w.Pipeline, w.atLeast = pipeline, atLeast
	w.floor = true
	return w
}

func read(name string, k keyspace, clients, probe int, bars ...bar) workload {
	return workload{
		Name: name, Protocol: redis, Clients: clients, Pipeline: 1, Servers: 2,
		Args: []string{"GET", k.prefix + placeholder}, keys: k, probe: probe, bars: bars,
	}
}

func set(name string, k keyspace, clients, probe int, bars ...bar) workload {
	w := read(name, k, clients, probe, bars...)
	w.Args[0], w.value, w.own = "SET", true, k.valueSize >= 1<<20
	return w
}

func mget(name string, keys, probe int, bars ...bar) workload {
	w := read(name, small, 50, probe, bars...)
	w.Args = append([]string{"MGET"}, placeholders(keys)...)
	return w
}

// placeholders returns so many keys.
func placeholders(keys int) []string {
	return slices.Repeat([]string{small.prefix + placeholder}, keys)
}

func ofMemcached(name, verb string, keys, clients, pipeline, probe int, bars []bar) workload {
	return workload{
		Name: name, Protocol: memcached, Clients: clients, Pipeline: pipeline, Servers: 2,
		Args: append([]string{verb}, placeholders(keys)...), keys: small, probe: probe, bars: bars,
	}
}

// against returns the bars against nutcracker: how much of nutcracker's CPU may be used, and how
// much of its throughput has to be reached.
func against(cpu, rate float64) []bar {
	return []bar{{proxyCPU, nutcracker, cpu}, {throughput, nutcracker, rate}}
}
