package sim

import (
	"slices"
	"strconv"
)

// kindOf is what a command's key must hold.
func kindOf(name string) kind {
	switch name[0] {
	case 'H':
		return hash
	case 'S':
		return set
	}
	return sorted
}

// execTyped runs the commands whose replies RESP3 has types for.
func execTyped(resp3 bool, name string, v value, args []string, dst []byte) ([]byte, value) {
	if v.kind != absent && v.kind != kindOf(name) {
		return append(dst, wrongType...), v
	}
	switch name {
	case "HGETALL":
		dst = appendMap(dst, len(v.list)/2, resp3)
		for _, s := range v.list {
			dst = appendBulk(dst, s)
		}
		return dst, v
	case "SMEMBERS":
		dst = append(dst, "*~"[btoi(resp3)])
		dst = append(strconv.AppendInt(dst, int64(len(v.list)), 10), "\r\n"...)
		for _, s := range v.list {
			dst = appendBulk(dst, s)
		}
		return dst, v
	case "ZSCORE":
		for i := 0; i < len(v.list); i += 2 {
			switch score := v.list[i+1]; {
			case v.list[i] != args[2]:
			case resp3:
				return append(dst, ","+score+"\r\n"...), v
			default:
				return appendBulk(dst, score), v
			}
		}
		return append(dst, null(resp3)...), v
	case "SADD":
		if slices.Contains(v.list, args[2]) {
			return appendInteger(dst, 0), v
		}
		return appendInteger(dst, 1), value{kind: set, list: append(slices.Clone(v.list), args[2])}
	case "ZADD":
		return put(v, sorted, args[3], args[2], dst)
	}
	return put(v, hash, args[2], args[3], dst)
}

// put gives a name in a hash or a sorted set a value, and appends how many names are new.
func put(v value, k kind, name, to string, dst []byte) ([]byte, value) {
	after := value{kind: k, list: slices.Clone(v.list)}
	for i := 0; i < len(after.list); i += 2 {
		if after.list[i] == name {
			after.list[i+1] = to
			return appendInteger(dst, 0), after
		}
	}
	after.list = append(after.list, name, to)
	return appendInteger(dst, 1), after
}

// appendMap appends the header of n pairs.
func appendMap(dst []byte, n int, resp3 bool) []byte {
	if resp3 {
		dst = append(dst, '%')
	} else {
		dst, n = append(dst, '*'), 2*n
	}
	return append(strconv.AppendInt(dst, int64(n), 10), "\r\n"...)
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}
