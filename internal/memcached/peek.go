package memcached

import "bytes"

// Peek returns the command's name and its first key, if it has one, at the front of b, which begins a request but need not
// hold all of it: the last word may be cut short. It is for people who look at requests, not for serving them.
func Peek(b []byte) (name, key []byte) {
	line, _, _ := bytes.Cut(b, []byte("\n"))
	name, line = word(line)
	op, _ := lookup(name)
	for i := 1; i <= shapes[op].key; i++ {
		key, line = word(line)
	}
	return name, key
}

// word cuts the first word off a line.
func word(line []byte) (first, rest []byte) {
	line = bytes.TrimLeft(line, " \r")
	if i := bytes.IndexAny(line, " \r"); i >= 0 {
		return line[:i], line[i:]
	}
	return line, nil
}
