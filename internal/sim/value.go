package sim

import "strconv"

type kind uint8

const (
	absent kind = iota
	text
	list
	hash
	set
	sorted
)

// value is what a key holds. Values are immutable.
type value struct {
	kind kind
	text string
	list []string // a list, newest first; names and values of a hash or a sorted set; members of a set

	// Of a memcached: as they stand in requests and replies.
	flags, ttl string
}

func (v value) equal(u value) bool {
	if v.kind != u.kind || v.text != u.text || v.flags != u.flags || v.ttl != u.ttl || len(v.list) != len(u.list) {
		return false
	}
	for i := range v.list {
		if v.list[i] != u.list[i] {
			return false
		}
	}
	return true
}

// Values do not grow without bound: these servers forget the beginning.
const (
	longestText = 64 << 10
	longestList = 24
)

const (
	wrongType  = "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n"
	notInteger = "-ERR value is not an integer or out of range\r\n"
)

// null says that there is nothing.
func null(resp3 bool) string {
	if resp3 {
		return "_\r\n"
	}
	return "$-1\r\n"
}

// exec runs a command with one key on what the key holds, appends its reply to dst and returns what
// the key holds afterwards. name is in capitals.
func exec(resp3 bool, name string, v value, args []string, dst []byte) ([]byte, value) {
	switch name {
	case "SET":
		return append(dst, "+OK\r\n"...), value{kind: text, text: args[2]}
	case "SETNX":
		if v.kind != absent {
			return appendInteger(dst, 0), v
		}
		return appendInteger(dst, 1), value{kind: text, text: args[2]}
	case "LPUSH", "LRANGE":
		return execList(name, v, args, dst)
	case "HSET", "HGETALL", "SADD", "SMEMBERS", "ZADD", "ZSCORE":
		return execTyped(resp3, name, v, args, dst)
	}
	if v.kind > text {
		return append(dst, wrongType...), v
	}
	switch name {
	case "GET":
		return appendText(dst, v, resp3), v
	case "GETDEL":
		return appendText(dst, v, resp3), value{}
	case "STRLEN":
		return appendInteger(dst, int64(len(v.text))), v
	case "APPEND":
		joined := v.text + args[2]
		if len(joined) > longestText {
			joined = args[2]
		}
		return appendInteger(dst, int64(len(joined))), value{kind: text, text: joined}
	case "INCR":
		n, err := strconv.ParseInt(v.text, 10, 64)
		if err != nil && v.kind != absent {
			return append(dst, notInteger...), v
		}
		n++
		return appendInteger(dst, n), value{kind: text, text: strconv.FormatInt(n, 10)}
	}
	panic("sim: no such command: " + name)
}

func execList(name string, v value, args []string, dst []byte) ([]byte, value) {
	if v.kind != absent && v.kind != list {
		return append(dst, wrongType...), v
	}
	if name == "LRANGE" {
		dst = append(dst, '*')
		dst = strconv.AppendInt(dst, int64(len(v.list)), 10)
		dst = append(dst, "\r\n"...)
		for _, s := range v.list {
			dst = appendBulk(dst, s)
		}
		return dst, v
	}
	longer := append([]string{args[2]}, v.list[:min(len(v.list), longestList-1)]...)
	return appendInteger(dst, int64(len(longer))), value{kind: list, list: longer}
}

// appendText appends what GET and MGET answer; MGET says nil for a list.
func appendText(dst []byte, v value, resp3 bool) []byte {
	if v.kind != text {
		return append(dst, null(resp3)...)
	}
	return appendBulk(dst, v.text)
}

// appendEval appends what these servers answer to EVAL: all of its arguments, nested.
func appendEval(dst []byte, args []string, resp3 bool) []byte {
	dst = append(dst, "*4\r\n"...)
	dst = appendBulk(dst, args[1])
	dst = append(dst, '*')
	dst = strconv.AppendInt(dst, int64(len(args)-3), 10)
	dst = append(dst, "\r\n"...)
	for _, a := range args[3:] {
		dst = appendBulk(dst, a)
	}
	dst = append(dst, "*3\r\n"...)
	dst = appendInteger(dst, int64(-len(args)))
	if resp3 {
		return append(dst, "%3\r\n$1\r\na\r\n#t\r\n,-1.5e-3\r\n_\r\n(123456789012345678901234567890\r\n~3\r\n#f\r\n=7\r\ntxt:a\r\n\r\n!5\r\nERR a\r\n_\r\n+done\r\n"...)
	}
	return append(dst, "*2\r\n*-1\r\n*0\r\n$-1\r\n+done\r\n"...)
}

// commandReply is what these servers answer to COMMAND.
const commandReply = "*1\r\n*4\r\n$3\r\nget\r\n:2\r\n*1\r\n+readonly\r\n:1\r\n"
