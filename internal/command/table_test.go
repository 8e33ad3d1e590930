package command

import (
	"slices"
	"strings"
	"testing"
)

// newer are the commands of the table that servers before the named version do not have.
var newer = map[string]string{
	"waitaof": "7.2", "client|no-touch": "7.2", "client|setinfo": "7.2", "cluster|myshardid": "7.2",
	"hexpire": "7.4", "hpexpire": "7.4", "hexpireat": "7.4", "hpexpireat": "7.4", "httl": "7.4",
	"hpttl": "7.4", "hexpiretime": "7.4", "hpexpiretime": "7.4", "hpersist": "7.4",
	"hgetdel": "8.0", "hgetex": "8.0", "hsetex": "8.0",
}

var flagNames = map[string]Flags{
	"write": Write, "readonly": ReadOnly, "blocking": Blocking, "admin": Admin, "pubsub": PubSub,
	"no_auth": NoAuth,
}

// everySpec is the table with its subcommands, by name.
func everySpec() map[string]*Spec {
	all := map[string]*Spec{}
	for s := range All {
		all[s.Name] = s
		for i := range s.subs {
			all[s.subs[i].Name] = &s.subs[i]
		}
	}
	return all
}

func TestTableEqualsTheServers(t *testing.T) {
	ours := everySpec()
	seen := map[string]bool{}
	for _, entry := range dialPeer(t).do("COMMAND").([]any) {
		compare(t, ours, seen, entry.([]any))
	}
	if len(seen) < 300 {
		t.Fatalf("the server has only %d commands", len(seen))
	}
	for name := range ours {
		if _, ok := newer[name]; !ok && !seen[name] {
			t.Errorf("the server does not have %q", name)
		}
	}
}

// compare holds one entry of the server's COMMAND reply against the table, with its subcommands.
func compare(t *testing.T, ours map[string]*Spec, seen map[string]bool, entry []any) {
	t.Helper()
	name := entry[0].(string)
	seen[name] = true
	s := ours[name]
	if s == nil {
		t.Errorf("the table lacks %q", name)
		return
	}
	if s.Arity != entry[1] {
		t.Errorf("%s: arity %d, the server's is %d", name, s.Arity, entry[1])
	}
	var flags Flags
	movable := false
	for _, f := range entry[2].([]any) {
		flags |= flagNames[f.(string)]
		movable = movable || f == "movablekeys"
	}
	if s.Flags != flags {
		t.Errorf("%s: flags %b, the server's are %b", name, s.Flags, flags)
	}
	if s.FirstKey != entry[3] || s.LastKey != entry[4] || s.KeyStep != entry[5] {
		t.Errorf("%s: keys %d %d %d, the server's are %v", name, s.FirstKey, s.LastKey, s.KeyStep, entry[3:6])
	}
	// The patterns of SORT_RO hide no keys of its own, and MIGRATE is refused.
	if s.dynamic() != movable && name != "sort_ro" && name != "migrate" {
		t.Errorf("%s: dynamic keys %v, the server says %v", name, s.dynamic(), movable)
	}
	subs := entry[9].([]any)
	if s.Container() != (len(subs) > 0) {
		t.Errorf("%s: container %v, the server has %d subcommands", name, s.Container(), len(subs))
	}
	for _, sub := range subs {
		compare(t, ours, seen, sub.([]any))
	}
}

// What is answered for several clients at once reads one key, and nothing else decides what it says.
func TestJoinable(t *testing.T) {
	all, n := everySpec(), 0
	for name, s := range all {
		if !s.Joinable {
			continue
		}
		n++
		if !s.Simple || s.Flags != ReadOnly || s.Shape != OneKey {
			t.Errorf("%s is joinable", name)
		}
	}
	if n < 50 {
		t.Errorf("only %d commands are joinable", n)
	}
	for name, want := range map[string]bool{
		"get": true, "hgetall": true, "zrange": true, "object|encoding": true, "ttl": true,
		"set": false, "getex": false, "mget": false, "exists": false, "xread": false, "spop": false, "time": false,
		"srandmember": false, "hrandfield": false, "zrandmember": false, "sort_ro": false,
	} {
		if all[name].Joinable != want {
			t.Errorf("%s: joinable is %v", name, !want)
		}
	}
}

func TestShapesAreCoherent(t *testing.T) {
	for name, s := range everySpec() {
		keyed := s.FirstKey > 0 || s.dynamic()
		switch s.Shape {
		case OneKey:
			if !s.Simple || s.FirstKey != s.LastKey || s.Arity > 0 && s.FirstKey >= s.Arity || s.FirstKey >= max(s.Arity, -s.Arity) {
				t.Errorf("%s has not exactly one key in every request", name)
			}
		case SameServer:
			if !keyed {
				t.Errorf("%s has no keys", name)
			}
		case SplitArray, SplitSum:
			if s.KeySpec != keysFrom1 {
				t.Errorf("%s cannot be split", name)
			}
		case SplitPairs:
			if s.KeySpec != keyPairs {
				t.Errorf("%s cannot be split into pairs", name)
			}
		case Local, AnyServer, Everywhere:
			if keyed {
				t.Errorf("%s has keys", name)
			}
		}
		if s.Simple && s.Shape != OneKey {
			t.Errorf("%s is simple, but %v", name, s.Shape)
		}
		if s.Is(Blocking) && s.Shape != Pinned && s.find != findStreams {
			t.Errorf("%s may block a shared connection", name)
		}
		if s.Is(Admin) && s.Shape != Refused && s.Shape != Local {
			t.Errorf("%s operates a server and is %v", name, s.Shape)
		}
		if s.Is(PubSub) && s.Shape != Refused && s.Shape != Pinned && s.Shape != Everywhere {
			t.Errorf("%s subscribes and is %v", name, s.Shape)
		}
	}
}

// What twemproxy forwards or answers must not be refused.
func TestTwemproxysCommandsTravel(t *testing.T) {
	const supported = `PING QUIT AUTH COMMAND LOLWUT
DECR DUMP GET GETDEL HGETALL HKEYS HLEN HVALS INCR LLEN PERSIST PTTL SCARD SMEMBERS STRLEN TTL TYPE ZCARD
APPEND DECRBY EXPIRE EXPIREAT GETBIT GETSET HEXISTS HGET HSTRLEN INCRBY INCRBYFLOAT LINDEX PEXPIRE
PEXPIREAT RPOPLPUSH SETNX SISMEMBER ZRANK ZREVRANK ZSCORE MOVE
GETRANGE HINCRBY HINCRBYFLOAT HSETNX LRANGE LREM LSET LTRIM PSETEX SETBIT SETEX SETRANGE SMOVE ZCOUNT
ZINCRBY ZLEXCOUNT ZREMRANGEBYLEX ZREMRANGEBYRANK ZREMRANGEBYSCORE LINSERT LMOVE
BITCOUNT BITFIELD BITPOS COPY EXISTS GEOADD GEODIST GEOHASH GEOPOS GEORADIUS GEORADIUSBYMEMBER GEOSEARCH
GEOSEARCHSTORE GETEX HDEL HMGET HMSET HRANDFIELD HSCAN HSET LPOP LPOS LPUSH LPUSHX PFADD PFCOUNT PFMERGE
RESTORE RPOP RPUSH RPUSHX SADD SDIFF SDIFFSTORE SET SINTER SINTERSTORE SMISMEMBER SORT SPOP SRANDMEMBER
SREM SSCAN SUNION SUNIONSTORE ZADD ZDIFF ZDIFFSTORE ZINTER ZINTERSTORE ZMSCORE ZPOPMAX ZPOPMIN
ZRANDMEMBER ZRANGE ZRANGEBYLEX ZRANGEBYSCORE ZRANGESTORE ZREM ZREVRANGE ZREVRANGEBYLEX ZREVRANGEBYSCORE
ZSCAN ZUNION ZUNIONSTORE DEL MGET TOUCH UNLINK MSET EVAL EVALSHA`
	for _, name := range strings.Fields(supported) {
		s := Lookup([]byte(name))
		if s == nil {
			t.Errorf("%s is unknown", name)
			continue
		}
		if slices.Contains([]Shape{Refused, Pinned, Everywhere}, s.Shape) {
			t.Errorf("%s is %v", name, s.Shape)
		}
	}
}

// What leaves a state on a connection, or takes it over, must never share one (DESIGN 2.2.8).
func TestStatefulCommandsAreNotForwarded(t *testing.T) {
	const stateful = `SELECT HELLO AUTH RESET MONITOR SYNC PSYNC ASKING CLIENT SUBSCRIBE PSUBSCRIBE SSUBSCRIBE
UNSUBSCRIBE PUNSUBSCRIBE SUNSUBSCRIBE WATCH UNWATCH MULTI EXEC DISCARD BLPOP BRPOP BLMOVE BLMPOP
BRPOPLPUSH BZMPOP BZPOPMAX BZPOPMIN QUIT READONLY READWRITE REPLCONF SHUTDOWN DEBUG`
	for _, name := range strings.Fields(stateful) {
		s := Lookup([]byte(name))
		if s == nil {
			t.Errorf("%s is unknown", name)
			continue
		}
		if !slices.Contains([]Shape{Refused, Pinned, Local}, s.Shape) {
			t.Errorf("%s is %v", name, s.Shape)
		}
	}
}

func TestResolve(t *testing.T) {
	for _, c := range []struct {
		request string
		want    string // "" for none
		shape   Shape
	}{
		{"GET k", "get", OneKey},
		{"OBJECT", "object", Refused},
		{"object ENCODING k", "object|encoding", OneKey},
		{"OBJECT help", "object|help", AnyServer},
		{"OBJECT encodin k", "", 0},
		{"OBJECT encodingg k", "", 0},
		{"MEMORY usage k", "memory|usage", OneKey},
		{"MEMORY DOCTOR", "memory|doctor", Refused},
		{"XINFO STREAM k", "xinfo|stream", OneKey},
		{"XINFO HELP", "xinfo|help", AnyServer},
		{"XGROUP CREATE k g $", "xgroup|create", OneKey},
		{"COMMAND", "command", AnyServer},
		{"COMMAND DOCS get", "command|docs", AnyServer},
		{"SCRIPT LOAD x", "script|load", Everywhere},
		{"XREAD COUNT 2 STREAMS a 0", "xread", SameServer},
		{"XREAD BLOCK 0 STREAMS a 0", "xread", Pinned},
		{"XREAD COUNT 2 block 0 STREAMS a 0", "xread", Pinned},
		{"XREAD STREAMS block 0", "xread", SameServer},
		{"XREADGROUP GROUP block g STREAMS a >", "xreadgroup", SameServer},
		{"XREADGROUP GROUP g block NOACK STREAMS a >", "xreadgroup", SameServer},
		{"XREADGROUP GROUP g c NOACK BLOCK 5 STREAMS a >", "xreadgroup", Pinned},
		{"XREADGROUP GROUP g c LATER 7 BLOCK 5 STREAMS a >", "xreadgroup", Pinned},
		{"XREAD BLOCK", "xread", Pinned},
	} {
		request := strings.Fields(c.request)
		argc, at := accessor(request)
		s := Lookup(at(0)).Resolve(argc, at)
		if s == nil {
			if c.want != "" {
				t.Errorf("%q is unknown", c.request)
			}
			continue
		}
		if s.Name != c.want || s.ShapeOf(argc, at) != c.shape {
			t.Errorf("%q is %s, %v; want %s, %v", c.request, s.Name, s.ShapeOf(argc, at), c.want, c.shape)
		}
	}
}
