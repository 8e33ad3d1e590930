package main

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"
)

// TestPicture: it is well formed, and has every row of both proxies, in each panel.
func TestPicture(t *testing.T) {
	rep := fullReport()
	rep.Results = append(rep.Results, result{Workload: workload{Name: "<none>"}}) // was not measured
	var b bytes.Buffer
	rep.picture(&b)
	for d := xml.NewDecoder(bytes.NewReader(b.Bytes())); ; {
		_, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	rows := 0
	for _, w := range workloads {
		if n := strings.Count(b.String(), ">"+w.Name+"</text>"); (n == 1) == w.RESP3 {
			t.Errorf("%s is there %d times", w.Name, n)
		} else if n == 1 {
			rows++
		}
	}
	for _, name := range []string{nutcracker, cashew} {
		if n := strings.Count(b.String(), `class="`+name+`"`); n != 2*rows+1 {
			t.Errorf("%s has %d dots, want two for each of %d rows and the legend's", name, n, rows)
		}
	}
	if strings.Contains(b.String(), "&lt;none") || strings.Contains(b.String(), "NaN") || strings.Contains(b.String(), "Inf") {
		t.Errorf("nothing that was not measured is drawn:\n%s", b.String())
	}
}

func TestScale(t *testing.T) {
	p := panel{metric: throughput, left: 100}
	p.ends = p.scale([]result{{Samples: []sample{{Target: nutcracker, Throughput: 2000}, {Target: cashew, Throughput: 90_000}}}})
	if p.ends != [2]float64{1000, 100_000} || p.at(1000) != 100 || p.at(10_000) != 100+panelWidth/2.0 || p.at(100_000) != 100+panelWidth {
		t.Errorf("%v: %v, %v, %v", p.ends, p.at(1000), p.at(10_000), p.at(100_000))
	}
	for v, want := range map[float64]string{100: "100", 1000: "1k", 100_000: "100k", 1e7: "10M", 1e9: "1G"} {
		if got := round(v); got != want {
			t.Errorf("%v is %q, want %q", v, got, want)
		}
	}
}
