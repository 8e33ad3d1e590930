package main

import (
	"fmt"
	"html"
	"io"
	"math"
	"strings"
)

// picturePath is where the picture is in the repository.
const picturePath = "docs/performance.svg"

// The picture's measures, in its own units. A row has a name and in each panel a line with two dots.
const (
	pictureWidth = 980
	nameWidth    = 175
	panelWidth   = 365
	panelGap     = 35
	rowHeight    = 22
	headHeight   = 78
	footHeight   = 40
)

// pictureStyle has two sets of colours: a picture in a page follows the reader's. The dots differ in shape and
// not in colour alone.
const pictureStyle = `<style>
text { font: 12px system-ui, "Segoe UI", Helvetica, Arial, sans-serif; fill: #1f2328 }
.title { font-weight: 600; font-size: 14px }
.faint { fill: #59636e }
.paper { fill: #ffffff }
.grid { stroke: #d1d9e0; stroke-width: 1 }
.band { fill: #f6f8fa }
.line { stroke: #818b98; stroke-width: 2 }
.nutcracker { fill: none; stroke: #9a6700; stroke-width: 2.5 }
.cashew { fill: #0969da }
@media (prefers-color-scheme: dark) {
text { fill: #f0f6fc }
.faint { fill: #9198a1 }
.paper { fill: #0d1117 }
.grid { stroke: #3d444d }
.band { fill: #151b23 }
.line { stroke: #656c76 }
.nutcracker { fill: none; stroke: #d29922 }
.cashew { fill: #4493f8 }
}
</style>
`

// panel is one quantity of all rows on a logarithmic scale: the rows differ by a factor of hundred, and equal
// ratios have equal lengths.
type panel struct {
	title  string
	metric metric
	left   float64
	ends   [2]float64 // powers of ten
	mark   func(v float64) string
}

// picture draws throughput and CPU per request of nutcracker and cashew, row by row.
func (rep *report) picture(w io.Writer) {
	rows := rep.pictured()
	panels := []panel{
		{title: "requests a second: further right is better", metric: throughput, mark: round},
		{title: "proxy CPU per request, µs: further left is better", metric: proxyCPU, mark: func(v float64) string { return fmt.Sprintf("%g", v) }},
	}
	height := headHeight + rowHeight*len(rows) + footHeight
	fmt.Fprintf(w, "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" role=\"img\" aria-labelledby=\"what\">\n", pictureWidth, height)
	fmt.Fprintf(w, "<title id=\"what\">Throughput and CPU per request of nutcracker and cashew</title>\n%s", pictureStyle)
	fmt.Fprintf(w, "<rect class=\"paper\" width=\"%d\" height=\"%d\"/>\n", pictureWidth, height)
	for i, r := range rows {
		y := headHeight + i*rowHeight
		if i%2 == 0 {
			fmt.Fprintf(w, "<rect class=\"band\" y=\"%d\" width=\"%d\" height=\"%d\"/>\n", y, pictureWidth, rowHeight)
		}
		fmt.Fprintf(w, "<text x=\"12\" y=\"%d\">%s</text>\n", y+rowHeight/2+4, html.EscapeString(r.Workload.Name))
	}
	for i, p := range panels {
		p.left = float64(nameWidth + i*(panelWidth+panelGap))
		p.draw(w, rows)
	}
	legend(w)
	fmt.Fprintf(w, "<text class=\"faint\" x=\"12\" y=\"%d\">Medians of %d rounds, logarithmic scales. Rows with mc- are memcached, the others Redis; c are clients, P requests in a pipeline.</text>\n</svg>\n",
		height-14, rep.Rounds)
}

// pictured are the rows that are drawn: those that both have, without those in RESP3, which nutcracker lacks.
func (rep *report) pictured() (rows []result) {
	for _, r := range rep.Results {
		if !r.Workload.RESP3 && r.median(nutcracker, proxyCPU.of) > 0 && r.median(cashew, proxyCPU.of) > 0 {
			rows = append(rows, r)
		}
	}
	return rows
}

func legend(w io.Writer) {
	fmt.Fprintf(w, "<circle class=\"nutcracker\" cx=\"18\" cy=\"26\" r=\"6.5\"/><text x=\"30\" y=\"30\">nutcracker</text>\n")
	fmt.Fprintf(w, "<circle class=\"cashew\" cx=\"18\" cy=\"48\" r=\"4\"/><text x=\"30\" y=\"52\">cashew</text>\n")
}

// draw draws a panel: its scale, and the two dots of each row.
func (p panel) draw(w io.Writer, rows []result) {
	p.ends = p.scale(rows)
	bottom := headHeight + rowHeight*len(rows)
	fmt.Fprintf(w, "<text class=\"title\" x=\"%.1f\" y=\"30\">%s</text>\n", p.left, html.EscapeString(p.title))
	for v := p.ends[0]; v <= p.ends[1]*1.001; v *= 10 {
		x := p.at(v)
		fmt.Fprintf(w, "<line class=\"grid\" x1=\"%.1f\" y1=\"%d\" x2=\"%.1f\" y2=\"%d\"/>", x, headHeight-6, x, bottom)
		fmt.Fprintf(w, "<text class=\"faint\" x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">%s</text>\n", x, headHeight-12, p.mark(v))
	}
	for i, r := range rows {
		y := headHeight + i*rowHeight + rowHeight/2
		theirs, ours := p.at(r.median(nutcracker, p.metric.of)), p.at(r.median(cashew, p.metric.of))
		fmt.Fprintf(w, "<line class=\"line\" x1=\"%.1f\" y1=\"%d\" x2=\"%.1f\" y2=\"%d\"/>", theirs, y, ours, y)
		fmt.Fprintf(w, "<circle class=\"nutcracker\" cx=\"%.1f\" cy=\"%d\" r=\"6.5\"/><circle class=\"cashew\" cx=\"%.1f\" cy=\"%d\" r=\"4\"/>\n", theirs, y, ours, y)
	}
}

// scale returns the powers of ten between which all values are.
func (p panel) scale(rows []result) [2]float64 {
	least, most := math.Inf(1), math.Inf(-1)
	for _, r := range rows {
		for _, t := range []string{nutcracker, cashew} {
			v := r.median(t, p.metric.of)
			least, most = min(least, v), max(most, v)
		}
	}
	if len(rows) == 0 {
		return [2]float64{1, 10}
	}
	return [2]float64{math.Pow(10, math.Floor(math.Log10(least))), math.Pow(10, math.Ceil(math.Log10(most)))}
}

// at returns where a value is.
func (p panel) at(v float64) float64 {
	if v <= 0 {
		return p.left
	}
	return p.left + panelWidth*math.Log10(v/p.ends[0])/math.Log10(p.ends[1]/p.ends[0])
}

// round is a power of ten in few letters.
func round(v float64) string {
	s := fmt.Sprintf("%.0f", v)
	for _, unit := range []string{"", "k", "M"} {
		if !strings.HasSuffix(s, "000") {
			return s + unit
		}
		s = strings.TrimSuffix(s, "000")
	}
	return s + "G"
}
