// Package stats has the counters of the data plane and the table that describes them.
//
// A worker counts in plain fields, which it alone touches, and publishes them once per turn: an
// atomic store per event would cost several times the event's own counting. Readers on any
// goroutine see the state of the last published turn, and sum over workers.
package stats

import (
	"math/bits"
	"sync/atomic"
)

// Counter is one row of the table below.
type Counter uint8

// The counters of a pool.
const (
	ClientsAccepted Counter = iota
	ClientsClosed
	ClientsRefused
	ClientsStalled
	ClientsOverflowed
	ClientsIdle
	ClientErrors
	Requests
	LocalReplies
	ForwardErrors
	SplitRequests
	Fragments
	RefusedCommands
	Unauthenticated
	CrossServer
	ReadPauses
	QueueFull
	MemoryRefused
	ClientEOFs
	OtherRequests // and the other classes, in their order
	ReadRequests
	WriteRequests
	ClientReadBytes
	ClientSentBytes
	poolCounters
)

// The counters of a server.
const (
	ServerRequests Counter = iota
	ServerRequestBytes
	ServerResponses
	ServerResponseBytes
	ServerDials
	ServerConnects
	ServerEOFs
	ServerErrors
	ServerTimeouts
	RequestTimeouts
	LateReplies
	OtherServerRequests // and the other classes, in their order
	ReadServerRequests
	WriteServerRequests
	SlowRequests
	BigRequests
	BigReplies
	JoinedReads
	MergedGets
	serverCounters
)

// The gauges of a server. They follow its counters in a Block. The worker sets them when somebody asks
// for a report, so that they cost nothing while nobody does.
const (
	ServerConnections = serverCounters + iota
	ServerConnecting
	ServerQueued
	ServerQueuedBytes
	ServerInFlight
	ServerInFlightBytes
	serverFields
)

// Descriptor says what a counter counts, and as what monitoring gets it: a family, and the value of the family's last
// label if it is not the pool or the server.
type Descriptor struct {
	Name, Help string
	Family     FamilyID
	Label      string
}

// PoolTable describes the counters of a pool, by Counter.
var PoolTable = [poolCounters]Descriptor{
	ClientsAccepted:   {"clients_accepted", "clients that connected", PoolClientsAccepted, ""},
	ClientsClosed:     {"clients_closed", "clients whose connection was closed, by either side", PoolClientsClosed, ""},
	ClientsRefused:    {"clients_refused", "clients refused because client_connections, or the limit of open files, was reached", PoolClientsDropped, "refused"},
	ClientsStalled:    {"clients_stalled", "clients closed because they accepted no byte for client_output_timeout", PoolClientsDropped, "stalled"},
	ClientsOverflowed: {"clients_overflowed", "clients closed because their unsent replies passed client_output_limit", PoolClientsDropped, "overflowed"},
	ClientsIdle:       {"clients_idle", "clients closed by client_idle_timeout", PoolClientsDropped, "idle"},
	ClientErrors:      {"client_errors", "clients closed because of an error on their connection or in their protocol", PoolClientsDropped, "error"},
	Requests:          {"requests", "requests that clients sent", None, ""},
	LocalReplies:      {"local_replies", "requests that the proxy answered itself", PoolLocalReplies, ""},
	ForwardErrors:     {"forward_errors", "requests answered with an error because a server failed", PoolErrors, "server_failed"},
	SplitRequests:     {"split_requests", "requests split over several servers", PoolSplitRequests, ""},
	Fragments:         {"fragments", "fragments made by splitting", PoolFragments, ""},
	RefusedCommands:   {"refused_commands", "requests refused: unknown, unsupported or of wrong arity", PoolErrors, "refused_command"},
	Unauthenticated:   {"unauthenticated", "requests refused before authentication, and failed authentications", PoolErrors, "unauthenticated"},
	CrossServer:       {"cross_server", "requests refused because their keys live on different servers", PoolErrors, "cross_server"},
	ReadPauses:        {"read_pauses", "times a client was not read from for a while because of unsent, unanswered or buffered bytes", PoolReadPauses, ""},
	QueueFull:         {"queue_full", "requests refused because a server's queue passed server_queue_limit", PoolErrors, "queue_full"},
	MemoryRefused:     {"memory_refused", "requests and clients refused because memory_limit was reached", PoolErrors, "memory_limit"},
	ClientEOFs:        {"client_eofs", "clients whose connection was closed because they closed it, or sent QUIT", None, ""},
	OtherRequests:     {"other_requests", "requests that neither only read nor are known to write, unknown ones among them", PoolRequests, "other"},
	ReadRequests:      {"read_requests", "requests with commands that only read", PoolRequests, "read"},
	WriteRequests:     {"write_requests", "requests with commands that may write", PoolRequests, "write"},
	ClientReadBytes:   {"client_read_bytes", "bytes received from clients", PoolReceivedBytes, ""},
	ClientSentBytes:   {"client_sent_bytes", "bytes sent to clients", PoolSentBytes, ""},
}

// ServerTable describes the counters of a server, by Counter.
var ServerTable = [serverCounters]Descriptor{
	ServerRequests:      {"requests", "requests and fragments given to the server's queue", None, ""},
	ServerRequestBytes:  {"request_bytes", "bytes of those requests", PerServerRequestBytes, ""},
	ServerResponses:     {"responses", "replies received for them", PerServerResponses, ""},
	ServerResponseBytes: {"response_bytes", "bytes received from the server, the handshake's replies left out", PerServerResponseBytes, ""},
	ServerDials:         {"dials", "attempts to connect", PerServerDials, ""},
	ServerConnects:      {"connects", "connections that became ready", PerServerConnects, ""},
	ServerEOFs:          {"eofs", "connections that the server closed", PerServerFailures, "eof"},
	ServerErrors:        {"errors", "connections that failed, timeouts and closes apart", PerServerFailures, "error"},
	ServerTimeouts:      {"timeouts", "connections that timed out: the server was silent, or not reached in time", PerServerFailures, "timeout"},
	RequestTimeouts:     {"request_timeouts", "requests that were not answered in time", PerServerRequestTimeouts, ""},
	LateReplies:         {"late_replies", "replies that came after their request had been answered with a timeout", PerServerLateReplies, ""},
	OtherServerRequests: {"other_requests", "those requests that neither only read nor are known to write", PerServerRequests, "other"},
	ReadServerRequests:  {"read_requests", "those requests with commands that only read", PerServerRequests, "read"},
	SlowRequests:        {"slow_requests", "requests that took longer than slowlog_threshold", PerServerSlowRequests, ""},
	BigRequests:         {"big_requests", "requests that are as long as big_key_threshold, or longer", PerServerBig, "request"},
	BigReplies:          {"big_replies", "replies that are as long as big_key_threshold, or longer", PerServerBig, "reply"},
	JoinedReads:         {"joined_reads", "reads that were not sent, as an identical one that waited to be sent was to be answered for both", PerServerJoined, ""},
	MergedGets:          {"merged_gets", "those requests that were sent in the line of another one, a get of memcached as they are", PerServerMerged, ""},
	WriteServerRequests: {"write_requests", "those requests with commands that may write", PerServerRequests, "write"},
}

// GaugeTable describes the gauges of a server, by their distance from the first.
var GaugeTable = [serverFields - serverCounters]Descriptor{
	ServerConnections - serverCounters:   {"connections", "established connections", PerServerConnections, ""},
	ServerConnecting - serverCounters:    {"connecting", "connections being made", PerServerConnecting, ""},
	ServerQueued - serverCounters:        {"queued", "requests that wait to be sent", PerServerQueued, ""},
	ServerQueuedBytes - serverCounters:   {"queued_bytes", "bytes of those requests", PerServerQueuedBytes, ""},
	ServerInFlight - serverCounters:      {"in_flight", "requests sent that await their reply", PerServerInFlight, ""},
	ServerInFlightBytes - serverCounters: {"in_flight_bytes", "bytes of those requests", PerServerInFlightBytes, ""},
}

// tableSize is room for every counter of any table.
const tableSize = 28

// The tables fit.
var (
	_ = [tableSize - poolCounters]struct{}{}
	_ = [tableSize - serverFields]struct{}{}
)

// Block is one worker's counters of one pool or server. All but Read belong to the worker. Arrays of
// a fixed size spare every count a check of bounds.
type Block struct {
	local   [tableSize]uint64
	changed uint32 // a bit for each that may differ from what is public
	public  [tableSize]atomic.Uint64

	// Latency is a server's; a pool has none.
	Latency *Latency

	// Blocks of several workers lie side by side. Without this the end of one and the beginning of the next would be in
	// one cache line, and each worker's counting would take it away from the other one.
	_ [112]byte
}

// NewPool returns the counters of a pool.
func NewPool() *Block { return new(Block) }

// NewServer returns the counters of a server.
func NewServer() *Block { return &Block{Latency: new(Latency)} }

// Add counts n events.
func (b *Block) Add(c Counter, n uint64) {
	b.local[c] += n
	b.changed |= 1 << c
}

// Undo takes back one event that was counted in this turn: it did not happen, or not yet.
func (b *Block) Undo(c Counter) { b.local[c]-- }

// Inc counts one event.
func (b *Block) Inc(c Counter) { b.Add(c, 1) }

// Local is the worker's own view, ahead of what is published.
func (b *Block) Local(c Counter) uint64 { return b.local[c] }

// Publish makes the counts visible to readers: of those that have changed, as a store costs much more than to know
// which.
func (b *Block) Publish() {
	for m := b.changed; m != 0; m &= m - 1 {
		i := bits.TrailingZeros32(m)
		b.public[i].Store(b.local[i])
	}
	b.changed = 0
}

// Set gives a gauge its value.
func (b *Block) Set(c Counter, v uint64) {
	b.local[c] = v
	b.changed |= 1 << c
}

// Values are all counters and gauges of a Block at one moment. A pool's and a server's tell apart by
// whoever holds them.
type Values [tableSize]uint64

// Copy returns the worker's own view.
func (b *Block) Copy() Values { return b.local }

// ReadAll returns what was published last, for when the worker does not answer. Each value is right
// by itself; two of them may be of neighbouring turns.
func (b *Block) ReadAll() (v Values) {
	for i := range v {
		v[i] = b.public[i].Load()
	}
	return v
}

// Read returns the count as of the last published turn.
func (b *Block) Read(c Counter) uint64 { return b.public[c].Load() }
