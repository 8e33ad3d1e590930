// Package admin is where a running process is looked at and steered, over HTTP: by people, by the commands of
// cashew, and by their monitoring.
//
// It is ordinary Go of the ops plane. The daemon starts a Server; the command line uses the types of this file, which
// are the API's JSON. Everything is asked of the control plane and of the workers when somebody asks, and nothing is
// kept.
package admin

import "time"

// Status is the process at a moment: GET /api/status.
type Status struct {
	Version  string       `json:"version"`
	PID      int          `json:"pid"`
	Started  time.Time    `json:"started"`
	Now      time.Time    `json:"now"`
	Config   string       `json:"config"` // the file's path
	Epoch    uint64       `json:"epoch"`  // of the topology in force
	Draining bool         `json:"draining"`
	Level    int          `json:"log_level"` // twemproxy's verbosity
	Reloads  Reloads      `json:"reloads"`
	Memory   Memory       `json:"memory"`
	Workers  []Worker     `json:"workers"`
	Pools    []PoolStatus `json:"pools"`
}

// Reloads is what became of the reloads of the process.
type Reloads struct {
	Succeeded uint64     `json:"succeeded"`
	Failed    uint64     `json:"failed"`
	Last      *time.Time `json:"last,omitempty"`
	Error     string     `json:"error,omitempty"` // of the last one
}

// Memory is in bytes.
type Memory struct {
	Buffered int64  `json:"buffered"` // by the data plane
	Limit    int64  `json:"limit"`    // of that
	Heap     uint64 `json:"heap"`
	System   uint64 `json:"system"` // that the Go runtime has from the system
}

// Worker is an event loop. Rates are left to whoever asks twice.
type Worker struct {
	Active      bool   `json:"active"` // it gets clients
	Clients     int    `json:"clients"`
	Turns       uint64 `json:"turns"`
	SystemCalls uint64 `json:"system_calls"`
	Busy        int64  `json:"busy_nanoseconds"` // not waiting
}

// PoolStatus is a pool: GET /api/pools/{pool}.
type PoolStatus struct {
	Name         string            `json:"name"`
	Protocol     string            `json:"protocol"` // "redis" or "memcached"
	Listen       string            `json:"listen"`
	Distribution string            `json:"distribution"`
	Clients      uint64            `json:"clients"`
	Paused       string            `json:"paused,omitempty"` // "all" or "write"
	PausedUntil  *time.Time        `json:"paused_until,omitempty"`
	Counters     map[string]uint64 `json:"counters"` // by the names of docs/metrics.md
	Servers      []ServerStatus    `json:"servers"`
}

// ServerStatus is a server of a pool.
type ServerStatus struct {
	Name        string            `json:"name"`
	Address     string            `json:"address"`
	Weight      int               `json:"weight"`
	State       string            `json:"state"` // "live", "ejected" or "held": ejected by hand
	Share       float64           `json:"share"` // of the pool's keys, 0 to 1
	Ejections   uint64            `json:"ejections"`
	EjectedAt   *time.Time        `json:"ejected_at,omitempty"`
	Connections uint64            `json:"connections"`
	Queued      uint64            `json:"queued"`
	InFlight    uint64            `json:"in_flight"`
	Version     string            `json:"version,omitempty"`
	Counters    map[string]uint64 `json:"counters"`
}

// Client is a connected client: GET /api/clients?pool=….
type Client struct {
	Pool     string `json:"pool"`
	ID       uint64 `json:"id"`
	Address  string `json:"address"` // "unix socket" for one without
	Name     string `json:"name,omitempty"`
	Library  string `json:"library,omitempty"`
	Database int    `json:"database"`
	Protocol int    `json:"protocol"` // 2 or 3; 0 for memcached
	Age      int64  `json:"age_seconds"`
	Idle     int64  `json:"idle_seconds"`
	Pending  int    `json:"pending"`      // requests without an answer
	Unsent   int64  `json:"unsent_bytes"` // of answers
	Held     int64  `json:"held_bytes"`   // buffered for it in all
}

// Event is something that happened, as the log has it: GET /api/events?after=….
type Event struct {
	Number uint64            `json:"number"` // counts up; ask for what comes after it
	Time   time.Time         `json:"time"`
	Level  string            `json:"level"`
	Text   string            `json:"text"`
	Fields map[string]string `json:"fields,omitempty"`
}

// SlowRequest is a request that took longer than its pool's slowlog_threshold: GET /api/slowlog.
type SlowRequest struct {
	Time    time.Time `json:"time"` // when its reply had come, or it had failed
	Pool    string    `json:"pool"`
	Server  string    `json:"server"`
	Client  string    `json:"client,omitempty"`  // unless it has gone, or is of a unix socket
	Command string    `json:"command,omitempty"` // if it is known: only the oldest requests in flight are remembered
	Key     string    `json:"key,omitempty"`     // the first one, cut to 64 bytes
	Waiting int64     `json:"waiting_microseconds"`
	Serving int64     `json:"serving_microseconds"`
	Failure string    `json:"failure,omitempty"` // why it had no reply
}

// HotKeys is what samples of the last minutes say of the keys of a pool: GET /api/hot?pool=….
type HotKeys struct {
	Pool       string     `json:"pool"`
	Every      int        `json:"every"`   // one of so many requests is sampled; 0 is none
	Samples    uint64     `json:"samples"` // older ones count less
	Bytes      uint64     `json:"bytes"`   // of their requests and replies
	ByRequests []HeavyKey `json:"by_requests"`
	ByBytes    []HeavyKey `json:"by_bytes"`

	BigThreshold int64    `json:"big_threshold"` // bytes of a request or a reply that is big; 0 is none
	Big          []BigKey `json:"big"`           // not only samples
}

// HeavyKey is a key with its part of what was sampled.
type HeavyKey struct {
	Key    string  `json:"key"`    // of a long one 64 bytes, an ellipsis, and eight digits that tell it from others
	Weight uint64  `json:"weight"` // samples, or bytes; at most
	Share  float64 `json:"share"`  // of all, 0 to 1
	Peak   uint64  `json:"peak"`   // of a single request
}

// BigKey is a key with requests, or replies, that were big.
type BigKey struct {
	Key     string `json:"key"`
	Bytes   uint64 `json:"bytes"`   // of all of them; older ones count less
	Largest uint64 `json:"largest"` // of one
}

// Explanation is where a key lives: GET /api/explain?pool=…&key=….
type Explanation struct {
	Pool    string  `json:"pool"`
	Key     string  `json:"key"`
	Hashed  string  `json:"hashed"` // the part that is hashed
	Hash    uint32  `json:"hash"`
	Server  string  `json:"server"`
	Address string  `json:"address"`
	Share   float64 `json:"share"`
}

// Pause is the body of POST /api/pools/{pool}/pause: requests wait.
type Pause struct {
	Milliseconds int64 `json:"milliseconds"` // at most an hour
	WritesOnly   bool  `json:"writes_only"`
}

// Level is the body of PUT /api/log-level: twemproxy's verbosity, 0 to 11.
type Level struct {
	Level int `json:"level"`
}

// ReloadRequest is the body of POST /api/reload; its answer is a control.Differences.
type ReloadRequest struct {
	DryRun bool `json:"dry_run"`
}

// Error is the body of every answer that is not a success.
type Error struct {
	Error    string   `json:"error"`
	Mistakes []string `json:"mistakes,omitempty"` // of a configuration, each with its place
}

// Okay is the answer of what has nothing else to say: "alive", "ready" or "draining".
type Okay struct {
	Status string `json:"status"`
}
