package sim

import (
	"encoding/binary"
	"hash/fnv"
	"strconv"
	"strings"
)

// memcached is the dialect of memcached, text and meta.
//
// What its requests do and how they are answered follows memcached 1.6.18, with which the tests compare
// it. An item's unique number is made from its contents, so that it can be foreseen: it is another one
// whenever the value is.
type memcached struct{}

const nonNumeric = "CLIENT_ERROR cannot increment or decrement non-numeric value\r\n"

// item is what is stored. Time does not pass for items, but a negative one is over at once.
func item(data, flags, exptime string) value {
	return value{kind: text, text: data, flags: flags}.touched(exptime)
}

// touched returns the item with another time to live.
func (v value) touched(exptime string) value {
	switch {
	case v.kind == absent || exptime[0] == '-':
		return value{}
	case exptime == "0":
		exptime = "-1"
	}
	v.ttl = exptime
	return v
}

func unique(key string, v value) uint64 {
	h := fnv.New64a()
	for _, s := range []string{key, v.flags, v.text[:min(len(v.text), 64)], v.text[max(len(v.text)-16, 0):]} {
		_, _ = h.Write([]byte(s))
	}
	_, _ = h.Write(binary.AppendVarint(nil, int64(len(v.text))))
	return h.Sum64()
}

func (memcached) exec(_ bool, name string, v value, args []string, dst []byte) ([]byte, value) {
	line := ""
	switch name {
	case "set", "add", "replace", "append", "prepend", "cas":
		line, v = store(name, v, args)
	case "delete":
		if line = "NOT_FOUND"; v.kind != absent {
			line, v = "DELETED", value{}
		}
	case "touch":
		if line = "NOT_FOUND"; v.kind != absent {
			line, v = "TOUCHED", v.touched(args[2])
		}
	case "incr", "decr":
		if line = "NOT_FOUND"; v.kind == absent {
			break
		}
		n, after, ok := count64(v, name == "incr", args[2])
		if !ok {
			return append(dst, nonNumeric...), v
		}
		line, v = n, after
	case "mg":
		return metaGet(v, args, dst)
	case "ms":
		return metaSet(v, args, dst)
	case "md":
		code := metaMatch(v, args)
		if code == "HD" {
			v = value{}
		}
		return appendMeta(dst, code, args, value{}), v
	case "ma":
		return metaArithmetic(v, args, dst)
	case "me":
		if line = "EN"; v.kind != absent {
			line = "ME " + args[1] + " size=" + itoa(len(v.text))
		}
	default:
		panic("sim: no such command: " + name)
	}
	return append(append(dst, line...), "\r\n"...), v
}

// store is a storage command in text.
func store(name string, v value, args []string) (reply string, after value) {
	data := args[len(args)-1]
	there := v.kind != absent
	switch {
	case name == "cas" && !there:
		return "NOT_FOUND", v
	case name == "cas" && args[5] != strconv.FormatUint(unique(args[1], v), 10):
		return "EXISTS", v
	case name == "add" && there, (name == "replace" || name == "append" || name == "prepend") && !there:
		return "NOT_STORED", v
	case name == "append" || name == "prepend":
		return "STORED", v.joined(data, name == "append")
	}
	return "STORED", item(data, args[2], args[3])
}

// joined returns the item with data behind it or before it. These servers forget what becomes too long.
func (v value) joined(data string, behind bool) value {
	switch {
	case len(v.text)+len(data) > longestText:
		v.text = data
	case behind:
		v.text += data
	default:
		v.text = data + v.text
	}
	return v
}

// count64 adds to or subtracts from a counter. An item that holds more digits keeps its length.
func count64(v value, up bool, by string) (n string, after value, ok bool) {
	digits, _, _ := strings.Cut(strings.TrimLeft(v.text, " "), " ")
	now, err := strconv.ParseUint(digits, 10, 64)
	if err != nil || len(v.text) > 20 {
		return "", v, false
	}
	delta, err := strconv.ParseUint(by, 10, 64)
	switch {
	case err != nil:
		return "", v, false
	case up:
		now += delta
	default:
		now -= min(now, delta)
	}
	n = strconv.FormatUint(now, 10)
	v.text = n + strings.Repeat(" ", max(len(v.text)-len(n), 0))
	return n, v, true
}

// appendMeta appends a reply's line and its flags: those that are echoed, and those of the item unless
// it is absent.
func appendMeta(dst []byte, code string, args []string, v value) []byte {
	dst = append(dst, code...)
	flags := metaFlags(args)
	for _, f := range flags {
		s := ""
		switch f[0] {
		case 'O':
			s = f
		case 'k':
			s = "k" + args[1]
			if _, ok := flagOf(flags, 'b'); ok {
				s += " b"
			}
		case 'T': // flags take effect in their order
			v = v.touched(f[1:])
			continue
		case 'f', 's', 't', 'c':
			if v.kind == absent {
				continue
			}
			switch f[0] {
			case 'f':
				s = "f" + v.flags
			case 's':
				s = "s" + itoa(len(v.text))
			case 't':
				s = "t" + v.ttl
			case 'c':
				s = "c" + strconv.FormatUint(unique(plainKey(args[1], flags), v), 10)
			}
		default:
			continue
		}
		dst = append(append(dst, ' '), s...)
	}
	return append(dst, "\r\n"...)
}

// appendHit appends the reply that has the item, with its value or without.
func appendHit(dst []byte, args []string, v value) []byte {
	if _, ok := flagOf(metaFlags(args), 'v'); !ok {
		return appendMeta(dst, "HD", args, v)
	}
	dst = appendMeta(dst, "VA "+itoa(len(v.text)), args, v)
	return append(append(dst, v.text...), "\r\n"...)
}

func metaGet(v value, args []string, dst []byte) ([]byte, value) {
	if v.kind == absent {
		return appendMeta(dst, "EN", args, v), v
	}
	after := v
	if ttl, ok := flagOf(metaFlags(args), 'T'); ok {
		after = v.touched(ttl)
	}
	return appendHit(dst, args, v), after
}

// metaMatch compares the item with the unique number that a request names.
func metaMatch(v value, args []string) (code string) {
	flags := metaFlags(args)
	c, ok := flagOf(flags, 'C')
	switch {
	case v.kind == absent:
		return "NF"
	case ok && c != strconv.FormatUint(unique(plainKey(args[1], flags), v), 10):
		return "EX"
	}
	return "HD"
}

func metaSet(v value, args []string, dst []byte) ([]byte, value) {
	flags, data := metaFlags(args), args[len(args)-1]
	mode, _ := flagOf(flags, 'M')
	_, compares := flagOf(flags, 'C')
	there := v.kind != absent
	code := "HD"
	switch {
	case compares:
		code = metaMatch(v, args)
	case mode == "E" && there, (mode == "R" || mode == "A" || mode == "P") && !there:
		code = "NS"
	}
	switch {
	case code != "HD":
	case mode == "A" || mode == "P":
		v = v.joined(data, mode == "A")
	default:
		f, ok := flagOf(flags, 'F')
		if !ok {
			f = "0"
		}
		ttl, ok := flagOf(flags, 'T')
		if !ok {
			ttl = "0"
		}
		v = item(data, f, ttl)
	}
	return appendMeta(dst, code, args, value{}), v
}

func metaArithmetic(v value, args []string, dst []byte) ([]byte, value) {
	flags := metaFlags(args)
	if v.kind == absent {
		if _, ok := flagOf(flags, 'N'); !ok {
			return appendMeta(dst, "NF", args, v), v
		}
		return createCounter(args, dst)
	}
	if code := metaMatch(v, args); code != "HD" {
		return appendMeta(dst, code, args, value{}), v
	}
	by, ok := flagOf(flags, 'D')
	if !ok {
		by = "1"
	}
	mode, _ := flagOf(flags, 'M')
	n, after, ok := count64(v, mode != "D", by)
	if !ok {
		return append(dst, nonNumeric...), v
	}
	shown := after
	shown.text = n // the padding is not
	if ttl, ok := flagOf(flags, 'T'); ok {
		after = after.touched(ttl)
	}
	return appendHit(dst, args, shown), after
}

// createCounter is a ma that makes the item it does not find; N then says how long it lives.
func createCounter(args []string, dst []byte) ([]byte, value) {
	initial, ok := flagOf(metaFlags(args), 'J')
	if !ok {
		initial = "0"
	}
	v := item(initial, "0", "0")
	after := v
	args = append([]string(nil), args...)
	for i, f := range args[2:] {
		if f[0] == 'N' {
			args[2+i] = "T" + f[1:]
		}
		if f[0] == 'N' || f[0] == 'T' {
			after = after.touched(f[1:])
		}
	}
	return appendHit(dst, args, v), after
}

// appendBlock appends what get says of a key, nothing if the item is absent.
func appendBlock(dst []byte, key string, v value, withUnique bool) []byte {
	if v.kind == absent {
		return dst
	}
	dst = append(append(dst, "VALUE "...), key...)
	dst = append(append(dst, ' '), v.flags...)
	dst = append(append(dst, ' '), itoa(len(v.text))...)
	if withUnique {
		dst = strconv.AppendUint(append(dst, ' '), unique(key, v), 10)
	}
	dst = append(append(dst, "\r\n"...), v.text...)
	return append(dst, "\r\n"...)
}
