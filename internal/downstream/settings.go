package downstream

import (
	"bytes"
	"strconv"
	"strings"
	"time"

	"github.com/cashew-proxy/cashew/internal/resp"
	"github.com/cashew-proxy/cashew/internal/topology"
)

// parameters are what CONFIG GET knows: what libraries and tools ask for when they start. The values are what
// is true of the proxy, which keeps nothing, or of Redis as it comes where the servers decide.
var parameters = []struct {
	name  string
	value func(*Session) string
}{
	{"appendfsync", constant("everysec")},
	{"appendonly", constant("no")},
	{"client-output-buffer-limit", func(s *Session) string {
		return "normal " + strconv.FormatInt(s.Pool.ClientOutput, 10) + " 0 0 slave 0 0 0 pubsub 0 0 0"
	}},
	{"cluster-enabled", constant("no")},
	{"databases", func(s *Session) string { return strconv.Itoa(s.Pool.Databases) }},
	{"maxclients", func(s *Session) string { return strconv.Itoa(s.maxClients()) }},
	{"maxmemory", func(s *Session) string { return strconv.FormatInt(s.desk.MemoryLimit, 10) }},
	{"maxmemory-policy", constant("noeviction")},
	{"notify-keyspace-events", constant("")},
	{"port", func(s *Session) string { return tcpPort(s.Pool.Listen) }},
	{"proto-max-bulk-len", func(s *Session) string { return strconv.FormatInt(s.Pool.RequestBytes, 10) }},
	{"replica-read-only", constant("yes")},
	{"save", constant("")},
	{"slave-read-only", constant("yes")},
	{"tcp-keepalive", func(s *Session) string {
		if s.Pool.ClientKeepAlive {
			return "300"
		}
		return "0"
	}},
	{"timeout", func(s *Session) string {
		return strconv.FormatInt(int64((s.Pool.ClientIdleTimeout+time.Second-1)/time.Second), 10)
	}},
}

func constant(value string) func(*Session) string { return func(*Session) string { return value } }

// maxClients is how many clients the pool takes: what bounds them is set for it, or for all pools by what open files
// there are. Nothing does in a system without such limits; then it is what Redis comes with.
func (s *Session) maxClients() int {
	pool, all := s.Pool.ClientConnections, s.desk.ClientLimit
	switch {
	case pool > 0 && all > 0:
		return min(pool, all)
	case pool+all > 0:
		return pool + all
	}
	return 10000
}

// tcpPort is the port that a pool listens on, as the configuration has it, and 0 for a unix socket.
func tcpPort(l topology.Listen) string {
	if l.Network != "tcp" {
		return "0"
	}
	return l.Address[strings.LastIndexByte(l.Address, ':')+1:]
}

// configGet answers CONFIG GET pattern …. As in Redis a name is answered as it was asked for, and each once.
func (s *Session) configGet(r *request) {
	var pairs []byte
	n := 0
	for _, p := range parameters {
		name := ""
		for i := 2; i < len(r.args) && name == ""; i++ {
			switch pattern := r.arg(i); {
			case bytes.EqualFold(pattern, []byte(p.name)):
				name = string(pattern)
			case bytes.ContainsAny(pattern, "*?[") && matches(bytes.ToLower(pattern), p.name):
				name = p.name
			}
		}
		if name != "" {
			n++
			pairs = appendPair(pairs, name, p.value(s))
		}
	}
	s.answerLocally(append(resp.AppendMap(s.desk.scratch[:0], n, s.lane.RESP3), pairs...))
}

// matches says whether a name fits a pattern of Redis: *, ?, [a-c], [^x] and \ before what is meant literally.
// It takes no longer than the product of the lengths: only the last * is tried again.
func matches(pattern []byte, name string) bool {
	var star []byte // what follows the last *
	retry := 0      // where in the name it is tried next
	at := 0
	for at < len(name) || len(pattern) > 0 {
		if len(pattern) > 0 && pattern[0] == '*' {
			pattern = pattern[1:]
			star, retry = pattern, at
			if len(pattern) == 0 {
				return true
			}
			continue
		}
		if at < len(name) {
			if rest, ok := matchOne(pattern, name[at]); ok {
				pattern = rest
				at++
				continue
			}
		}
		if star == nil || retry >= len(name) {
			return false
		}
		retry++
		pattern, at = star, retry
	}
	return true
}

// matchOne matches one character, and returns what is left of the pattern.
func matchOne(pattern []byte, c byte) (rest []byte, ok bool) {
	if len(pattern) == 0 {
		return nil, false
	}
	switch pattern[0] {
	case '?':
		return pattern[1:], true
	case '[':
		return matchClass(pattern[1:], c)
	case '\\':
		if len(pattern) > 1 {
			pattern = pattern[1:]
		}
	}
	return pattern[1:], pattern[0] == c
}

// matchClass matches what stands in brackets, of which the first is gone. A class without an end is one to the
// end of the pattern.
func matchClass(pattern []byte, c byte) (rest []byte, ok bool) {
	not := len(pattern) > 0 && pattern[0] == '^'
	if not {
		pattern = pattern[1:]
	}
	for len(pattern) > 0 && pattern[0] != ']' {
		switch {
		case pattern[0] == '\\' && len(pattern) > 1:
			ok = ok || pattern[1] == c
			pattern = pattern[2:]
		case len(pattern) > 2 && pattern[1] == '-':
			low, high := min(pattern[0], pattern[2]), max(pattern[0], pattern[2])
			ok = ok || low <= c && c <= high
			pattern = pattern[3:]
		default:
			ok = ok || pattern[0] == c
			pattern = pattern[1:]
		}
	}
	if len(pattern) > 0 {
		pattern = pattern[1:]
	}
	return pattern, ok != not
}

const configHelp = `
CONFIG <subcommand> [<arg> [value] [opt] ...]. Subcommands are:
GET <pattern>
    Return parameters matching the glob-like <pattern> and their values.
HELP
    Prints this help.
`

const aclHelp = `
ACL <subcommand> [<arg> [value] [opt] ...]. Subcommands are:
WHOAMI
    Return the current connection username.
HELP
    Prints this help.
`
