package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// group is rows that are measured together, and the targets for which they were made.
type group struct {
	name    string
	rows    []workload
	targets []string
	note    string // what the reader has to know of these rows
}

// proxied are the targets of the rows that compare proxies with no proxy.
var proxied = []string{direct, nutcracker, cashew}

// groups are what -group chooses from; the first one is the table that is published.
var groups = []*group{
	{name: "table", rows: workloads, targets: targetNames},
	{name: "many", rows: manyKeys(), targets: proxied, note: "mget-N-sM is MGET of N keys, split over M servers; mset likewise."},
	{name: "large", rows: largeValues(), targets: proxied},
	{
		name: "workers", rows: workerRows(), targets: []string{cashew + "-1", cashew + "-2", cashew},
		note: "cashew-N has `threads: N`, cashew has `auto`.",
	},
	{
		name: "hot", rows: hotRows(), targets: []string{direct, nutcracker, cashew, joining},
		note: "All clients ask for one key. " + joining + " has `coalesce_reads: true`.",
	},
	{name: "peers", rows: peerRows(), targets: proxied, note: "The other proxies have two servers each of their own, since they place keys in other ways."},
}

func groupNamed(name string) (*group, error) {
	var names []string
	for _, g := range groups {
		if g.name == name {
			return g, nil
		}
		names = append(names, g.name)
	}
	return nil, fmt.Errorf("-group: %q is none of %s", name, strings.Join(names, ", "))
}

// manyKeys are the rows that show what a key of many costs.
func manyKeys() (rows []workload) {
	for _, servers := range []int{1, 2, 4, 16} {
		for _, verb := range []string{"MGET", "MSET"} {
			for _, keys := range []int{10, 100, 1000, 10_000} {
				name := fmt.Sprintf("%s-%d-s%d", strings.ToLower(verb), keys, servers)
				w := mget(name, keys, min(max(50, 200_000/keys), 10_000))
				w.Servers, w.mayFail = servers, true
				if verb == "MSET" {
					w.Args = append([]string{verb}, pairs(keys)...)
				} else if keys == 100 && servers == 2 {
					w.bars = splitBars
				}
				rows = append(rows, w)
			}
		}
	}
	return rows
}

// pairs returns so many keys, each with a value.
func pairs(keys int) []string {
	return slices.Repeat([]string{small.prefix + placeholder, strings.Repeat("x", small.valueSize)}, keys)
}

// sizes are the values of largeValues; the last ones are few, so that they fit into memory three times.
var sizes = []struct {
	name    string
	space   keyspace
	clients int
	probe   int
}{
	{"16KiB", medium, 50, 4_000},
	{"128KiB", keyspace{"128k:", 256, 128 << 10}, 50, 500},
	{"1MiB", large, 10, 100},
	{"16MiB", keyspace{"16m:", 16, 16 << 20}, 4, 8},
	{"100MiB", keyspace{"100m:", 8, 100 << 20}, 2, 4},
}

func largeValues() (rows []workload) {
	for _, s := range sizes {
		for _, w := range []workload{set("set-"+s.name, s.space, s.clients, s.probe), read("get-"+s.name, s.space, s.clients, s.probe)} {
			w.bars, w.mayFail = largeBars, true
			rows = append(rows, w)
		}
	}
	return rows
}

// bestFixed is whichever of cashew-1, cashew-2 and so on had the most of a metric in a round.
const bestFixed = "the best fixed"

func workerRows() []workload {
	most := bar{throughput, bestFixed, 1}
	rows := []workload{
		get("get-50c", 50, 1, 20_000, 0, bar{proxyCPU, cashew + "-1", 1.1}),
		get("get-50c-P100", 50, 100, 200_000, pipelined, most),
		get("get-200c-P16", 200, 16, 100_000, pipelined, most),
	}
	for i := range rows {
		rows[i].floor = false
	}
	return rows
}

// joining is cashew with coalesce_reads.
const joining = cashew + "-joining"

// hotRows are those in which all clients ask for one key.
func hotRows() (rows []workload) {
	for _, s := range []struct {
		name  string
		space keyspace
	}{{"32", small}, {"4KiB", keyspace{"4k:", 256, 4 << 10}}} {
		for _, w := range []workload{
			get("hot-"+s.name+"-50c", 50, 1, 20_000, 0),
			get("hot-"+s.name+"-1000c", 1000, 1, 20_000, 0),
			get("hot-"+s.name+"-50c-P16", 50, 16, 100_000, 0),
		} {
			w.keys, w.floor = s.space, false
			w.Args[1] = s.space.prefix + strings.Repeat("0", len(placeholder))
			rows = append(rows, w)
		}
	}
	return rows
}

// fixed says whether a target is a cashew with a number of workers.
func fixed(target string) bool {
	n, ok := strings.CutPrefix(target, cashew+"-")
	_, err := strconv.Atoi(n)
	return ok && err == nil
}

// peerRows are the rows of the table, with a bar for each of the others.
func peerRows() (rows []workload) {
	for _, w := range workloads {
		if w.RESP3 {
			continue
		}
		w.floor, w.mayFail, w.bars = false, true, nil
		for _, p := range peers {
			if p.speaks(w.Protocol) {
				w.bars = append(w.bars, bar{proxyCPU, p.name, 1})
			}
		}
		rows = append(rows, w)
	}
	return rows
}
