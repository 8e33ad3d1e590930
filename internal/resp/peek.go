package resp

import "bytes"

// Peek appends the arguments at the front of b, which begins a request but need not hold all of it: the last one may be
// cut short. It is for people who look at requests, not for serving them.
func Peek(args [][]byte, b []byte) [][]byte {
	line, b, ok := bytes.Cut(b, []byte("\r\n"))
	if !ok || len(line) < 2 || line[0] != '*' {
		return args
	}
	for len(b) > 1 && b[0] == '$' {
		line, b, ok = bytes.Cut(b, []byte("\r\n"))
		if !ok {
			return args
		}
		n := 0
		for _, c := range line[1:] {
			if c < '0' || c > '9' || n > 1<<30 {
				return args
			}
			n = 10*n + int(c-'0')
		}
		args = append(args, b[:min(n, len(b))])
		b = b[min(n+2, len(b)):]
	}
	return args
}
