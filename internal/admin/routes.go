package admin

import (
	"fmt"
	"net/http"
	"net/http/pprof"
	"strings"

	"github.com/cashew-proxy/cashew/internal/control"
)

// The paths that the code asks for.
const (
	pathHealth  = "/health"
	pathReady   = "/ready"
	pathMetrics = "/metrics"
	pathSpec    = "/openapi.json"
)

// operation is one thing that the API can do. The table below is all there is of it: requests are dispatched by it, the
// description is made of it, and so are the tests.
type operation struct {
	method, path string // a segment in braces is a name
	what         string // in a few words
	more         string // what is not obvious; may be empty
	params       []param
	body         any // a value of the body's type; nil if there is none
	// answers is a value of the type of a success's JSON. If that is no JSON, media says what it is.
	answers any
	media   string
	status  int // of a success; 0 is 200
	fails   map[int]string

	serve func(h *handler, c call) (any, error)
	raw   func(h *handler, w http.ResponseWriter, r *http.Request) // in place of serve

	// example is a request that can be made, body the one of it. What is answered is in examples.json.
	example     string
	exampleBody any
}

func (o *operation) success() int {
	if o.status == 0 {
		return http.StatusOK
	}
	return o.status
}

func (o *operation) id() string { return o.method + " " + o.path }

// param is a parameter of the query.
type param struct {
	name, what string
	kind       string // of JSON Schema
	repeats    bool
	required   bool
}

const plain = "text/plain"

var routes = []operation{
	{
		method: "GET", path: pathHealth, what: "Says whether the process lives",
		more:    "It does if the worker that serves clients turns within a second. Everybody may ask.",
		answers: Okay{}, fails: map[int]string{503: "the worker is stuck"},
		serve: (*handler).health, example: pathHealth,
	},
	{
		method: "GET", path: pathReady, what: "Says whether clients should be sent here",
		more:    "Not from the moment in which the orderly end has begun. Everybody may ask.",
		answers: Okay{}, fails: map[int]string{503: "it is ending"},
		serve: (*handler).ready, example: pathReady,
	},
	{
		method: "GET", path: pathMetrics, what: "Metrics, as Prometheus reads them", media: plain,
		raw:     func(h *handler, w http.ResponseWriter, r *http.Request) { h.Metrics.ServeHTTP(w, r) },
		example: pathMetrics,
	},
	{
		method: "GET", path: pathSpec, what: "This description", media: "application/json",
		raw: func(h *handler, w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			_, _ = w.Write(h.spec) // a caller that has gone
		},
		example: pathSpec,
	},
	{
		method: "GET", path: "/api/status", what: "The process, its pools and their servers",
		answers: Status{}, serve: (*handler).status, example: "/api/status",
	},
	{
		method: "GET", path: "/api/pools", what: "The pools and their servers",
		answers: []PoolStatus{}, serve: (*handler).pools, example: "/api/pools",
	},
	{
		method: "GET", path: "/api/pools/{pool}", what: "A pool and its servers",
		answers: PoolStatus{}, fails: noPool, serve: (*handler).pool, example: "/api/pools/beta",
	},
	{
		method: "GET", path: "/api/clients", what: "The clients of a pool, the oldest first",
		more: "If there are more than the limit it is not said which are shown.",
		params: []param{
			{name: "pool", what: "the pool's name", kind: "string", required: true},
			{name: "limit", what: fmt.Sprintf("most clients to show; %d without it, at most %d", usualClients, mostClients), kind: "integer"},
		},
		answers: []Client{}, fails: noPool, serve: (*handler).clients, example: "/api/clients?pool=alpha&limit=10",
	},
	{
		method: "GET", path: "/api/explain", what: "Where keys live, in the topology in force",
		more: "A server without a name, and none, has an empty one: with the distribution random, and while all servers are out, a key lives nowhere, and the address is empty, too.",
		params: []param{
			{name: "pool", what: "the pool's name", kind: "string", required: true},
			{name: "key", what: "a key; may be repeated", kind: "string", required: true, repeats: true},
		},
		answers: []Explanation{}, fails: noPool, serve: (*handler).explain, example: "/api/explain?pool=alpha&key=user:1&key=user:2",
	},
	{
		method: "GET", path: "/api/slowlog", what: "The last slow requests, the latest first",
		more:    "Those of all pools that took longer than slowlog_threshold, at most 128.",
		answers: []SlowRequest{}, serve: (*handler).slowlog, example: "/api/slowlog",
	},
	{
		method: "GET", path: "/api/hot", what: "The keys of a pool that are asked for most, and those that move the most bytes",
		more:    "By samples of the last minutes: see hotkeys_sample.",
		params:  []param{{name: "pool", what: "the pool's name", kind: "string", required: true}},
		answers: HotKeys{}, fails: noPool, serve: (*handler).hot, example: "/api/hot?pool=beta",
	},
	{
		method: "GET", path: "/api/config", what: "The configuration in force, with every default and without secrets", media: "application/yaml",
		raw: (*handler).config, example: "/api/config",
	},
	{
		method: "POST", path: "/api/reload", what: "Reads the configuration again and puts it in force",
		more: "It is checked whole before anything changes. With dry_run nothing does.",
		body: ReloadRequest{}, answers: control.Differences{},
		fails: map[int]string{422: "it is not valid, or cannot be put in force; nothing has changed"},
		serve: (*handler).reload, example: "/api/reload", exampleBody: ReloadRequest{DryRun: true},
	},
	{
		method: "POST", path: "/api/pools/{pool}/servers/{server}/eject", what: "Takes a server out of its pool until it is readmitted",
		more:    "Whatever the pool's policy says. The server's name is its ring name, percent-encoded; it may be empty.",
		answers: ServerStatus{}, fails: noServer, serve: (*handler).eject,
		example: "/api/pools/beta/servers/10.0.0.1%3A6379/eject",
	},
	{
		method: "POST", path: "/api/pools/{pool}/servers/{server}/readmit", what: "Lets a server return at once",
		more:    "Also one that was ejected because it has failed; if it still does it is ejected again.",
		answers: ServerStatus{}, fails: noServer, serve: (*handler).readmit,
		example: "/api/pools/alpha/servers/%2Frun%2Fredis.sock/readmit",
	},
	{
		method: "POST", path: "/api/pools/{pool}/pause", what: "Has the requests of a pool's clients wait",
		more: "What was asked before is answered. The pause ends after its time, or when it is resumed, or another takes its place; it does not end by CLIENT UNPAUSE. " +
			"Commands with which a client begins, and CLIENT, are answered.",
		body: Pause{}, answers: PoolStatus{}, fails: noPool, serve: (*handler).pause,
		example: "/api/pools/beta/pause", exampleBody: Pause{Milliseconds: 30000, WritesOnly: true},
	},
	{
		method: "POST", path: "/api/pools/{pool}/resume", what: "Ends a pool's pause, also one by CLIENT PAUSE",
		answers: PoolStatus{}, fails: noPool, serve: (*handler).resume, example: "/api/pools/beta/resume",
	},
	{
		method: "POST", path: "/api/drain", what: "Begins the orderly end of the process, as SIGTERM does",
		more:    "Nobody new is accepted; clients get what they have asked for, within shutdown_timeout.",
		answers: Okay{}, status: http.StatusAccepted, serve: (*handler).drain, example: "/api/drain",
	},
	{
		method: "GET", path: "/api/log-level", what: "How much is logged",
		answers: Level{}, serve: (*handler).level, example: "/api/log-level",
	},
	{
		method: "PUT", path: "/api/log-level", what: "Sets how much is logged",
		more: fmt.Sprintf("In twemproxy's numbers, 0 to %d, which SIGTTIN and SIGTTOU move as well.", mostLevel),
		body: Level{}, answers: Level{}, serve: (*handler).setLevel, example: "/api/log-level", exampleBody: Level{Level: 6},
	},
	{
		method: "GET", path: "/api/events", what: "The last lines of the log",
		more: fmt.Sprintf("The last %d of level info and above, whatever the log's own level is.", keptEvents),
		params: []param{
			{name: "after", what: "show what came after the event of this number, the oldest first; without it the newest are shown, in the same order", kind: "integer"},
			{name: "limit", what: fmt.Sprintf("most events to show; %d without it, at most %d", usualEvents, keptEvents), kind: "integer"},
			{name: "wait", what: fmt.Sprintf("seconds to wait for an event if there is none, at most %d; only with after", int(longestWait.Seconds())), kind: "integer"},
		},
		answers: []Event{}, serve: (*handler).events, example: "/api/events?after=1&limit=2",
	},
	{
		method: "GET", path: "/debug/pprof/{profile}", what: "Profiles of the Go runtime, as go tool pprof reads them",
		more:  "Without a name, a page that lists them. The parameter seconds says how long to look.",
		media: "application/octet-stream", raw: profile, example: "/debug/pprof/cmdline",
	},
}

var (
	noPool   = map[int]string{404: "there is no such pool"}
	noServer = map[int]string{404: "there is no such pool or server"}
)

func profile(_ *handler, w http.ResponseWriter, r *http.Request) {
	switch strings.TrimPrefix(r.URL.Path, "/debug/pprof/") {
	case "cmdline":
		pprof.Cmdline(w, r)
	case "profile":
		pprof.Profile(w, r)
	case "symbol":
		pprof.Symbol(w, r)
	case "trace":
		pprof.Trace(w, r)
	default:
		pprof.Index(w, r)
	}
}
