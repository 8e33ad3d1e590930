package parity

import (
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/cashew-proxy/cashew/internal/redistest"
)

// forms are requests that twemproxy takes, as patterns: K is a key, V a value, N a small
// number. Keys of one type share a prefix, so that most requests succeed; W is a key of any type.
// What a server answers by chance (SPOP, SRANDMEMBER, HRANDFIELD, ZRANDMEMBER) is asked for all it has
// or of one element.
var forms = strings.FieldsFunc(`SET sK V|SET sK V EX 9999|SET sK V NX|SETNX sK V|SETEX sK 9999 V|PSETEX sK 9999999 V|GET sK|GET sK|GETSET sK V
GETDEL sK|GETEX sK|APPEND sK V|STRLEN sK|GETRANGE sK N N|SETRANGE sK N V|SETBIT bK N 1|GETBIT bK N|BITCOUNT bK|BITPOS bK 1
BITFIELD bK INCRBY u5 N 3|INCR nK|INCRBY nK N|DECR nK|DECRBY nK N|INCRBYFLOAT nK 0.5|SET nK N|DUMP sK|TYPE W|TTL sK|PTTL sK
EXPIRE W 9999|PEXPIRE W 9999999|EXPIREAT W 99999999999|PEXPIREAT W 99999999999999|PERSIST W|EXISTS W|COPY sK sK REPLACE
RESTORE sK 0 V|SORT iK|SORT lK ALPHA|DEL W|DEL W W|DEL W W W W|UNLINK W W|UNLINK W|TOUCH W W W|TOUCH W
MGET sK|MGET sK sK|MGET sK sK W W nK sK sK|MGET W W W W W W W W W W W W|MSET sK V|MSET sK V sK V|MSET sK V sK V sK V nK N nK N
HSET hK V V|HSET hK V V V V|HSETNX hK V V|HMSET hK V V|HGET hK V|HMGET hK V V|HDEL hK V|HEXISTS hK V|HGETALL hK|HKEYS hK|HVALS hK
HLEN hK|HSTRLEN hK V|HINCRBY hK N N|HINCRBYFLOAT hK N 0.5|HSCAN hK 0|LPUSH lK V|RPUSH lK V V V|LPUSHX lK V|RPUSHX lK V|LPOP lK
RPOP lK 2|LLEN lK|LINDEX lK N|LRANGE lK 0 -1|LREM lK N V|LSET lK N V|LTRIM lK 0 9|LINSERT lK BEFORE V V|LPOS lK V|LMOVE lK lK LEFT RIGHT
RPOPLPUSH lK lK|SADD iK N N|SADD iK N|SREM iK N|SCARD iK|SISMEMBER iK N|SMISMEMBER iK N N|SMEMBERS iK|SDIFF iK iK|SDIFFSTORE iK iK iK
SINTER iK iK|SINTERSTORE iK iK iK|SUNION iK iK iK|SUNIONSTORE iK iK iK|SMOVE iK iK N|SPOP iK 9999|SRANDMEMBER iK 9999|SSCAN iK 0
ZADD zK N V|ZADD zK N V N V|ZREM zK V|ZCARD zK|ZCOUNT zK 0 N|ZSCORE zK V|ZMSCORE zK V V|ZRANK zK V|ZREVRANK zK V|ZINCRBY zK N V
ZRANGE zK 0 -1 WITHSCORES|ZREVRANGE zK 0 -1|ZRANGEBYSCORE zK 0 N|ZREVRANGEBYSCORE zK N 0|ZRANGEBYLEX xK - +|ZLEXCOUNT xK - +
ZADD xK 0 V|ZADD xK 0 V 0 V|ZREMRANGEBYLEX xK [V [V|ZREMRANGEBYRANK zK 5 9|ZREMRANGEBYSCORE zK 90 99|ZREVRANGEBYLEX xK + -|ZPOPMIN zK|ZPOPMAX zK
ZUNIONSTORE zK 2 zK zK|ZINTERSTORE zK 2 zK zK|ZDIFFSTORE zK 2 zK zK|ZRANGESTORE zK zK 0 5|ZSCAN zK 0|ZRANDMEMBER zK 9999|PFADD pK V V
PFCOUNT pK|PFCOUNT pK pK|PFMERGE pK pK|GEOADD gK N N V|GEODIST gK V V|GEOHASH gK V|GEOPOS gK V V|GEORADIUS gK N N 500 km ASC
GEORADIUSBYMEMBER gK V 500 km ASC|GEOSEARCH gK FROMLONLAT N N BYRADIUS 500 km ASC|GEOSEARCHSTORE gK gK FROMLONLAT N N BYBOX 900 900 km
EVAL return{KEYS[1],ARGV[1]} 1 sK V|EVAL return(redis.call('SET',KEYS[1],ARGV[1])) 1 sK V|EVALSHA V 1 sK|LPUSH sK V|GET hK|INCR sK
PING|get sK|GeT sK|mget sK sK|SET sK V NONSENSE|LOLWUT`, func(r rune) bool { return r == '|' || r == '\n' })

// randomKey has hash tags, repeated ones, unfinished ones, empty ones and bytes of every kind.
func randomKey(r *rand.Rand) string {
	n := r.IntN(30)
	switch r.IntN(8) {
	case 0:
		return fmt.Sprintf("{t%d}%d", n%4, n)
	case 1:
		return fmt.Sprintf("$x%d$%d", n%4, n)
	case 2:
		return fmt.Sprintf("a%db", n)
	case 3:
		return []string{"{}", "{", "}{", "{}{x}", "$$", "$", "ab", "", "\r\n", "\x00", "\xff\xfe\x80", " "}[n%12]
	case 4:
		return strings.Repeat("long", n*20)
	default:
		return fmt.Sprintf("key:%d", n)
	}
}

func randomRequest(r *rand.Rand) []string {
	args := strings.Split(forms[r.IntN(len(forms))], " ")
	for i, a := range args[1:] {
		switch {
		case a == "V":
			a = []string{"v", "", "value\r\n", "\x00\xff", "w", "x", strings.Repeat("y", r.IntN(200)), fmt.Sprint(r.IntN(50))}[r.IntN(8)]
		case a == "[V":
			a = "[" + string(rune('u'+r.IntN(5)))
		case a == "N":
			a = fmt.Sprint(r.IntN(80))
		case a == "W":
			a = "sbniklhxzpg"[r.IntN(11):][:1] + randomKey(r)
		case len(a) == 2 && a[1] == 'K':
			a = a[:1] + randomKey(r)
		}
		args[i+1] = a
	}
	return args
}

const requestsPerShape = 3000

func TestRandomRequests(t *testing.T) {
	servers := startServers(t, 5)
	for n, s := range shapes {
		t.Run(s.String(), func(t *testing.T) {
			r := rand.New(rand.NewPCG(uint64(n), 42))
			var requests [][]string
			for range requestsPerShape {
				requests = append(requests, randomRequest(r))
			}
			used := servers[:len(s.weights)]
			old := startTwemproxy(t, s, used)
			ours := startCashew(t, s, used)

			want := replies(t, old, requests)
			wantKeys := contents(t, used)
			flush(t, used)
			got := replies(t, ours, requests)
			gotKeys := contents(t, used)
			flush(t, used)

			errors, different := 0, 0
			for i, request := range requests {
				if strings.HasPrefix(want[i], "-") {
					errors++
				}
				if normal(request[0], want[i]) != normal(request[0], got[i]) {
					if different++; different <= 10 {
						t.Errorf("%.200q:\ntwemproxy %.200q\ncashew    %.200q", request, want[i], got[i])
					}
				}
			}
			if errors > requestsPerShape/4 || strings.Count(strings.Join(wantKeys, ""), "$") < 200 {
				t.Errorf("%d errors, keys %.300s: the requests do not do much", errors, wantKeys)
			}
			for i := range used {
				if wantKeys[i] != gotKeys[i] {
					t.Errorf("server %d:\nafter twemproxy %s\nafter cashew    %s", i, wantKeys[i], gotKeys[i])
				}
			}
		})
	}
}

// replies sends all requests in pipelines and returns their replies.
func replies(t *testing.T, addr string, requests [][]string) (all []string) {
	t.Helper()
	c := redistest.Dial(t, addr)
	defer c.Close()
	for batch := range slices.Chunk(requests, 50) {
		var b strings.Builder
		for _, request := range batch {
			b.WriteString(redistest.Request(request...))
		}
		c.Write(b.String())
		for range batch {
			all = append(all, c.Read())
		}
	}
	return all
}

var unsure = regexp.MustCompile(`^:[0-9]{4,}\r\n$`)

// normal makes comparable what time and the servers' hash seeds decide.
func normal(name, reply string) string {
	switch strings.ToUpper(name) {
	case "TTL", "PTTL":
		return unsure.ReplaceAllString(reply, ":much")
	case "HGETALL", "HKEYS", "HVALS", "HSCAN", "SSCAN", "SMEMBERS", "SDIFF", "SINTER", "SUNION", "SPOP", "SRANDMEMBER", "ZRANDMEMBER", "ZSCAN":
		lines := strings.SplitAfter(reply, "\r\n")
		slices.Sort(lines)
		return strings.Join(lines, "")
	}
	return reply
}

// contents is what each server has: the names of its keys and a digest of their values.
func contents(t *testing.T, servers []string) (all []string) {
	t.Helper()
	for _, s := range servers {
		c := redistest.Dial(t, s)
		keys := strings.SplitAfter(c.Do("KEYS", "*"), "\r\n")
		slices.Sort(keys)
		digest := c.Do("DEBUG", "DIGEST")
		if strings.HasPrefix(digest, "-") {
			t.Fatal(digest)
		}
		all = append(all, fmt.Sprintf("%q %q", digest, keys))
		c.Close()
	}
	return all
}

func flush(t *testing.T, servers []string) {
	t.Helper()
	for _, s := range servers {
		c := redistest.Dial(t, s)
		if got := c.Do("FLUSHALL"); got != "+OK\r\n" {
			t.Fatal(got)
		}
		c.Close()
	}
}
