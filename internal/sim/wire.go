package sim

import "strconv"

// appendRequest appends a request as an array of bulk strings.
func appendRequest(dst []byte, args []string) []byte {
	dst = append(dst, '*')
	dst = strconv.AppendInt(dst, int64(len(args)), 10)
	dst = append(dst, "\r\n"...)
	for _, a := range args {
		dst = appendBulk(dst, a)
	}
	return dst
}

func appendBulk(dst []byte, s string) []byte {
	dst = append(dst, '$')
	dst = strconv.AppendInt(dst, int64(len(s)), 10)
	dst = append(dst, "\r\n"...)
	dst = append(dst, s...)
	return append(dst, "\r\n"...)
}

func appendInteger(dst []byte, n int64) []byte {
	dst = append(dst, ':')
	dst = strconv.AppendInt(dst, n, 10)
	return append(dst, "\r\n"...)
}

// verdict of a scan.
type verdict uint8

const (
	whole      verdict = iota
	unfinished         // more bytes are needed
	malformed
)

// scanLine returns the place behind the line that begins at b[i:].
func scanLine(b []byte, i int) (line []byte, next int, v verdict) {
	for k := i; k < len(b); k++ {
		if b[k] == '\n' {
			if k == i || b[k-1] != '\r' {
				return nil, 0, malformed
			}
			return b[i : k-1], k + 1, whole
		}
	}
	return nil, len(b) + 1, unfinished
}

// scanReply finds the end of the reply at b[i:]. While it is unfinished, end is the least length of b
// with which it is worth trying again.
func scanReply(b []byte, i int) (end int, v verdict) {
	line, next, v := scanLine(b, i)
	if v != whole {
		return next, v
	}
	if len(line) == 0 {
		return 0, malformed
	}
	switch line[0] {
	case '+', '-', ':', '_', ',', '#', '(':
		return next, whole
	case '$', '*', '%', '~', '=', '!':
	default:
		return 0, malformed
	}
	n, err := strconv.Atoi(string(line[1:]))
	if err != nil || n < -1 {
		return 0, malformed
	}
	switch line[0] {
	case '$', '=', '!':
		return scanBulk(b, next, n)
	}
	if line[0] == '%' {
		n *= 2
	}
	for range max(n, 0) {
		if next, v = scanReply(b, next); v != whole {
			return next, v
		}
	}
	return next, whole
}

// scanBulk finds the end of n bytes and CRLF at b[i:]; -1 is nil, which has neither.
func scanBulk(b []byte, i, n int) (end int, v verdict) {
	if n < 0 {
		return i, whole
	}
	end = i + n + 2
	if end > len(b) {
		return end, unfinished
	}
	if b[end-2] != '\r' || b[end-1] != '\n' {
		return 0, malformed
	}
	return end, whole
}

// scanRequest reads a request as a server gets it from the proxy: an array of bulk strings.
func scanRequest(b []byte) (args []string, end int, v verdict) {
	line, next, v := scanLine(b, 0)
	if v != whole {
		return nil, next, v
	}
	n, ok := count(line, '*')
	if !ok || n < 1 {
		return nil, 0, malformed
	}
	args = make([]string, 0, n)
	for range n {
		if line, next, v = scanLine(b, next); v != whole {
			return nil, next, v
		}
		size, ok := count(line, '$')
		if !ok || size < 0 {
			return nil, 0, malformed
		}
		start := next
		if next, v = scanBulk(b, next, size); v != whole {
			return nil, next, v
		}
		args = append(args, string(b[start:start+size]))
	}
	return args, next, whole
}

func count(line []byte, kind byte) (int, bool) {
	if len(line) < 2 || line[0] != kind {
		return 0, false
	}
	n, err := strconv.Atoi(string(line[1:]))
	return n, err == nil
}

// short shows the beginning and the end of bytes in a message.
func short[T ~[]byte | ~string](b T) string {
	if len(b) <= 160 {
		return strconv.Quote(string(b))
	}
	return strconv.Quote(string(b[:100])) + "…" + strconv.Quote(string(b[len(b)-40:])) + " (" + strconv.Itoa(len(b)) + " bytes)"
}
