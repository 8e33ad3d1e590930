package integration

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/cashew-proxy/cashew/internal/admin"
	"github.com/cashew-proxy/cashew/internal/redistest"
	"github.com/cashew-proxy/cashew/test/harness"
)

// metrics reads /metrics of the program.
func (o *operator) metrics() scraped {
	o.t.Helper()
	answer, err := o.client.Get("http://localhost/metrics")
	if err != nil {
		o.t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		o.t.Fatal(err)
	}
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(bytes.NewReader(text))
	if err != nil {
		o.t.Fatal(err)
	}
	return families
}

// With several workers an operator sees and steers the process, not one of them: numbers are those of all, what he orders
// holds for the clients of each.
func TestOperatorOfTwoWorkers(t *testing.T) {
	path, err := cashew()
	if err != nil {
		t.Fatal(err)
	}
	servers := startServers(t, 2)
	dir := t.TempDir()
	socket, listen, file := filepath.Join(dir, "admin.sock"), filepath.Join(dir, "pool.sock"), filepath.Join(dir, "cashew.yml")
	text := fmt.Sprintf("cashew: {admin: \"%s 0600\", threads: 2}\nmain:\n  listen: %s\n  redis: true\n  hash: murmur\n  auto_eject_hosts: true\n"+
		"  slowlog_threshold: 50\n  hotkeys_sample: 1\n  big_key_threshold: 4kb\n  allow_commands: [proxy]\n  servers: [\"%s:1 one\", \"%s:1 two\"]\n",
		socket, listen, servers[0], servers[1])
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	p := harness.Run(t, path, "-c", file, "-a", "")
	p.Err.Await(t, "msg=started")
	o := newOperator(t, socket)
	console := func(args ...string) string {
		t.Helper()
		out, err := exec.Command(path, append(args, "--admin", socket)...).CombinedOutput()
		if err != nil {
			t.Fatalf("%q: %v, %s", args, err, out)
		}
		return string(out)
	}
	// The workers get clients in turn.
	const clients, keys = 4, 50
	all := make([]*redistest.Client, clients)
	for i := range all {
		all[i] = redistest.Dial(t, listen)
		all[i].Do("CLIENT", "SETNAME", fmt.Sprint("n", i))
	}
	sent := clients
	each := func() {
		t.Helper()
		for _, c := range all {
			for i := range keys {
				if got := c.Do("SET", ejectKey(i), "v"); got != "+OK\r\n" {
					t.Fatal(got)
				}
				sent++
			}
		}
	}
	each()

	// What is counted is the sum.
	var s admin.Status
	if o.ask("GET", "/api/status", "", 200, &s); len(s.Workers) != 2 || s.Pools[0].Clients != clients || s.Pools[0].Counters["requests"] != uint64(sent) {
		t.Errorf("%+v", s)
	}
	for i, w := range s.Workers {
		if !w.Active || w.Clients != clients/2 || w.Turns == 0 || w.SystemCalls == 0 || w.Busy <= 0 {
			t.Errorf("worker %d: %+v", i, w)
		}
	}
	m := o.metrics()
	m.want(t, 2, "cashew_worker_up")
	m.want(t, clients, "cashew_pool_clients")
	m.want(t, float64(sent), "cashew_pool_requests_total")
	m.want(t, clients*keys, "cashew_server_requests_total", "class=write")
	m.want(t, clients*keys, "cashew_server_waiting_seconds")
	m.want(t, clients*keys, "cashew_server_response_seconds")
	m.want(t, 4, "cashew_server_connections") // of each worker to each server
	m.want(t, 0, "cashew_server_in_flight_requests")
	for _, w := range []string{"worker=0", "worker=1"} {
		// two clients and two servers; the listener and what else the loop needs are not among them
		m.want(t, 4, "cashew_worker_connections", w)
		if m.sum("cashew_worker_busy_seconds_total", w) <= 0 || m.sum("cashew_worker_system_calls_total", w, "call=write") < keys {
			t.Errorf("%s: %v, %v", w, m.sum("cashew_worker_busy_seconds_total", w), m.sum("cashew_worker_system_calls_total", w))
		}
	}
	for _, want := range []string{"clients 4", fmt.Sprint("requests ", sent)} {
		if out := console("status"); !strings.Contains(out, want) {
			t.Errorf("no %q in:\n%s", want, out)
		}
	}
	for i := range clients {
		if out := console("clients", "main"); strings.Count(out, fmt.Sprintf("n%d ", i)) != 1 {
			t.Errorf("client %d is not in:\n%s", i, out)
		}
	}

	// Hot, slow and big are those of all.
	for _, c := range []*redistest.Client{all[0], all[1]} {
		c.Do("SET", "large", strings.Repeat("x", 8<<10))
		c.Do("EVAL", "local t = redis.call('TIME') local n repeat n = redis.call('TIME') until (n[1]-t[1])*1000000+n[2]-t[2] > 60000 return 1", "1", "slow")
		sent += 2
	}
	var hot admin.HotKeys
	o.ask("GET", "/api/hot?pool=main", "", 200, &hot)
	if hot.Samples != clients*keys+4 || len(hot.ByRequests) != keys+2 || hot.ByRequests[0].Weight != clients || len(hot.Big) != 1 || hot.Big[0].Key != "large" ||
		hot.Big[0].Bytes != 2*hot.Big[0].Largest {
		t.Errorf("%+v", hot)
	}
	if out := console("hot", "main"); !strings.Contains(out, fmt.Sprint(clients*keys+4, " samples")) || !strings.Contains(out, "16.1KiB       large  8.0KiB") {
		t.Error(out)
	}
	var slow []admin.SlowRequest
	if o.ask("GET", "/api/slowlog", "", 200, &slow); len(slow) < 2 || slow[0].Command != "EVAL" || slow[0].Key != "slow" || slow[1].Key != "slow" {
		t.Errorf("%+v", slow)
	}
	if out := console("slowlog"); strings.Count(out, " EVAL ") != 2 {
		t.Error(out)
	}
	if m := o.metrics(); m.sum("cashew_server_slow_requests_total") < 2 {
		t.Error("slow requests are not counted")
	} else {
		m.want(t, 2, "cashew_server_big_total", "of=request")
	}
	for i, c := range []*redistest.Client{all[0], all[1]} {
		if got := c.Do("PROXY", "HOT"); strings.Count(got, "key=key:") != keys || !strings.Contains(got, "samples=4 ") {
			t.Errorf("client %d: %s", i, got)
		}
		if got := c.Do("PROXY", "STATS"); !strings.Contains(got, "clients_accepted") {
			t.Errorf("client %d: %s", i, got)
		}
		sent += 2
	}

	// A pause and its end are for the clients of each.
	console("pause", "main", "--for", "10m")
	for _, c := range all {
		c.Send("SET", ejectKey(0), "v")
		sent++
	}
	var list []admin.Client
	harness.Eventually(t, harness.Limit, "all wait", func() bool {
		o.ask("GET", "/api/clients?pool=main", "", 200, &list)
		held := 0
		for _, c := range list {
			if c.Held > 0 {
				held++
			}
		}
		return held == clients && o.pool("main").Paused == "all"
	})
	console("resume", "main")
	for _, c := range all {
		if got := c.Read(); got != "+OK\r\n" {
			t.Error(got)
		}
	}

	// A server that is out gets nothing from either.
	console("eject", "main", "one")
	o.ask("GET", "/api/status", "", 200, nil) // asks the workers: they have heard of it
	before := o.metrics().sum("cashew_server_requests_total", "server=one")
	each()
	m = o.metrics()
	m.want(t, before, "cashew_server_requests_total", "server=one")
	m.want(t, 1, "cashew_server_ejected", "server=one")
	m.want(t, 1, "cashew_server_ejections_total")
	if out := console("readmit", "main", "one"); !strings.Contains(out, "one is back in pool main") {
		t.Error(out)
	}
	o.ask("GET", "/api/status", "", 200, nil)
	each()
	if n := o.metrics().sum("cashew_server_requests_total", "server=one"); n <= before {
		t.Errorf("after it was readmitted it has %v requests, as before", n)
	}

	// The live view has each worker.
	top := exec.Command(path, "top", "--json", "--admin", socket)
	out, err := top.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := top.Start(); err != nil {
		t.Fatal(err)
	}
	err = json.NewDecoder(out).Decode(&s)
	_ = top.Process.Kill()
	_ = top.Wait()
	if err != nil || len(s.Workers) != 2 || s.Pools[0].Counters["requests"] != uint64(sent) || s.Pools[0].Counters["forward_errors"] != 0 {
		t.Errorf("%v, %+v; %d were sent", err, s, sent)
	}

	// The end waits for the clients of each.
	for _, c := range all[:2] {
		c.Send("EVAL", "local t = redis.call('TIME') local n repeat n = redis.call('TIME') until (n[1]-t[1])*1000000+n[2]-t[2] > 60000 return 1", "0")
	}
	harness.Eventually(t, harness.Limit, "they are on their way", func() bool {
		return o.metrics().sum("cashew_server_requests_total", "class=other") >= 4
	})
	console("drain")
	for _, c := range all[:2] {
		if got := c.Read(); got != ":1\r\n" {
			t.Error(got)
		}
	}
	if code := p.ExitCode(t); code != 0 {
		t.Errorf("exit code %d: %s", code, p.Err)
	}
}
