package memcached

import "bytes"

// Bounds of what Short recognizes, in bytes.
const (
	shortLine = 40  // a line, CRLF left out
	shortData = 999 // a data block
)

// Short returns the length on the wire of the reply at the beginning of b if it is one of the usual
// short ones and all of it is there: a line of at most 40 bytes, or one VALUE with END behind it or a
// VA with at most 999 bytes of data. Else it returns 0, which says nothing about the reply.
func Short(b []byte) int {
	if len(b) < 3 {
		return 0
	}
	if b[0] == 'V' {
		switch {
		case b[1] == 'A' && b[2] == 'L':
			_, n := Value(b)
			if n = shortBlock(b, n); n == 0 || len(b) < n+5 || string(b[n:n+5]) != "END\r\n" {
				return 0
			}
			return n + 5
		case b[1] == 'A' && b[2] == ' ':
			return shortMeta(b)
		}
	}
	if len(b) >= 5 && string(b[:5]) == "END\r\n" {
		return 5
	}
	word := 0
	for i := range min(len(b)-1, shortLine+1) {
		c := b[i]
		if c > ' ' {
			continue
		}
		if word == 0 {
			word = i
		}
		if c == '\r' && b[i+1] == '\n' {
			switch classify(b[:word]) {
			case bare, endLine:
				if word == i {
					return i + 2
				}
			case wordy, failure:
				return i + 2
			}
			return 0
		}
		if c != ' ' {
			return 0
		}
	}
	return 0
}

// ShortValue returns the length on the wire of the VALUE block at the beginning of b if it is the one of a key, all of it is
// there, and Short would take it with END behind it; else 0.
func ShortValue(b, key []byte) (n int) {
	end := len(valueName) + len(key)
	if len(b) < end || string(b[:len(valueName)]) != valueName || !bytes.Equal(b[len(valueName):end], key) {
		return 0
	}
	return shortBlock(b, behindKey(b, end))
}

// shortBlock returns n if a block of so many bytes at the beginning of b is short, and all there.
func shortBlock(b []byte, n int) int {
	if n > shortData+maxKey {
		return 0
	}
	return wholeBlock(b, n)
}

// shortMeta is Short for a VA.
func shortMeta(b []byte) int {
	size, i := 0, 3
	for ; i < len(b) && b[i]-'0' <= 9; i++ {
		if size = size*10 + int(b[i]-'0'); size > shortData {
			return 0
		}
	}
	if i == 3 || i > 6 || i == len(b) || b[i] != ' ' && b[i] != '\r' {
		return 0
	}
	for ; i < min(len(b)-1, shortLine); i++ {
		if b[i] == '\r' && b[i+1] == '\n' {
			end := i + 2 + size
			if len(b) < end+2 || b[end] != '\r' || b[end+1] != '\n' {
				return 0
			}
			return end + 2
		}
		if b[i] < ' ' {
			return 0
		}
	}
	return 0
}

// Value looks at the VALUE block at the beginning of b, of which the line must be there. It returns the
// key, a part of b, and the block's length on the wire: the line, the data and the CRLF behind it, which
// may be more than b has. n is 0 if b begins with no VALUE block or its line is not all there.
func Value(b []byte) (key []byte, n int) {
	if len(b) < len(valueName) || string(b[:len(valueName)]) != valueName {
		return nil, 0
	}
	i := len(valueName)
	for i < len(b) && b[i] != ' ' && b[i] != '\r' && b[i] != '\n' {
		i++
	}
	key = b[len(valueName):i]
	if n = behindKey(b, i); n == 0 || len(key) == 0 || len(key) > maxKey {
		return nil, 0
	}
	return key, n
}

const valueName = "VALUE "

// behindKey reads what is behind the key in the line of a VALUE block, at b[i:], and returns the block's length; 0 if the
// line is none, or not all there.
func behindKey(b []byte, i int) (n int) {
	_, i = field(b, i) // the flags
	size, i := field(b, i)
	if i == 0 || len(b) < i+2 {
		return 0
	}
	if b[i] == ' ' { // the unique
		if _, i = field(b, i); i == 0 || len(b) < i+2 {
			return 0
		}
	}
	if b[i] != '\r' || b[i+1] != '\n' || size > maxBlock {
		return 0
	}
	return i + 2 + int(size) + 2
}

// field reads a space and up to 20 digits at b[i:]. It returns where they end, or 0 if there are none or
// b ends with them.
func field(b []byte, i int) (v uint64, next int) {
	if i == 0 || i >= len(b) || b[i] != ' ' {
		return 0, 0
	}
	start := i + 1
	for i = start; i < len(b) && b[i]-'0' <= 9; i++ {
		if v <= maxBlock { // what is more than that is too much, and must not wrap
			v = v*10 + uint64(b[i]-'0')
		}
	}
	if i == start || i-start > maxDigits || i == len(b) {
		return 0, 0
	}
	return v, i
}

// wholeValue is the length of the VALUE block at the beginning of b, 0 if it is not there or not whole.
func wholeValue(b []byte) int {
	_, n := Value(b)
	return wholeBlock(b, n)
}

// wholeBlock returns n if a block of so many bytes at the beginning of b is all there; else, and for 0, 0.
func wholeBlock(b []byte, n int) int {
	if n == 0 || n > len(b) || b[n-2] != '\r' || b[n-1] != '\n' {
		return 0
	}
	return n
}
