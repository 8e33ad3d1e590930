package main

import (
	"bytes"
	"fmt"
	"math"
)

// The protocols.
const (
	redis     = "redis"
	memcached = "memcached"
)

// digits is how many digits follow the prefix of a key.
const digits = 12

// appendKey appends the i-th key of a keyspace.
func (k keyspace) appendKey(b []byte, i int) []byte {
	b = append(b, k.prefix...)
	return appendDigits(b, i)
}

func appendDigits(b []byte, i int) []byte {
	b = append(b, "000000000000"...)
	for at := len(b) - 1; i > 0; at-- {
		b[at] = byte('0' + i%10)
		i /= 10
	}
	return b
}

// appendValue appends the value of the i-th key, which no other key has: who gets another's reply is
// found out.
func (k keyspace) appendValue(b []byte, i int) []byte {
	end := len(b) + k.valueSize
	b = appendDigits(b, i)
	for len(b) < end {
		b = append(b, filler[:min(len(filler), end-len(b))]...)
	}
	return b
}

var filler = bytes.Repeat([]byte("x"), 4096)

// number reads digits; it returns -1 if they are none, or more than any key or length here has.
func number(b []byte) int {
	n := 0
	for _, c := range b {
		if c-'0' > 9 || n > math.MaxInt32 {
			return -1
		}
		n = n*10 + int(c-'0')
	}
	return n
}

// wire is one kind of request in one protocol, over one keyspace.
type wire struct {
	request func(b []byte, keys []int) []byte
	// size is the length of the right reply, which is the same for all keys.
	size int
	// right judges a reply of that size.
	right func(reply []byte, keys []int) bool
	// end finds the end of a reply, right or wrong; 0 if it is not there yet.
	end func(b []byte) (int, error)
}

// newWire returns the requests that a verb stands for: GET or SET, with more than one key at a time only
// in memcached's GET.
func newWire(protocol, verb string, k keyspace, keys int) (*wire, error) {
	if k.valueSize < digits || k.keys < 1 || keys < 1 {
		return nil, fmt.Errorf("values have at least %d bytes, and there is at least one key", digits)
	}
	switch {
	case protocol == redis && verb == "get" && keys == 1:
		return respGet(k), nil
	case protocol == redis && verb == "set" && keys == 1:
		return respSet(k), nil
	case protocol == memcached && verb == "get":
		return textGet(k, keys), nil
	case protocol == memcached && verb == "set" && keys == 1:
		return textSet(k), nil
	}
	return nil, fmt.Errorf("%s with %d keys in the protocol of %s is not known here", verb, keys, protocol)
}

// exactly returns a judge of replies that are the same as one that is made for the key.
func exactly(make func(b []byte, i int) []byte) func(reply []byte, keys []int) bool {
	var want []byte
	return func(reply []byte, keys []int) bool {
		want = make(want[:0], keys[0])
		return bytes.Equal(reply, want)
	}
}

func respGet(k keyspace) *wire {
	head := fmt.Appendf(nil, "*2\r\n$3\r\nGET\r\n$%d\r\n", len(k.prefix)+digits)
	length := fmt.Appendf(nil, "$%d\r\n", k.valueSize)
	reply := func(b []byte, i int) []byte {
		b = append(b, length...)
		return append(k.appendValue(b, i), "\r\n"...)
	}
	return &wire{
		request: func(b []byte, keys []int) []byte {
			return append(k.appendKey(append(b, head...), keys[0]), "\r\n"...)
		},
		size: len(reply(nil, 0)), right: exactly(reply), end: respEnd,
	}
}

func respSet(k keyspace) *wire {
	head := fmt.Appendf(nil, "*3\r\n$3\r\nSET\r\n$%d\r\n", len(k.prefix)+digits)
	length := fmt.Appendf(nil, "\r\n$%d\r\n", k.valueSize)
	reply := func(b []byte, _ int) []byte { return append(b, "+OK\r\n"...) }
	return &wire{
		request: func(b []byte, keys []int) []byte {
			b = k.appendKey(append(b, head...), keys[0])
			return append(k.appendValue(append(b, length...), keys[0]), "\r\n"...)
		},
		size: len(reply(nil, 0)), right: exactly(reply), end: respEnd,
	}
}

func textSet(k keyspace) *wire {
	tail := fmt.Appendf(nil, " 0 0 %d\r\n", k.valueSize)
	reply := func(b []byte, _ int) []byte { return append(b, "STORED\r\n"...) }
	return &wire{
		request: func(b []byte, keys []int) []byte {
			b = append(k.appendKey(append(b, "set "...), keys[0]), tail...)
			return append(k.appendValue(b, keys[0]), "\r\n"...)
		},
		size: len(reply(nil, 0)), right: exactly(reply), end: textEnd,
	}
}

const lastLine = "END\r\n"

// textGet: a proxy may give the values in another order than the keys, so they are taken as they come,
// and all of them together have to be those that were asked for.
func textGet(k keyspace, most int) *wire {
	tail := fmt.Appendf(nil, " 0 %d\r\n", k.valueSize)
	appendBlock := func(b []byte, i int) []byte {
		b = append(k.appendKey(append(b, "VALUE "...), i), tail...)
		return append(k.appendValue(b, i), "\r\n"...)
	}
	want := appendBlock(nil, 0)
	size := len(want)
	first := len("VALUE ") + len(k.prefix)
	return &wire{
		request: func(b []byte, keys []int) []byte {
			b = append(b, "get"...)
			for _, i := range keys {
				b = k.appendKey(append(b, ' '), i)
			}
			return append(b, "\r\n"...)
		},
		size: most*size + len(lastLine),
		right: func(reply []byte, keys []int) bool {
			var asked, got uint64
			for _, i := range keys {
				asked += scatter(i)
				i = number(reply[first : first+digits])
				if i < 0 {
					return false
				}
				got += scatter(i)
				if want = appendBlock(want[:0], i); !bytes.Equal(reply[:size], want) {
					return false
				}
				reply = reply[size:]
			}
			return asked == got && string(reply) == lastLine
		},
		end: textEnd,
	}
}

// scatter makes a number of a key of which sums are the same for the same keys, and hardly for others.
func scatter(i int) uint64 {
	x := (uint64(i) + 1) * 0x9e3779b97f4a7c15
	x ^= x >> 29
	return x * 0xbf58476d1ce4e5b9
}

// textEnd finds the end of a reply of memcached: a line, or values and a line.
func textEnd(b []byte) (int, error) {
	n := 0
	for {
		i := bytes.IndexByte(b[n:], '\n')
		if i < 0 {
			return 0, nil
		}
		line := bytes.TrimSuffix(b[n:n+i], []byte("\r"))
		n += i + 1
		fields, isValue := bytes.CutPrefix(line, []byte("VALUE "))
		if !isValue && len(line) > 0 {
			return n, nil
		}
		_, fields, _ = bytes.Cut(fields, []byte(" ")) // the key
		_, length, _ := bytes.Cut(fields, []byte(" "))
		size := number(length)
		if len(length) == 0 || size < 0 {
			return 0, fmt.Errorf("%.100q is no reply", b)
		}
		if n += size + 2; n >= len(b) {
			return 0, nil
		}
	}
}

// respEnd finds the end of a reply of Redis that is a line or a bulk string.
func respEnd(b []byte) (int, error) {
	i := bytes.IndexByte(b, '\n')
	if i < 0 {
		return 0, nil
	}
	n := i + 1
	switch b[0] {
	case '+', '-', ':':
		return n, nil
	case '$':
		length := bytes.TrimSuffix(b[1:i], []byte("\r"))
		if string(length) == "-1" {
			return n, nil
		}
		size := number(length)
		if len(length) == 0 || size < 0 {
			break
		}
		n += size + 2
		if n > len(b) {
			return 0, nil
		}
		return n, nil
	}
	return 0, fmt.Errorf("%.100q is no reply", b)
}
