package metrics

import (
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/cashew-proxy/cashew/internal/proxy"
	"github.com/cashew-proxy/cashew/internal/stats"
)

// Source is where the numbers come from. The functions are called for each reader, in many goroutines.
type Source struct {
	Version string
	Report  func() proxy.Report
	// Reloads may be nil: then there are none.
	Reloads func() Reloads
}

// Reloads is how reloads of the configuration have ended.
type Reloads struct {
	Succeeded, Failed uint64
	Last              time.Time // when one was last tried; zero is never
	LastFailed        bool
}

// Handler answers readers of Prometheus with what the source says at that moment, and with what the Go runtime and the
// process have to say of themselves.
func Handler(s Source) http.Handler {
	registry := prometheus.NewRegistry()
	registry.MustRegister(
		newCollector(s),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		collectors.NewGoCollector(collectors.WithGoCollectorRuntimeMetrics(collectors.GoRuntimeMetricsRule{Matcher: runtimeMetrics})),
	)
	return promhttp.HandlerFor(registry, promhttp.HandlerOpts{MaxRequestsInFlight: maxScrapes})
}

// maxScrapes are the readers at once; more are told to come again.
const maxScrapes = 8

// runtimeMetrics are those of the Go runtime beside the usual ones: what the collector costs, and for how long goroutines wait.
var runtimeMetrics = regexp.MustCompile(`^/(cpu/classes/gc/total:cpu-seconds|gc/heap/live:bytes|gc/gogc:percent|gc/gomemlimit:bytes|` +
	`sched/gomaxprocs:threads|sched/latencies:seconds|sched/pauses/total/gc:seconds|memory/classes/heap/(free|objects|released|unused):bytes)$`)

// collector is what Prometheus asks. It makes constant metrics of a report: nothing is registered, and nothing kept,
// between two readers.
type collector struct {
	source Source
	descs  []*prometheus.Desc // by stats.FamilyID
}

func newCollector(s Source) *collector {
	c := &collector{source: s, descs: make([]*prometheus.Desc, len(stats.Families))}
	for i, f := range stats.Families {
		if f.Name != "" {
			c.descs[i] = prometheus.NewDesc(f.Name, f.Help, f.Labels, nil)
		}
	}
	return c
}

// Describe implements prometheus.Collector.
func (c *collector) Describe(to chan<- *prometheus.Desc) {
	for _, d := range c.descs {
		if d != nil {
			to <- d
		}
	}
}

// Collect implements prometheus.Collector.
func (c *collector) Collect(to chan<- prometheus.Metric) {
	r := c.source.Report()
	e := emitter{c, to}
	e.process(&r)
	for i := range r.Workers {
		e.worker(strconv.Itoa(i), &r.Workers[i])
	}
	for i := range r.Pools {
		p := &r.Pools[i]
		pool := strings.ToValidUTF8(p.Name, "\ufffd") // Prometheus takes no others
		e.pool(p, pool)
		for k := range p.Servers {
			s := &p.Servers[k]
			e.server(s, []string{pool, strings.ToValidUTF8(s.Name, "\ufffd")})
		}
	}
}

// emitter sends metrics to one reader.
type emitter struct {
	*collector
	to chan<- prometheus.Metric
}

func (e emitter) put(f stats.FamilyID, v float64, labels ...string) {
	kind := prometheus.CounterValue
	if stats.Families[f].Kind == stats.Gauge {
		kind = prometheus.GaugeValue
	}
	e.to <- prometheus.MustNewConstMetric(e.descs[f], kind, v, labels...)
}

// table sends what a table of counters or gauges describes; v begins with the first of them.
func (e emitter) table(t []stats.Descriptor, v []uint64, labels ...string) {
	for i, d := range t {
		switch {
		case d.Family == stats.None:
		case d.Label != "":
			e.put(d.Family, float64(v[i]), with(labels, d.Label)...)
		default:
			e.put(d.Family, float64(v[i]), labels...)
		}
	}
}

func with(labels []string, one string) []string { return append(labels[:len(labels):len(labels)], one) }

func (e emitter) process(r *proxy.Report) {
	reloads := Reloads{}
	if e.source.Reloads != nil {
		reloads = e.source.Reloads()
	}
	e.put(stats.ProcessInfo, 1, e.source.Version)
	e.put(stats.ProcessEpoch, float64(r.Epoch))
	e.put(stats.ProcessReloads, float64(reloads.Succeeded), "ok")
	e.put(stats.ProcessReloads, float64(reloads.Failed), "failed")
	last := 0.0
	if !reloads.Last.IsZero() {
		last = float64(reloads.Last.UnixMilli()) / 1e3
	}
	e.put(stats.ProcessLastReload, last)
	e.put(stats.ProcessLastReloadOK, truth(!reloads.LastFailed))
	e.put(stats.ProcessLinesDropped, float64(r.DroppedLines))
}

func (e emitter) worker(number string, w *proxy.WorkerReport) {
	e.put(stats.WorkerAnswered, truth(w.Answered), number)
	e.put(stats.WorkerLife, w.Lived.Seconds(), number)
	e.put(stats.WorkerBusy, w.Busy().Seconds(), number)
	e.put(stats.WorkerTurns, float64(w.Loop.Turns), number)
	for _, c := range []struct {
		call string
		n    uint64
	}{
		{"wait", w.Loop.Waits},
		{"read", w.Loop.Reads},
		{"write", w.Loop.Writes},
		{"control", w.Loop.Controls},
		{"accept", w.Loop.Accepts},
		{"connect", w.Loop.Dials},
	} {
		e.put(stats.WorkerSystemCalls, float64(c.n), number, c.call)
	}
	e.put(stats.WorkerConnections, float64(w.Loop.Connections), number)
	e.put(stats.WorkerPanics, float64(w.Loop.Panics), number)
	if w.Answered {
		e.put(stats.WorkerBuffered, float64(w.Buffered), number)
		e.put(stats.WorkerPooled, float64(w.Pooled), number)
	}
}

func (e emitter) pool(p *proxy.PoolReport, label string) {
	v := p.Counts
	// A request for a server whose queue is full counts as both; here each has one cause.
	v[stats.ForwardErrors] = less(v[stats.ForwardErrors], v[stats.QueueFull])
	e.table(stats.PoolTable[:], v[:], label)
	e.put(stats.PoolClients, float64(clients(p)), label)
}

func (e emitter) server(s *proxy.ServerReport, labels []string) {
	e.table(stats.ServerTable[:], s.Counts[:], labels...)
	e.table(stats.GaugeTable[:], s.Counts[stats.ServerConnections:], labels...)
	e.put(stats.PerServerEjected, truth(s.Ejected), labels...)
	e.put(stats.PerServerEjections, float64(s.Ejections), labels...)
	e.put(stats.PerServerLastEjection, float64(s.EjectedAt)/1e6, labels...)
	e.put(stats.PerServerSpared, float64(s.Spared), labels...)
	e.put(stats.PerServerProbes, float64(s.Probes), with(labels, "ok")...)
	e.put(stats.PerServerProbes, float64(s.FailedProbes), with(labels, "failed")...)
	if s.Resolved.Known {
		e.put(stats.PerServerNameLost, truth(s.Resolved.Lost), labels...)
		if s.Resolved.Age >= 0 {
			e.put(stats.PerServerNameAge, s.Resolved.Age.Seconds(), labels...)
		}
	}
	if s.Latency == nil {
		return
	}
	for class, of := range s.Latency {
		labels := with(labels, stats.ClassNames[class])
		e.histogram(stats.PerServerWaiting, &of[stats.Waiting], labels)
		e.histogram(stats.PerServerServing, &of[stats.Serving], labels)
	}
}

// histogram sends a histogram. Prometheus wants of each bucket how many are in it and in those below.
func (e emitter) histogram(f stats.FamilyID, h *stats.Histogram, labels []string) {
	upTo, count := make(map[float64]uint64, len(h.Counts)), uint64(0)
	for i, n := range h.Counts {
		count += n
		if i < len(h.Counts)-1 {
			upTo[stats.Bound(i).Seconds()] = count
		}
	}
	e.to <- prometheus.MustNewConstHistogram(e.descs[f], count, float64(h.Sum)/1e9, upTo, labels...)
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
