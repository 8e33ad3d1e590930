package integration

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/cashew-proxy/cashew/internal/config"
	"github.com/cashew-proxy/cashew/internal/memcachedtest"
	"github.com/cashew-proxy/cashew/internal/metrics"
	"github.com/cashew-proxy/cashew/internal/redistest"
	"github.com/cashew-proxy/cashew/internal/stats"
	"github.com/cashew-proxy/cashew/test/harness"
)

// scraped is what a reader of Prometheus gets.
type scraped map[string]*dto.MetricFamily

// scrape reads as Prometheus does.
func scrape(t *testing.T, h http.Handler) scraped {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	if w.Code != http.StatusOK {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(w.Body)
	if err != nil {
		t.Fatal(err)
	}
	return families
}

// each calls f for the metrics of a family whose labels, as "name=value", include all of those given.
func (s scraped) each(name string, labels []string, f func(*dto.Metric)) {
	for _, m := range s[name].GetMetric() {
		has := map[string]bool{}
		for _, l := range m.GetLabel() {
			has[l.GetName()+"="+l.GetValue()] = true
		}
		all := true
		for _, l := range labels {
			all = all && has[l]
		}
		if all {
			f(m)
		}
	}
}

// sum adds up counters and gauges, and the counts of histograms.
func (s scraped) sum(name string, labels ...string) (total float64) {
	s.each(name, labels, func(m *dto.Metric) {
		total += m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
	})
	return total
}

// seconds adds up the sums of histograms.
func (s scraped) seconds(name string, labels ...string) (total float64) {
	s.each(name, labels, func(m *dto.Metric) { total += m.GetHistogram().GetSampleSum() })
	return total
}

// want compares sums.
func (s scraped) want(t *testing.T, n float64, name string, labels ...string) {
	t.Helper()
	if got := s.sum(name, labels...); got != n {
		t.Errorf("%s%q is %v, want %v", name, labels, got, n)
	}
}

// consistent is what holds in every scrape at rest.
func (s scraped) consistent(t *testing.T) {
	t.Helper()
	for _, f := range stats.Families {
		if f.Name != "" && s[f.Name] == nil && !strings.HasPrefix(f.Name, "cashew_server_name_") {
			t.Errorf("%s is not there", f.Name)
		}
	}
	s.each("cashew_server_responses_total", nil, func(m *dto.Metric) {
		var labels []string
		for _, l := range m.GetLabel() {
			labels = append(labels, l.GetName()+"="+l.GetValue())
		}
		n := m.GetCounter().GetValue()
		s.want(t, n, "cashew_server_waiting_seconds", labels...)
		s.want(t, n, "cashew_server_response_seconds", labels...)
		s.want(t, n, "cashew_server_requests_total", labels...) // nothing is in flight, and nothing has failed
	})
}

const metricsConfig = `
alpha: {listen: %s, redis: true, servers: ['%s:1 one', '%s:1 two'], distribution: modula}
beta: {listen: %s, servers: ['%s:1 mc']}
`

// What Prometheus gets is what has happened: in two pools, of Redis and of memcached, and over a reload.
func TestMetricsAreTheTraffic(t *testing.T) {
	one, two, mc := redistest.StartServer(t), redistest.StartServer(t), memcachedtest.StartServer(t)
	text := fmt.Sprintf(metricsConfig, harness.FreeAddr(t), one, two, harness.FreeAddr(t), mc)
	p := harness.Start(t, text, config.Options{})
	reloads := metrics.Reloads{}
	h := metrics.Handler(metrics.Source{Version: "1.2.3", Report: p.Report, Reloads: func() metrics.Reloads { return reloads }})
	addresses := map[string]string{}
	for i, pool := range p.Snapshot().Pools {
		addresses[pool.Name] = p.Addresses()[i]
	}
	const rounds = 50
	traffic := func() (sent, got int) {
		c := redistest.Dial(t, addresses["alpha"])
		defer c.Close()
		do := func(args ...string) {
			sent += len(redistest.Request(args...))
			got += len(c.Do(args...))
		}
		for i := range rounds {
			key := fmt.Sprint("key", i)
			do("SET", key, strings.Repeat("v", i))
			do("GET", key)
			do("MGET", "a", "b", "c", "d", "e", "f", "g", "h") // split
			do("EVAL", "return 1", "1", key)
			do("PING")
			do("NOSUCH", "command")
		}
		m := memcachedtest.Dial(t, addresses["beta"])
		defer m.Close()
		for i := range rounds {
			m.Do(fmt.Sprintf("set k%d 0 0 1\r\nx\r\n", i))
			m.Do(fmt.Sprintf("get k%d\r\n", i))
			m.Do(fmt.Sprintf("mg k%d v\r\n", i))
		}
		return sent, got
	}
	check := func(n float64, sent, got int) {
		t.Helper()
		s := scrape(t, h)
		s.consistent(t)
		s.want(t, n*rounds*2, "cashew_pool_requests_total", "pool=alpha", "class=read")
		s.want(t, n*rounds, "cashew_pool_requests_total", "pool=alpha", "class=write")
		s.want(t, n*rounds*3, "cashew_pool_requests_total", "pool=alpha", "class=other")
		s.want(t, n*rounds, "cashew_pool_errors_total", "pool=alpha", "cause=refused_command")
		s.want(t, n*rounds, "cashew_pool_errors_total", "pool=alpha")
		s.want(t, n*rounds, "cashew_pool_split_requests_total", "pool=alpha")
		s.want(t, n*float64(sent), "cashew_pool_received_bytes_total", "pool=alpha")
		s.want(t, n*float64(got), "cashew_pool_sent_bytes_total", "pool=alpha")
		s.want(t, n*rounds*3, "cashew_server_requests_total", "pool=alpha", "class=read") // two fragments each
		s.want(t, n*rounds, "cashew_server_requests_total", "pool=alpha", "class=write")
		s.want(t, n*rounds, "cashew_server_requests_total", "pool=alpha", "class=other")
		s.want(t, n*rounds*2, "cashew_server_requests_total", "pool=beta", "server=mc", "class=read")
		s.want(t, n*rounds, "cashew_server_response_seconds", "pool=beta", "server=mc", "class=write")
		s.want(t, n, "cashew_pool_clients_accepted_total", "pool=beta")
		s.want(t, 0, "cashew_server_in_flight_requests")
		s.want(t, 1, "cashew_worker_up", "worker=0")
		s.want(t, 1, "cashew_info", "version=1.2.3")
		if calls := s.sum("cashew_worker_system_calls_total"); calls < n*rounds*9*2 {
			t.Errorf("%v system calls", calls)
		}
		if life, busy := s.sum("cashew_worker_seconds_total"), s.sum("cashew_worker_busy_seconds_total"); busy <= 0 || busy > life {
			t.Errorf("the worker was busy for %v of %v s", busy, life)
		}
		if s["go_goroutines"] == nil || s["process_cpu_seconds_total"] == nil || s["go_sched_latencies_seconds"] == nil {
			t.Error("the runtime and the process are not there")
		}
	}
	sent, got := traffic()
	check(1, sent, got)
	// Another pool joins, and a server; those that stay go on counting.
	next := text + fmt.Sprintf("gamma: {listen: %s, redis: true, servers: ['%s:1 one']}\n", harness.FreeAddr(t), one)
	if err := reload(t, p, strings.Replace(next, "distribution", "timeout: 5000, distribution", 1)); err != nil {
		t.Fatal(err)
	}
	reloads = metrics.Reloads{Succeeded: 1, Last: time.Unix(17, 0)}
	sent, got = traffic()
	check(2, sent, got)
	s := scrape(t, h)
	s.want(t, 0, "cashew_pool_requests_total", "pool=gamma")
	if epoch := s.sum("cashew_topology_epoch"); epoch < 2 {
		t.Errorf("epoch %v", epoch)
	}
	s.want(t, 1, "cashew_reloads_total", "outcome=ok")
	s.want(t, 0, "cashew_reloads_total", "outcome=failed")
	s.want(t, 17, "cashew_reload_last_timestamp_seconds")
	s.want(t, 1, "cashew_reload_last_ok")
}

// A server that is slow is seen in its response time, one that is not reached in the waiting.
func TestMetricsTellWhereTheTimeGoes(t *testing.T) {
	p := harness.Start(t, fmt.Sprintf("alpha: {listen: %s, redis: true, servers: ['%s:1 one']}\n", harness.AnyPort, redistest.StartServer(t)), config.Options{})
	h := metrics.Handler(metrics.Source{Report: p.Report})
	c := redistest.Dial(t, p.Addr)
	const script = "local t = redis.call('TIME') local e = t[1] * 1000000 + t[2] + 50000 repeat t = redis.call('TIME') until t[1] * 1000000 + t[2] >= e return 1"
	if got := c.Do("EVAL", script, "1", "k"); got != ":1\r\n" {
		t.Fatalf("EVAL got %q", got)
	}
	s := scrape(t, h)
	if d := s.seconds("cashew_server_response_seconds", "class=other"); d < 0.05 || d > 5 {
		t.Errorf("it took the server %v s", d)
	}
	if d := s.seconds("cashew_server_waiting_seconds", "class=other"); d > 0.05 { // while the connection was made
		t.Errorf("it waited %v s", d)
	}
	below := 0
	s.each("cashew_server_response_seconds", []string{"class=other"}, func(m *dto.Metric) {
		for _, b := range m.GetHistogram().GetBucket() {
			if b.GetUpperBound() < 0.05 && b.GetCumulativeCount() > 0 {
				below++
			}
		}
	})
	if below != 0 {
		t.Errorf("it is in %d buckets of shorter times", below)
	}
}

// A name that resolves has an age; one that never did is told as unresolved, and its requests as failed.
func TestMetricsOfNamesAndFailures(t *testing.T) {
	addr := redistest.StartServer(t)
	_, port, _ := strings.Cut(addr, ":")
	text := fmt.Sprintf("alpha: {listen: %s, redis: true, servers: ['localhost:%s:1 good', 'nowhere.invalid:%s:1 bad', '%s:1 plain'], hash: murmur, distribution: modula}\n",
		harness.AnyPort, port, port, addr)
	p := harness.StartWith(t, text, config.Options{}, func(_ context.Context, _, host string) ([]netip.Addr, error) {
		if host == "localhost" {
			return []netip.Addr{netip.MustParseAddr("127.0.0.1")}, nil
		}
		return nil, errors.New("no such host")
	})
	h := metrics.Handler(metrics.Source{Report: p.Report})
	c := redistest.Dial(t, p.Addr)
	failed := 0
	for i := range 60 {
		if got := c.Do("SET", fmt.Sprint("key", i), "v"); got != "+OK\r\n" {
			failed++
		}
	}
	s := scrape(t, h)
	if failed == 0 {
		t.Fatalf("the server without an address has no keys: %v", p.Report())
	}
	s.want(t, float64(failed), "cashew_pool_errors_total", "cause=server_failed")
	s.want(t, 1, "cashew_server_name_unresolved", "server=bad")
	s.want(t, 0, "cashew_server_name_unresolved", "server=good")
	if n := len(s["cashew_server_name_unresolved"].GetMetric()); n != 2 {
		t.Errorf("%d servers have names", n)
	}
	ages := s["cashew_server_name_age_seconds"].GetMetric()
	if len(ages) != 1 || ages[0].GetGauge().GetValue() > 30 {
		t.Errorf("ages: %v", ages)
	}
	if s.sum("cashew_server_connections_lost_total", "server=bad") == 0 {
		t.Error("no connection to the server without an address has failed")
	}
}
