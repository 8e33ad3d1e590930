package stats

// Family is a row of the table of what monitoring gets: a name in Prometheus, what it is, and by what it is told apart. The
// labels' values come from the configuration, from this package or from the event loop, never from clients, so that
// their number is known.
type Family struct {
	Name   string
	Kind   Kind
	Labels []string
	Help   string
}

// Kind is what can be done with a family's numbers.
type Kind uint8

// The kinds.
const (
	Count       Kind = iota // only grows
	Gauge                   // goes up and down
	Distributed             // a histogram
)

// KindNames are Prometheus' names, by Kind.
var KindNames = [...]string{"counter", "gauge", "histogram"}

// FamilyID is a family's place in the table.
type FamilyID uint8

// The families. None is that of a counter which is told by others.
const (
	None FamilyID = iota
	PoolRequests
	PoolErrors
	PoolLocalReplies
	PoolSplitRequests
	PoolFragments
	PoolReceivedBytes
	PoolSentBytes
	PoolReadPauses
	PoolClients
	PoolClientsAccepted
	PoolClientsClosed
	PoolClientsDropped
	PerServerRequests
	PerServerJoined
	PerServerMerged
	PerServerResponses
	PerServerRequestBytes
	PerServerResponseBytes
	PerServerWaiting
	PerServerServing
	PerServerFailures
	PerServerRequestTimeouts
	PerServerLateReplies
	PerServerSlowRequests
	PerServerBig
	PerServerDials
	PerServerConnects
	PerServerConnections
	PerServerConnecting
	PerServerQueued
	PerServerQueuedBytes
	PerServerInFlight
	PerServerInFlightBytes
	PerServerEjected
	PerServerEjections
	PerServerLastEjection
	PerServerSpared
	PerServerProbes
	PerServerNameAge
	PerServerNameLost
	WorkerAnswered
	WorkerLife
	WorkerBusy
	WorkerTurns
	WorkerSystemCalls
	WorkerConnections
	WorkerBuffered
	WorkerPooled
	WorkerPanics
	ProcessInfo
	ProcessEpoch
	ProcessReloads
	ProcessLastReload
	ProcessLastReloadOK
	ProcessLinesDropped
	families
)

var (
	poolLabels   = []string{"pool"}
	serverLabels = []string{"pool", "server"}
	workerLabels = []string{"worker"}
)

func and(labels []string, one string) []string { return append(labels[:len(labels):len(labels)], one) }

// Families is the table, by FamilyID.
var Families = [families]Family{
	PoolRequests:        {"cashew_pool_requests_total", Count, and(poolLabels, "class"), "Requests that clients sent."},
	PoolErrors:          {"cashew_pool_errors_total", Count, and(poolLabels, "cause"), "Requests that the proxy answered with an error, by cause."},
	PoolLocalReplies:    {"cashew_pool_local_replies_total", Count, poolLabels, "Requests that the proxy answered itself, without an error."},
	PoolSplitRequests:   {"cashew_pool_split_requests_total", Count, poolLabels, "Requests split over several servers."},
	PoolFragments:       {"cashew_pool_fragments_total", Count, poolLabels, "Fragments made by splitting."},
	PoolReceivedBytes:   {"cashew_pool_received_bytes_total", Count, poolLabels, "Bytes received from clients."},
	PoolSentBytes:       {"cashew_pool_sent_bytes_total", Count, poolLabels, "Bytes sent to clients."},
	PoolReadPauses:      {"cashew_pool_read_pauses_total", Count, poolLabels, "Times a client was not read from for a while: bytes unsent, unanswered or buffered."},
	PoolClients:         {"cashew_pool_clients", Gauge, poolLabels, "Clients connected now."},
	PoolClientsAccepted: {"cashew_pool_clients_accepted_total", Count, poolLabels, "Clients that connected."},
	PoolClientsClosed:   {"cashew_pool_clients_closed_total", Count, poolLabels, "Clients whose connection was closed, by either side."},
	PoolClientsDropped:  {"cashew_pool_clients_dropped_total", Count, and(poolLabels, "cause"), "Clients that the proxy, or an error, has cut off, by cause."},

	PerServerRequests:        {"cashew_server_requests_total", Count, and(serverLabels, "class"), "Requests and fragments given to the server's queue."},
	PerServerJoined:          {"cashew_server_joined_reads_total", Count, serverLabels, "Reads that were not sent: an identical one that waited to be sent was answered for both (coalesce_reads)."},
	PerServerMerged:          {"cashew_server_merged_gets_total", Count, serverLabels, "Those requests that were sent in the line of another one: gets of memcached that waited together."},
	PerServerResponses:       {"cashew_server_responses_total", Count, serverLabels, "Replies received for them."},
	PerServerRequestBytes:    {"cashew_server_request_bytes_total", Count, serverLabels, "Bytes of requests given to the server's queue."},
	PerServerResponseBytes:   {"cashew_server_response_bytes_total", Count, serverLabels, "Bytes received from the server, without those of the handshake."},
	PerServerWaiting:         {"cashew_server_waiting_seconds", Distributed, and(serverLabels, "class"), "From a request's arrival at the proxy until the kernel has it for the server."},
	PerServerServing:         {"cashew_server_response_seconds", Distributed, and(serverLabels, "class"), "From then until the end of its reply."},
	PerServerFailures:        {"cashew_server_connections_lost_total", Count, and(serverLabels, "cause"), "Connections that ended or could not be made, by cause."},
	PerServerRequestTimeouts: {"cashew_server_request_timeouts_total", Count, serverLabels, "Requests that were not answered in time."},
	PerServerLateReplies:     {"cashew_server_late_replies_total", Count, serverLabels, "Replies that came after their request had been answered with a timeout."},
	PerServerSlowRequests:    {"cashew_server_slow_requests_total", Count, serverLabels, "Requests that took longer than slowlog_threshold; those that failed by then are among them."},
	PerServerBig:             {"cashew_server_big_total", Count, and(serverLabels, "of"), "Requests and replies that are as long as big_key_threshold, or longer."},
	PerServerDials:           {"cashew_server_dials_total", Count, serverLabels, "Attempts to connect."},
	PerServerConnects:        {"cashew_server_connects_total", Count, serverLabels, "Connections that became ready."},
	PerServerConnections:     {"cashew_server_connections", Gauge, serverLabels, "Established connections."},
	PerServerConnecting:      {"cashew_server_connecting", Gauge, serverLabels, "Connections being made."},
	PerServerQueued:          {"cashew_server_queued_requests", Gauge, serverLabels, "Requests that wait to be sent."},
	PerServerQueuedBytes:     {"cashew_server_queued_bytes", Gauge, serverLabels, "Bytes of requests that wait to be sent."},
	PerServerInFlight:        {"cashew_server_in_flight_requests", Gauge, serverLabels, "Requests sent that await their reply."},
	PerServerInFlightBytes:   {"cashew_server_in_flight_bytes", Gauge, serverLabels, "Bytes of requests sent that await their reply."},
	PerServerEjected:         {"cashew_server_ejected", Gauge, serverLabels, "1 while the server is ejected, else 0."},
	PerServerEjections:       {"cashew_server_ejections_total", Count, serverLabels, "Times the server was ejected."},
	PerServerLastEjection:    {"cashew_server_last_ejection_timestamp_seconds", Gauge, serverLabels, "When it was ejected last; 0 is never."},
	PerServerSpared:          {"cashew_server_spared_total", Count, serverLabels, "Times eject_limit has kept the server from being ejected."},
	PerServerProbes:          {"cashew_server_probes_total", Count, and(serverLabels, "outcome"), "Probes of the server while it was ejected, by outcome."},
	PerServerNameAge:         {"cashew_server_name_age_seconds", Gauge, serverLabels, "Age of the last good answer for the server's name; servers without a name, and names without an answer, have none."},
	PerServerNameLost:        {"cashew_server_name_unresolved", Gauge, serverLabels, "1 while the server's name does not resolve, else 0; servers without a name have none."},

	WorkerAnswered:    {"cashew_worker_up", Gauge, workerLabels, "1 if the worker has answered the question for these numbers in time, else 0: they are older then."},
	WorkerLife:        {"cashew_worker_seconds_total", Count, workerLabels, "Time since the worker began."},
	WorkerBusy:        {"cashew_worker_busy_seconds_total", Count, workerLabels, "The part of it in which it did not sleep: all of it is a worker that is used up."},
	WorkerTurns:       {"cashew_worker_turns_total", Count, workerLabels, "Turns of the event loop."},
	WorkerSystemCalls: {"cashew_worker_system_calls_total", Count, and(workerLabels, "call"), "System calls of the event loop."},
	WorkerConnections: {"cashew_worker_connections", Gauge, workerLabels, "Connections of clients and to servers, those being made included."},
	WorkerBuffered:    {"cashew_worker_buffered_bytes", Gauge, workerLabels, "Bytes of requests and replies in buffers; memory_limit bounds them."},
	WorkerPooled:      {"cashew_worker_pooled_bytes", Gauge, workerLabels, "Bytes of buffers kept for reuse."},
	WorkerPanics:      {"cashew_worker_panics_total", Count, workerLabels, "Panics that the worker has survived by closing its connections."},

	ProcessInfo:         {"cashew_info", Gauge, []string{"version"}, "1; the version is the label."},
	ProcessEpoch:        {"cashew_topology_epoch", Gauge, nil, "The number of the topology in force: each reload, ejection and return makes another."},
	ProcessReloads:      {"cashew_reloads_total", Count, []string{"outcome"}, "Reloads of the configuration since the start, by outcome."},
	ProcessLastReload:   {"cashew_reload_last_timestamp_seconds", Gauge, nil, "When a reload was last tried; 0 is never."},
	ProcessLastReloadOK: {"cashew_reload_last_ok", Gauge, nil, "1 if the last reload put its configuration in force, or there was none; else 0."},
	ProcessLinesDropped: {"cashew_log_lines_dropped_total", Count, nil, "Lines of the log that were dropped because there were too many at once."},
}
