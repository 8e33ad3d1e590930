package config

import (
	"math"
	"strings"
	"time"

	"github.com/cashew-proxy/cashew/internal/hashkit"
	"github.com/cashew-proxy/cashew/internal/ring"
)

// Touch says what a change of a key touches, for whoever plans one.
type Touch string

// What changes touch.
const (
	TouchesPlacement Touch = "placement"   // keys move to other servers
	TouchesListener  Touch = "listener"    // the pool's listening socket
	TouchesServers   Touch = "servers"     // connections to servers
	TouchesClients   Touch = "clients"     // connections from clients
	TouchesRequests  Touch = "requests"    // requests from then on
	TouchesPool      Touch = "the pool"    // everything in the pool
	TouchesProcess   Touch = "the process" // everything
)

// protocol is whose pools may have a key.
type protocol uint8

const (
	anyProtocol protocol = iota
	onlyRedis
	onlyMemcached
)

// key is one row of a table of keys: everything that is known about it.
type key[T any] struct {
	name     string
	kind     string // what the value is, for the reference page
	fallback string // the default as a text for the form; "" if there is none; "=other" is other's value
	compat   string // the default under compat, if it is another one
	required bool
	list     bool
	only     protocol
	allowed  string // bounds or values, for the reference page
	since    string // "twemproxy", or "cashew" for what twemproxy lacks
	touches  Touch
	restart  bool // a running process keeps the old value
	closes   bool // a change closes the pool's clients, when they have their replies
	secret   bool // the value is for nobody's eyes
	help     string
	as       form[T]
}

// Bounds that several keys share. twemproxy's numbers are ints of 32 bits.
const (
	maxNumber = math.MaxInt32
	maxMillis = math.MaxInt32
	minBuffer = 1 << 10
	maxBuffer = 1 << 40
)

const (
	ofTwemproxy = "twemproxy"
	ofCashew    = "cashew"
)

const (
	anyNumber = "0 to 2147483647"
	anyBuffer = "1kb to 1024gb"
	boolean   = "true or false"
)

var logFormats = []string{"text", "json"}

// guarded are the commands that a pool has to allow: memcached's first, then Redis', and the proxy's own.
var guarded = []string{"flush_all", "flushall", "flushdb", "swapdb", ownCommand}

// ownCommand is the proxy's own command, which tells clients of the pool and its servers.
const ownCommand = "proxy"

// poolKeys has every key of a pool, in the order of the reference page.
var poolKeys = concat(addressKeys, placementKeys, connectionKeys, redisKeys, memcachedKeys, failureKeys, limitKeys, watchKeys)

func concat(tables ...[]key[Pool]) (all []key[Pool]) {
	for _, t := range tables {
		all = append(all, t...)
	}
	return all
}

var addressKeys = []key[Pool]{
	{
		name: "listen", kind: "address", required: true, since: ofTwemproxy, touches: TouchesListener,
		allowed: "`host:port`, `/path` or `/path mode`",
		help:    "Where clients connect: see [Listening](#listening).",
		as:      asListen,
	},
	{
		name: "servers", kind: "list of servers", required: true, list: true, since: ofTwemproxy, touches: TouchesPlacement,
		allowed: "`host:port:weight [name]` or `/path:weight [name]`, at least one",
		help:    "The pool's servers: see [Servers](#servers). Their order does not matter.",
		as:      asServers,
	},
	{
		name: "redis", kind: "boolean", fallback: "false", since: ofTwemproxy, touches: TouchesPool, closes: true, allowed: boolean,
		help: "The protocol: Redis if true, memcached's text and meta protocols if false.",
		as:   asBool(func(p *Pool) *bool { return &p.Redis }),
	},
}

var placementKeys = []key[Pool]{
	{
		name: "hash", kind: "name", fallback: hashkit.Default, since: ofTwemproxy, touches: TouchesPlacement,
		allowed: "`" + strings.Join(hashkit.Names(), "` `") + "`",
		help: "The function that maps a key to a number of 32 bits. " +
			"`crc32` yields 15 bits only: with ketama all keys go to one server; `crc32a` is the whole CRC.",
		as: asEnum(hashkit.Names(), func(p *Pool) *string { return &p.Hash }),
	},
	{
		name: "hash_tag", kind: "two bytes", since: ofTwemproxy, touches: TouchesPlacement,
		allowed: "exactly two bytes, such as `\"{}\"` (with the quotes)",
		help: "If a key holds the first byte and later the second with something between, only what is between is " +
			"hashed: keys with the same tag share a server.",
		as: asHashTag,
	},
	{
		name: "distribution", kind: "name", fallback: "ketama", since: ofTwemproxy, touches: TouchesPlacement,
		allowed: "`" + strings.Join(ring.Names(), "` `") + "`",
		help: "How a hash selects a server: `ketama` is consistent hashing by server names, `modula` the remainder of a " +
			"division, `random` takes no notice of the key.",
		as: asEnum(ring.Names(), func(p *Pool) *string { return &p.Distribution }),
	},
	{
		name: "cross_server", kind: "name", fallback: "refuse", compat: "first_key", since: ofCashew, touches: TouchesRequests,
		allowed: "`refuse` `first_key`",
		help: "What becomes of a command that needs all its keys on one server and has them on several: an error reply, or, " +
			"as in twemproxy, it goes to the first key's server.",
		as: asChoice("refuse", "first_key", func(p *Pool) *bool { return &p.FirstKey }),
	},
}

var connectionKeys = []key[Pool]{
	{
		name: "timeout", kind: "milliseconds", fallback: "0", since: ofTwemproxy, touches: TouchesRequests, allowed: anyNumber,
		help: "A request's time from its arrival to its reply; then the client gets an error. 0 is none.",
		as:   asMillis(0, maxMillis, func(p *Pool) *time.Duration { return &p.Timeout }),
	},
	{
		name: "connect_timeout", kind: "milliseconds", fallback: "5000", since: ofCashew, touches: TouchesServers, allowed: anyNumber,
		help: "The time for connecting to a server, authentication included. 0 is none.",
		as:   asMillis(0, maxMillis, func(p *Pool) *time.Duration { return &p.ConnectTimeout }),
	},
	{
		name: "client_idle_timeout", kind: "milliseconds", fallback: "0", since: ofCashew, touches: TouchesClients, allowed: anyNumber,
		help: "A client that sends nothing for so long, and waits for nothing, is closed. 0 is never.",
		as:   asMillis(0, maxMillis, func(p *Pool) *time.Duration { return &p.ClientIdleTimeout }),
	},
	{
		name: "backlog", kind: "number", fallback: "512", since: ofTwemproxy, touches: TouchesListener, allowed: anyNumber,
		help: "Connections that the kernel holds until they are accepted; the kernel has a bound of its own.",
		as:   asNumber(0, maxNumber, func(p *Pool) *int { return &p.Backlog }),
	},
	{
		name: "reuseport", kind: "boolean", fallback: "false", since: ofTwemproxy, touches: TouchesListener, restart: true, allowed: boolean,
		help: "Sets SO_REUSEPORT on the listening socket, so that several processes can share the port.",
		as:   asBool(func(p *Pool) *bool { return &p.ReusePort }),
	},
	{
		name: "client_connections", kind: "number", fallback: "0", since: ofTwemproxy, touches: TouchesClients, allowed: anyNumber,
		help: "The most clients at once; further ones are refused. 0 is no bound. Under the name `nutcracker` it has no " +
			"effect, as in twemproxy, and a warning says so.",
		as: asNumber(0, maxNumber, func(p *Pool) *int { return &p.ClientConnections }),
	},
	{
		name: "server_connections", kind: "number", fallback: "1", since: ofTwemproxy, touches: TouchesServers, allowed: "1 to 65535",
		help: "Connections to each server. A client keeps to one of them, so that it reads what it wrote.",
		as:   asNumber(1, 65535, func(p *Pool) *int { return &p.ServerConnections }),
	},
	{
		name: "preconnect", kind: "boolean", fallback: "false", since: ofTwemproxy, touches: TouchesServers, allowed: boolean,
		help: "Connects to all servers at start, with all `server_connections`, and not at the first request. For clients in RESP3, " +
			"or in another database than `redis_db`, connections are made at their first request all the same; those in RESP3 are then kept as well.",
		as: asBool(func(p *Pool) *bool { return &p.Preconnect }),
	},
	{
		name: "coalesce_reads", kind: "boolean", fallback: "false", since: ofCashew, touches: TouchesRequests, allowed: boolean,
		help: "A read with one key is not sent if an identical one waits to be sent to the server, and no request with that key, nor one " +
			"with several keys or none, has come behind it: the reply is for both. It takes load from the server of a hot key. " +
			"[Decision 0017](decisions/0017-coalesced-reads.md) tells what it means for clients that pipeline.",
		as: asBool(func(p *Pool) *bool { return &p.CoalesceReads }),
	},
	{
		name: "tcpkeepalive", kind: "boolean", fallback: "false", since: ofTwemproxy, touches: TouchesServers, allowed: boolean,
		help: "TCP keepalive for connections to servers and, unless `client_keepalive` says otherwise, from clients.",
		as:   asBool(func(p *Pool) *bool { return &p.TCPKeepAlive }),
	},
	{
		name: "client_keepalive", kind: "boolean", fallback: "=tcpkeepalive", since: ofCashew, touches: TouchesClients, allowed: boolean,
		help: "TCP keepalive for connections from clients.",
		as:   asBool(func(p *Pool) *bool { return &p.ClientKeepAlive }),
	},
}

var redisKeys = []key[Pool]{
	{
		name: "redis_auth", kind: "text", only: onlyRedis, secret: true, since: ofTwemproxy, touches: TouchesPool, allowed: "not empty; only with `redis: true`",
		help: "The password that clients must give, and that servers are given.",
		as:   asText(func(p *Pool) *string { return &p.RedisAuth }),
	},
	{
		name: "redis_auth_file", kind: "path", only: onlyRedis, secret: true, since: ofCashew, touches: TouchesPool,
		allowed: "a file of at most 64kb; not with `redis_auth`; only with `redis: true`",
		help: "The file that holds the password, read at start and when the configuration is reloaded; one newline at its end does not count. A relative path " +
			"begins at the directory of the configuration file.",
		as: asSecretFile(func(p *Pool) *string { return &p.RedisAuth }),
	},
	{
		name: "redis_user", kind: "text", only: onlyRedis, since: ofCashew, touches: TouchesPool, allowed: "not empty; only with a password",
		help: "The user name that goes with the password. Without it the server's default user is meant.",
		as:   asText(func(p *Pool) *string { return &p.RedisUser }),
	},
	{
		name: "redis_db", kind: "number", fallback: "0", since: ofTwemproxy, touches: TouchesServers, closes: true, allowed: anyNumber,
		help: "The database that clients begin with.",
		as:   asNumber(0, maxNumber, func(p *Pool) *int { return &p.RedisDB }),
	},
	{
		name: "databases", kind: "number", only: onlyRedis, fallback: "16", since: ofCashew, touches: TouchesRequests, allowed: "1 to 16384; only with `redis: true`",
		help: "How many databases clients may choose from with `SELECT`, as in the configuration of the servers. Each that is in use takes " +
			"connections of its own, in RESP2 and in RESP3; 256 such kinds may be in use at once, and who chooses one more gets an error.",
		as: asNumber(1, 16384, func(p *Pool) *int { return &p.Databases }),
	},
}

var memcachedKeys = []key[Pool]{
	{
		name: "on_server_error", kind: "name", only: onlyMemcached, fallback: "error", since: ofCashew, touches: TouchesRequests,
		allowed: "`error` `miss`; only with `redis: false`",
		help: "What a client gets for keys whose server has failed: an error, or no value, as if the server did not have " +
			"them. It holds for reading: `get`, `gets`, `gat`, `gats` and `mg`.",
		as: asChoice("error", "miss", func(p *Pool) *bool { return &p.MissOnError }),
	},
	{
		name: "allow_commands", kind: "list of names", list: true, since: ofCashew, touches: TouchesRequests,
		allowed: "`flush_all` with `redis: false`; `flushall`, `flushdb`, `swapdb`, `proxy` with `redis: true`",
		help: "Commands that are refused unless they are named here. `flush_all` goes to every server of the pool; `flushall`, `flushdb` and " +
			"`swapdb` are served in pools of one server; `proxy` is [cashew's own](operations.md#console), which tells clients of the pool and its servers.",
		as: asAllowCommands,
	},
}

var failureKeys = []key[Pool]{
	{
		name: "auto_eject_hosts", kind: "boolean", fallback: "false", since: ofTwemproxy, touches: TouchesPlacement, allowed: boolean,
		help: "Takes a server that fails out of the distribution, until it has answered a probe. The keys that it owned go " +
			"to other servers meanwhile.",
		as: asBool(func(p *Pool) *bool { return &p.AutoEjectHosts }),
	},
	{
		name: "server_retry_timeout", kind: "milliseconds", fallback: "30000", since: ofTwemproxy, touches: TouchesRequests, allowed: anyNumber,
		help: "How long an ejected server is left alone before it is probed for the first time. Further probes come at longer " +
			"intervals. Only with `auto_eject_hosts: true`; 0 ejects nobody.",
		as: asMillis(0, maxMillis, func(p *Pool) *time.Duration { return &p.ServerRetryTimeout }),
	},
	{
		name: "server_failure_limit", kind: "number", fallback: "2", since: ofTwemproxy, touches: TouchesRequests, allowed: anyNumber,
		help: "Failures in a row that eject a server. Only with `auto_eject_hosts: true`; 0 is 1.",
		as:   asNumber(0, maxNumber, func(p *Pool) *int { return &p.ServerFailureLimit }),
	},
	{
		name: "eject_limit", kind: "percent", fallback: "100", since: ofCashew, touches: TouchesPlacement, allowed: "0 to 100",
		help: "The share of the pool's servers that may be out at once; those that fail beyond it keep their keys. 100 is all of " +
			"them, as in twemproxy.",
		as: asNumber(0, 100, func(p *Pool) *int { return &p.EjectLimit }),
	},
	{
		name: "on_eject", kind: "name", fallback: "rehash", since: ofCashew, touches: TouchesPlacement, allowed: "`rehash` `fail`",
		help: "What becomes of the keys of an ejected server: they go to other servers, as in twemproxy, or they stay and their " +
			"requests fail at once. Choose `fail` where an error is better than data that may be old.",
		as: asChoice("rehash", "fail", func(p *Pool) *bool { return &p.FailOnEject }),
	},
}

var limitKeys = []key[Pool]{
	{
		name: "request_size_limit", kind: "size", fallback: "512mb", since: ofCashew, touches: TouchesRequests, allowed: anyBuffer,
		help: "The longest request, all its arguments together; a longer one gets an error.",
		as:   asSize(minBuffer, maxBuffer, func(p *Pool) *int64 { return &p.RequestSizeLimit }),
	},
	{
		name: "request_arguments_limit", kind: "number", fallback: "1048576", since: ofCashew, touches: TouchesRequests, allowed: "1 to 2147483647",
		help: "The most arguments of one request, the command's name included.",
		as:   asNumber(1, maxNumber, func(p *Pool) *int { return &p.RequestArgumentsLimit }),
	},
	{
		name: "inline_size_limit", kind: "size", fallback: "64kb", since: ofCashew, touches: TouchesRequests, allowed: "1kb to 1gb",
		help: "The longest inline command, and the longest line of a header.",
		as:   asSize(minBuffer, 1<<30, func(p *Pool) *int { return &p.InlineSizeLimit }),
	},
	{
		name: "reply_nesting_limit", kind: "number", fallback: "16384", since: ofCashew, touches: TouchesServers, allowed: "1 to 65535",
		help: "The deepest nesting of arrays in a server's reply; beyond it the reply counts as malformed. A script of Redis can return 7995 levels. " +
			"Each takes 8 bytes of memory until the reply ends.",
		as: asNumber(1, 65535, func(p *Pool) *int { return &p.ReplyNestingLimit }),
	},
	{
		name: "client_output_limit", kind: "size", fallback: "64mb", since: ofCashew, touches: TouchesClients, allowed: anyBuffer,
		help: "Unsent replies to one client, behind the one being sent; a client beyond it is closed.",
		as:   asSize(minBuffer, maxBuffer, func(p *Pool) *int64 { return &p.ClientOutputLimit }),
	},
	{
		name: "client_output_timeout", kind: "milliseconds", fallback: "60000", since: ofCashew, touches: TouchesClients, allowed: anyNumber,
		help: "A client that takes nothing of its replies for so long is closed. 0 is never.",
		as:   asMillis(0, maxMillis, func(p *Pool) *time.Duration { return &p.ClientOutputTimeout }),
	},
	{
		name: "server_queue_limit", kind: "size", fallback: "64mb", since: ofCashew, touches: TouchesRequests, allowed: anyBuffer,
		help: "Unsent requests to one server connection, large ones not counted; beyond it a request gets an error.",
		as:   asSize(minBuffer, maxBuffer, func(p *Pool) *int64 { return &p.ServerQueueLimit }),
	},
}

var watchKeys = []key[Pool]{
	{
		name: "slowlog_threshold", kind: "milliseconds", fallback: "100", since: ofCashew, touches: TouchesRequests, allowed: anyNumber,
		help: "A request that takes longer, from its arrival to the end of its reply, is kept with its first key in the slow log, which has the " +
			"last 128. 0 is no slow log.",
		as: asMillis(0, maxMillis, func(p *Pool) *time.Duration { return &p.SlowLogThreshold }),
	},
	{
		name: "big_key_threshold", kind: "size", fallback: "1mb", since: ofCashew, touches: TouchesRequests, allowed: "0, or 2kb to 1024gb",
		help: "The first key of a request that has so many bytes, or whose reply has, is kept in the list of big keys, and the request or the reply is counted. " +
			"Each part of a request that is split over several servers is looked at by itself. 0 is no list.",
		as: orZero(asSize(leastBig, maxBuffer, func(p *Pool) *int64 { return &p.BigKeyThreshold })),
	},
	{
		name: "hotkeys_sample", kind: "number", fallback: "1000", since: ofCashew, touches: TouchesRequests, allowed: anyNumber,
		help: "One of so many requests counts for the list of hot keys, by its first key. 0 is none.",
		as:   asNumber(0, maxNumber, func(p *Pool) *int { return &p.HotKeysSample }),
	},
	{
		name: "access_log_sample", kind: "number", fallback: "0", since: ofCashew, touches: TouchesRequests, allowed: anyNumber,
		help: "One of so many requests to servers is written to the log, with the beginning of its first key. 0 is none, and the only value with which no key is " +
			"ever in the log.",
		as: asNumber(0, maxNumber, func(p *Pool) *int { return &p.AccessLogSample }),
	},
}

// processKeys has every key under "cashew:".
var processKeys = []key[Process]{
	{
		name: "threads", kind: "number or name", fallback: auto, since: ofCashew, touches: TouchesProcess, allowed: "`auto` or 1 to 256",
		help: "How many workers serve clients, each in a thread of its own and with `server_connections` to each server. `auto` is one as long as that suffices, " +
			"as one costs least, and more, up to the processors that the process may use, when those that serve have no time left.",
		as: asThreads(1, 256, func(p *Process) *int { return &p.Threads }),
	},
	{
		name: "memory_limit", kind: "size", fallback: "0", since: ofCashew, touches: TouchesProcess, allowed: "0 to 1024gb",
		help: "Bytes that the whole process may buffer. 0 is half of the machine's or the container's memory.",
		as:   asSize(0, maxBuffer, func(p *Process) *int64 { return &p.MemoryLimit }),
	},
	{
		name: "shutdown_timeout", kind: "milliseconds", fallback: "10000", since: ofCashew, touches: TouchesProcess, allowed: anyNumber,
		help: "At SIGTERM and SIGINT, the time that clients have for what they have already asked. 0 closes them at once.",
		as:   asMillis(0, maxMillis, func(p *Process) *time.Duration { return &p.ShutdownTimeout }),
	},
	{
		name: "log_format", kind: "name", fallback: "text", since: ofCashew, touches: TouchesProcess, restart: true,
		allowed: "`" + strings.Join(logFormats, "` `") + "`",
		help:    "The form of log lines: `text` has named values, `json` an object on each line.",
		as:      asEnum(logFormats, func(p *Process) *string { return &p.LogFormat }),
	},
	{
		name: "watch", kind: "boolean", fallback: "false", since: ofCashew, touches: TouchesProcess, allowed: boolean,
		help: "Reloads the configuration when its file, or a password file that it names, has changed. It is looked at once a second.",
		as:   asBool(func(p *Process) *bool { return &p.Watch }),
	},
	{
		name: "admin", kind: "address", fallback: DefaultAdmin, compat: noAdmin, since: ofCashew, touches: TouchesProcess, restart: true,
		allowed: "`host:port`, `/path`, `/path mode` or `none`; other than a path or this machine's own address only with a token",
		help: "Where the process is looked at and steered, over HTTP: see [operations](operations.md#admin). If the default's port is taken, " +
			"the process goes on without.",
		as: asAdmin,
	},
	{
		name: "admin_token", kind: "text", since: ofCashew, secret: true, touches: TouchesProcess, restart: true, allowed: "not empty",
		help: "What a caller of `admin` has to present, as a bearer token.",
		as:   asText(func(p *Process) *string { return &p.AdminToken }),
	},
	{
		name: "admin_token_file", kind: "path", since: ofCashew, secret: true, touches: TouchesProcess, restart: true,
		allowed: "a file of at most 64kb; not with `admin_token`",
		help:    "The file that holds the token; one newline at its end does not count.",
		as:      asSecretFile(func(p *Process) *string { return &p.AdminToken }),
	},
}

// DefaultAdmin is where the process is steered from if the file does not say; noAdmin is from nowhere.
const (
	DefaultAdmin = "127.0.0.1:22223"
	noAdmin      = "none"
)
