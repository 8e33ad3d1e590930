package command

// serverRows are the commands on no value.
var serverRows = []row{
	// The connection.
	{"asking", 1, 0, Refused, noKeys},
	{"auth", -2, NoAuth, Local, noKeys},
	{"client", -2, 0, Refused, noKeys},
	{"echo", 2, 0, Local, noKeys},
	{"hello", -1, NoAuth, Local, noKeys},
	{"ping", -1, 0, Local, noKeys},
	{"quit", -1, NoAuth, Local, noKeys},
	{"readonly", 1, 0, Refused, noKeys},
	{"readwrite", 1, 0, Refused, noKeys},
	{"reset", 1, NoAuth, Refused, noKeys},
	{"select", 2, 0, Local, noKeys},

	// Transactions.
	{"discard", 1, 0, Pinned, noKeys},
	{"exec", 1, 0, Pinned, noKeys},
	{"multi", 1, 0, Pinned, noKeys},
	{"unwatch", 1, 0, Pinned, noKeys},
	{"watch", -2, 0, Pinned, keysFrom1},

	// Scripts and functions.
	{"eval", -3, 0, SameServer, counted2},
	{"eval_ro", -3, ReadOnly, SameServer, counted2},
	{"evalsha", -3, 0, SameServer, counted2},
	{"evalsha_ro", -3, ReadOnly, SameServer, counted2},
	{"fcall", -3, 0, SameServer, counted2},
	{"fcall_ro", -3, ReadOnly, SameServer, counted2},
	{"function", -2, 0, Everywhere, noKeys},
	{"script", -2, 0, Everywhere, noKeys},

	// Publish and subscribe.
	{"psubscribe", -2, PubSub, Pinned, noKeys},
	{"publish", 3, PubSub, Refused, noKeys},
	{"pubsub", -2, 0, Refused, noKeys},
	{"punsubscribe", -1, PubSub, Pinned, noKeys},
	{"spublish", 3, PubSub, Refused, key1},
	{"ssubscribe", -2, PubSub, Pinned, keysFrom1},
	{"subscribe", -2, PubSub, Pinned, noKeys},
	{"sunsubscribe", -1, PubSub, Pinned, keysFrom1},
	{"unsubscribe", -1, PubSub, Pinned, noKeys},

	// All servers of a pool.
	{"dbsize", 1, ReadOnly, Everywhere, noKeys},
	{"flushall", -1, Write, Everywhere, noKeys},
	{"flushdb", -1, Write, Everywhere, noKeys},
	{"keys", 2, ReadOnly, Everywhere, noKeys},
	{"randomkey", 1, ReadOnly, Everywhere, noKeys},
	{"scan", -2, ReadOnly, Everywhere, noKeys},
	{"swapdb", 3, Write, Everywhere, noKeys},
	{"wait", 3, 0, Everywhere, noKeys},
	{"waitaof", 4, 0, Everywhere, noKeys},

	// One server and its operation.
	{"acl", -2, 0, Refused, noKeys},
	{"bgrewriteaof", 1, Admin, Refused, noKeys},
	{"bgsave", -1, Admin, Refused, noKeys},
	{"cluster", -2, 0, Refused, noKeys},
	{"command", -1, 0, AnyServer, noKeys},
	{"config", -2, 0, Refused, noKeys},
	{"debug", -2, Admin, Refused, noKeys},
	{"failover", -1, Admin, Refused, noKeys},
	{"info", -1, 0, Refused, noKeys},
	{"lastsave", 1, 0, Refused, noKeys},
	{"latency", -2, 0, Refused, noKeys},
	{"lolwut", -1, ReadOnly, AnyServer, noKeys},
	{"memory", -2, 0, Refused, noKeys},
	{"module", -2, 0, Refused, noKeys},
	{"monitor", 1, Admin, Refused, noKeys},
	{"psync", -3, Admin, Refused, noKeys},
	{"replconf", -1, Admin, Refused, noKeys},
	{"replicaof", 3, Admin, Refused, noKeys},
	{"role", 1, 0, Refused, noKeys},
	{"save", 1, Admin, Refused, noKeys},
	{"shutdown", -1, Admin, Refused, noKeys},
	{"slaveof", 3, Admin, Refused, noKeys},
	{"slowlog", -2, 0, Refused, noKeys},
	{"sync", 1, Admin, Refused, noKeys},
	{"time", 1, 0, AnyServer, noKeys},
}
