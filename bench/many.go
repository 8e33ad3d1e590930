package main

import (
	"fmt"
	"io"
	"strings"
)

// keysOfRequest returns how many keys one request has.
func (w workload) keysOfRequest() int {
	n := 0
	for _, a := range w.Args {
		if strings.HasSuffix(a, placeholder) {
			n++
		}
	}
	return n
}

// perKey prints what one key of many costs a proxy: where that stays the same from row to row, the cost is linear.
func (rep *report) perKey(w io.Writer) {
	fmt.Fprint(w, "\nProxy CPU per key, in ns, of requests with so many keys. Where it does not grow from 100 keys on, the cost is linear.\n\n")
	fmt.Fprintln(w, "| command | servers | proxy | keys: ns | most keys to 100 |")
	fmt.Fprintln(w, "|---|--:|---|---|--:|")
	type line struct {
		command string
		servers int
		target  string
	}
	var lines []line
	cells, per := map[line][]string{}, map[line]map[int]float64{}
	for _, r := range rep.Results {
		keys := r.Workload.keysOfRequest()
		for _, t := range []string{nutcracker, cashew} {
			l := line{r.Workload.Args[0], r.Workload.Servers, t}
			if per[l] == nil {
				lines, per[l] = append(lines, l), map[int]float64{}
			}
			if cost := r.median(t, proxyCPU.of); cost > 0 {
				per[l][keys] = cost * 1e3 / float64(keys)
				cells[l] = append(cells[l], fmt.Sprintf("%d: %.0f", keys, per[l][keys]))
			}
		}
	}
	for _, l := range lines {
		growth, most := "–", 0
		for keys := range per[l] {
			most = max(most, keys)
		}
		if base := per[l][100]; base > 0 && most > 100 {
			growth = fmt.Sprintf("%.2f", per[l][most]/base)
		}
		fmt.Fprintf(w, "| %s | %d | %s | %s | %s |\n", l.command, l.servers, l.target, strings.Join(cells[l], ", "), growth)
	}
}
