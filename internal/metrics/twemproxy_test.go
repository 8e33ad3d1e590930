package metrics

import (
	"encoding/json"
	"testing"

	"github.com/cashew-proxy/cashew/internal/proxy"
	"github.com/cashew-proxy/cashew/internal/stats"
)

// captured is what nutcracker 0.5.0 sent. A report with the same counts must become the same bytes.
const captured = `{"service":"nutcracker", "source":"vm", "version":"0.5.0", "uptime":2, "timestamp":1795391993, ` +
	`"total_connections":8, "curr_connections":5, "beta": {"client_eof":1, "client_err":0, "client_connections":1, ` +
	`"server_ejects":0, "forward_error":0, "fragments":0, "server1": {"server_eof":0, "server_err":0, "server_timedout":0, ` +
	`"server_connections":1, "server_ejected_at":0, "requests":3, "request_bytes":351, "responses":3, "response_bytes":87, ` +
	`"in_queue":0, "in_queue_bytes":0, "out_queue":0, "out_queue_bytes":0},"server2": {"server_eof":0, "server_err":0, ` +
	`"server_timedout":0, "server_connections":1, "server_ejected_at":0, "requests":2, "request_bytes":343, "responses":2, ` +
	`"response_bytes":80, "in_queue":0, "in_queue_bytes":0, "out_queue":0, "out_queue_bytes":0}},"alpha": {"client_eof":1, ` +
	`"client_err":0, "client_connections":0, "server_ejects":1, "forward_error":1, "fragments":0, "127.0.0.1:28111": ` +
	`{"server_eof":0, "server_err":1, "server_timedout":0, "server_connections":0, "server_ejected_at":1795391992392973, ` +
	`"requests":1, "request_bytes":7, "responses":0, "response_bytes":0, "in_queue":0, "in_queue_bytes":0, "out_queue":0, ` +
	`"out_queue_bytes":0}}}` + "\n"

// values makes counts from a list of pairs.
func values(pairs ...any) (v stats.Values) {
	for i := 0; i < len(pairs); i += 2 {
		v[pairs[i].(stats.Counter)] = uint64(pairs[i+1].(int))
	}
	return v
}

var head = Head{Service: "nutcracker", Source: "vm", Version: "0.5.0", Uptime: 2, Timestamp: 1795391993}

func TestCaptured(t *testing.T) {
	r := proxy.Report{Pools: []proxy.PoolReport{
		{
			Name:   "beta",
			Counts: values(stats.ClientsAccepted, 2, stats.ClientsClosed, 1, stats.ClientEOFs, 1, stats.Requests, 99),
			Servers: []proxy.ServerReport{
				{Name: "server1", Counts: values(stats.ServerDials, 1, stats.ServerConnections, 1, stats.ServerRequests, 3,
					stats.ServerRequestBytes, 351, stats.ServerResponses, 3, stats.ServerResponseBytes, 87)},
				{Name: "server2", Counts: values(stats.ServerDials, 1, stats.ServerConnections, 1, stats.ServerRequests, 2,
					stats.ServerRequestBytes, 343, stats.ServerResponses, 2, stats.ServerResponseBytes, 80)},
			},
		},
		{
			Name:   "alpha",
			Counts: values(stats.ClientsAccepted, 1, stats.ClientsClosed, 1, stats.ClientEOFs, 1, stats.ForwardErrors, 1),
			Servers: []proxy.ServerReport{{
				Name: "127.0.0.1:28111", Ejections: 1, EjectedAt: 1795391992392973,
				Counts: values(stats.ServerDials, 1, stats.ServerErrors, 1, stats.ServerRequests, 1, stats.ServerRequestBytes, 7),
			}},
		},
	}}
	if got := string(AppendTwemproxy(nil, head, r)); got != captured {
		t.Errorf("got:\n%s\nnutcracker sent:\n%s", got, captured)
	}
}

// TestEveryField gives every number another value and finds it under its name.
func TestEveryField(t *testing.T) {
	r := proxy.Report{Pools: []proxy.PoolReport{{
		Name: "p",
		Counts: values(stats.ClientsAccepted, 100, stats.ClientsClosed, 60, stats.ClientEOFs, 45, stats.ForwardErrors, 3,
			stats.Fragments, 4),
		Servers: []proxy.ServerReport{
			{Name: "s", Ejections: 2, EjectedAt: 77, Counts: values(stats.ServerDials, 30, stats.ServerEOFs, 11, stats.ServerErrors, 12,
				stats.ServerTimeouts, 13, stats.ServerConnections, 2, stats.ServerConnecting, 5, stats.ServerRequests, 14,
				stats.ServerRequestBytes, 15, stats.ServerResponses, 16, stats.ServerResponseBytes, 17, stats.ServerQueued, 18,
				stats.ServerQueuedBytes, 19, stats.ServerInFlight, 20, stats.ServerInFlightBytes, 21)},
			{Name: "t", Ejections: 3},
		},
	}}}
	var got struct {
		Total   int `json:"total_connections"`
		Current int `json:"curr_connections"`
		P       map[string]any
	}
	if err := json.Unmarshal(AppendTwemproxy(nil, head, r), &got); err != nil {
		t.Fatal(err)
	}
	if got.Total != 1+100+30 || got.Current != 1+40+2+5 {
		t.Errorf("%d connections of %d", got.Current, got.Total)
	}
	for name, want := range map[string]int{
		"client_eof": 45, "client_err": 15, "client_connections": 40, "server_ejects": 5, "forward_error": 3, "fragments": 4,
	} {
		if got.P[name] != float64(want) {
			t.Errorf("%s is %v, want %d", name, got.P[name], want)
		}
	}
	server := got.P["s"].(map[string]any)
	for name, want := range map[string]int{
		"server_eof": 11, "server_err": 12, "server_timedout": 13, "server_connections": 2, "server_ejected_at": 77,
		"requests": 14, "request_bytes": 15, "responses": 16, "response_bytes": 17, "in_queue": 18, "in_queue_bytes": 19,
		"out_queue": 20, "out_queue_bytes": 21,
	} {
		if server[name] != float64(want) {
			t.Errorf("%s is %v, want %d", name, server[name], want)
		}
	}
}

// TestNames: whatever pools and servers are called, it is JSON, and they are found under their names.
func TestNames(t *testing.T) {
	for _, name := range []string{`a"b`, `back\slash`, "new\nline", "<&>", "schön", "\x01", ""} {
		r := proxy.Report{Pools: []proxy.PoolReport{{Name: name, Servers: []proxy.ServerReport{{Name: name}}}}}
		var got map[string]any
		if err := json.Unmarshal(AppendTwemproxy(nil, head, r), &got); err != nil {
			t.Errorf("%q: %v", name, err)
			continue
		}
		if pool, ok := got[name].(map[string]any); !ok || pool[name] == nil {
			t.Errorf("%q is not there: %v", name, got)
		}
	}
	r := proxy.Report{Pools: []proxy.PoolReport{{Name: "not UTF-8 \xff", Servers: []proxy.ServerReport{{Name: "\xfe"}}}}}
	if b := AppendTwemproxy(nil, head, r); !json.Valid(b) {
		t.Errorf("no JSON: %q", b)
	}
}

// TestCountsOfTwoMoments: nothing falls below zero when a worker that is stuck is read.
func TestCountsOfTwoMoments(t *testing.T) {
	r := proxy.Report{Pools: []proxy.PoolReport{{
		Name: "p", Counts: values(stats.ClientsAccepted, 1, stats.ClientsClosed, 2, stats.ClientEOFs, 3),
		Servers: []proxy.ServerReport{{Name: "s"}},
	}}}
	var got map[string]any
	if err := json.Unmarshal(AppendTwemproxy(nil, head, r), &got); err != nil {
		t.Fatal(err)
	}
	pool := got["p"].(map[string]any)
	if pool["client_err"] != 0.0 || pool["client_connections"] != 0.0 {
		t.Errorf("%v", pool)
	}
}
