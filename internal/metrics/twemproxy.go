// Package metrics shows people and their monitoring what the data plane has counted: to Prometheus, and as twemproxy's
// JSON, on twemproxy's port.
//
// It is ordinary Go of the ops plane, with a goroutine for each reader. It asks the data plane when it
// is asked, and keeps nothing.
package metrics

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"

	"github.com/cashew-proxy/cashew/internal/proxy"
	"github.com/cashew-proxy/cashew/internal/stats"
)

// Field is one number of twemproxy's JSON. Programs read the names, and the descriptions in the output
// of -D, so that both are twemproxy's to the letter.
type Field struct{ Name, Description string }

// PoolFields are the numbers of a pool, in order.
var PoolFields = []Field{
	{"client_eof", "# eof on client connections"},
	{"client_err", "# errors on client connections"},
	{"client_connections", "# active client connections"},
	{"server_ejects", "# times backend server was ejected"},
	{"forward_error", "# times we encountered a forwarding error"},
	{"fragments", "# fragments created from a multi-vector request"},
}

// ServerFields are the numbers of a server, in order.
var ServerFields = []Field{
	{"server_eof", "# eof on server connections"},
	{"server_err", "# errors on server connections"},
	{"server_timedout", "# timeouts on server connections"},
	{"server_connections", "# active server connections"},
	{"server_ejected_at", "timestamp when server was ejected in usec since epoch"},
	{"requests", "# requests"},
	{"request_bytes", "total request bytes"},
	{"responses", "# responses"},
	{"response_bytes", "total response bytes"},
	{"in_queue", "# requests in incoming queue"},
	{"in_queue_bytes", "current request bytes in incoming queue"},
	{"out_queue", "# requests in outgoing queue"},
	{"out_queue_bytes", "current request bytes in outgoing queue"},
}

// poolValues are in the order of PoolFields.
func poolValues(p *proxy.PoolReport) []uint64 {
	c := &p.Counts
	ejects := uint64(0)
	for i := range p.Servers {
		ejects += p.Servers[i].Ejections
	}
	return []uint64{
		c[stats.ClientEOFs], less(c[stats.ClientsClosed], c[stats.ClientEOFs]), clients(p), ejects,
		c[stats.ForwardErrors], c[stats.Fragments],
	}
}

// serverValues are in the order of ServerFields.
func serverValues(s *proxy.ServerReport) []uint64 {
	c := &s.Counts
	return []uint64{
		c[stats.ServerEOFs], c[stats.ServerErrors], c[stats.ServerTimeouts], c[stats.ServerConnections],
		uint64(s.EjectedAt), c[stats.ServerRequests], c[stats.ServerRequestBytes], c[stats.ServerResponses],
		c[stats.ServerResponseBytes], c[stats.ServerQueued], c[stats.ServerQueuedBytes], c[stats.ServerInFlight],
		c[stats.ServerInFlightBytes],
	}
}

func clients(p *proxy.PoolReport) uint64 {
	return less(p.Counts[stats.ClientsAccepted], p.Counts[stats.ClientsClosed])
}

// less is a - b. Counters of a worker that did not answer may be of two moments, so that b is ahead.
func less(a, b uint64) uint64 { return a - min(a, b) }

// Head is what the JSON says of the process.
type Head struct {
	Service, Source, Version string
	Uptime, Timestamp        int64 // seconds
}

// AppendTwemproxy appends the JSON: twemproxy's names, order, nesting and spaces, with a newline at its
// end.
func AppendTwemproxy(b []byte, h Head, r proxy.Report) []byte {
	total, current := uint64(len(r.Pools)), uint64(len(r.Pools)) // the listeners
	for i := range r.Pools {
		p := &r.Pools[i]
		total += p.Counts[stats.ClientsAccepted]
		current += clients(p)
		for k := range p.Servers {
			c := &p.Servers[k].Counts
			total += c[stats.ServerDials]
			current += c[stats.ServerConnections] + c[stats.ServerConnecting]
		}
	}
	b = append(b, '{')
	b = appendText(b, "service", h.Service)
	b = appendText(b, "source", h.Source)
	b = appendText(b, "version", h.Version)
	b = appendNumber(b, "uptime", uint64(h.Uptime))
	b = appendNumber(b, "timestamp", uint64(h.Timestamp))
	b = appendNumber(b, "total_connections", total)
	b = appendNumber(b, "curr_connections", current)
	for i := range r.Pools {
		p := &r.Pools[i]
		b = append(appendString(b, p.Name), ": {"...)
		for f, v := range poolValues(p) {
			b = appendNumber(b, PoolFields[f].Name, v)
		}
		for k := range p.Servers {
			b = append(appendString(b, p.Servers[k].Name), ": {"...)
			for f, v := range serverValues(&p.Servers[k]) {
				b = appendNumber(b, ServerFields[f].Name, v)
			}
			b = endObject(b)
		}
		b = endObject(b)
	}
	b = bytes.TrimSuffix(b, []byte(","))
	return append(b, "}\n"...)
}

// endObject takes the separator of the last member away.
func endObject(b []byte) []byte {
	return append(bytes.TrimRight(b, ", "), "},"...)
}

func appendText(b []byte, name, value string) []byte {
	b = appendName(b, name)
	return append(appendString(b, value), ", "...)
}

func appendNumber(b []byte, name string, value uint64) []byte {
	b = appendName(b, name)
	return append(strconv.AppendUint(b, value, 10), ", "...)
}

// appendName appends the name of a field of ours, in which nothing needs escaping.
func appendName(b []byte, name string) []byte {
	b = append(append(b, '"'), name...)
	return append(b, `":`...)
}

// appendString appends a JSON string. twemproxy does not escape names, so that some make its JSON
// unreadable.
func appendString(b []byte, s string) []byte {
	var text strings.Builder
	e := json.NewEncoder(&text)
	e.SetEscapeHTML(false)
	if err := e.Encode(s); err != nil {
		panic("metrics: a string that is no JSON: " + err.Error()) // there is none
	}
	return append(b, strings.TrimSuffix(text.String(), "\n")...)
}
