package downstream

import (
	"bytes"
	"crypto/subtle"
	"strings"

	"github.com/cashew-proxy/cashew/internal/resp"
	"github.com/cashew-proxy/cashew/internal/stats"
)

// hello answers HELLO [version [AUTH user password] [SETNAME name]]: it says what the proxy is, and chooses the
// protocol for what follows. Texts are Redis' own; some libraries go by them.
func (s *Session) hello(r *request) {
	d := s.desk
	to := s.lane
	if len(r.args) > 1 {
		switch string(r.arg(1)) {
		case "2":
			to.RESP3 = false
		case "3":
			to.RESP3 = true
		default:
			s.answerLocally(append(d.scratch[:0], protocolVersionError(r.arg(1))...))
			return
		}
	}
	authed, name, reply := s.authed, s.name, ""
	for i := 2; i < len(r.args) && reply == ""; {
		option, left := r.arg(i), len(r.args)-i-1
		switch {
		case bytes.EqualFold(option, []byte("auth")) && left >= 2:
			if authed = s.mayPass(r.arg(i+1), r.arg(i+2)); !authed {
				reply = wrongPassword
			}
			i += 3
		case bytes.EqualFold(option, []byte("setname")) && left >= 1:
			if reply = wrongName(r.arg(i + 1)); reply == "" {
				name = string(r.arg(i + 1))
			}
			i += 2
		default:
			reply = "-ERR Syntax error in HELLO option '" + printableText(option) + "'\r\n"
		}
	}
	switch {
	case reply != "":
	case !authed:
		reply = helloNeedsAuth
	case to.RESP3 && d.Owner.LacksRESP3(s.Pool):
		reply = "-NOPROTO unsupported protocol version\r\n"
	}
	if reply == "" && !s.changeLane(to) {
		reply = tooManyLanes
	}
	if reply != "" {
		if !authed {
			s.counters.Inc(stats.Unauthenticated)
		}
		s.answerLocally(append(d.scratch[:0], reply...))
		return
	}
	s.setAuthed(true)
	s.note(&s.name, name)
	s.answerLocally(s.appendHello(d.scratch[:0], to.RESP3))
}

const (
	wrongPassword  = "-WRONGPASS invalid username-password pair or user is disabled.\r\n"
	badName        = "-ERR Client names cannot contain spaces, newlines or special characters.\r\n"
	longName       = "-ERR Client names cannot be longer than 1024 bytes.\r\n"
	helloNeedsAuth = "-NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO <proto> AUTH <user> <pass> " +
		"option can be used to authenticate the client and select the RESP protocol version at the same time\r\n"
)

func protocolVersionError(version []byte) string {
	if _, ok := integer(version); ok {
		return "-NOPROTO unsupported protocol version\r\n"
	}
	return "-ERR Protocol version is not an integer or out of range\r\n"
}

// mayPass says whether a client may use the pool as a user with a password. Without a password in the pool the
// default user needs none and may give any, as in Redis.
func (s *Session) mayPass(user, password []byte) bool {
	want := s.Pool.User
	if want == "" {
		want = "default"
	}
	if string(user) != want {
		return false
	}
	return s.Pool.Auth == "" || subtle.ConstantTimeCompare(password, []byte(s.Pool.Auth)) == 1
}

// wrongName is the error for a name that no client may have.
func wrongName(name []byte) string {
	switch {
	case len(name) > longestName:
		return longName
	case !printableName(name):
		return badName
	}
	return ""
}

// printableName says whether a client may be called so: what is shown in lists must not look like their ends.
func printableName(name []byte) bool {
	return bytes.IndexFunc(name, func(c rune) bool { return c < '!' || c > '~' }) < 0
}

// printableText is what an error may repeat of a request.
func printableText(b []byte) string {
	if len(b) > 128 {
		b = b[:128]
	}
	return strings.Map(func(c rune) rune {
		if c == '\r' || c == '\n' {
			return ' '
		}
		return c
	}, string(b))
}

// appendHello appends the answer to HELLO: what Redis says of itself, of the servers behind the proxy.
func (s *Session) appendHello(dst []byte, resp3 bool) []byte {
	version := int64(2)
	if resp3 {
		version = 3
	}
	dst = resp.AppendMap(dst, 7, resp3)
	dst = appendPair(dst, "server", "redis")
	dst = appendPair(dst, "version", s.Pool.ServerVersion())
	dst = resp.AppendInt(resp.AppendBulkString(dst, "proto"), version)
	dst = resp.AppendInt(resp.AppendBulkString(dst, "id"), int64(s.Number))
	dst = appendPair(dst, "mode", "standalone")
	dst = appendPair(dst, "role", "master")
	return resp.AppendArray(resp.AppendBulkString(dst, "modules"), 0)
}

func appendPair(dst []byte, name, value string) []byte {
	return resp.AppendBulkString(resp.AppendBulkString(dst, name), value)
}
