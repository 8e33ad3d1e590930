package command

import "bytes"

// maxQuoted bounds the bytes of a request that an error reply repeats, as in Redis.
const maxQuoted = 128

// AppendUnknown appends Redis' reply to a command that it does not know, with the beginning of the
// request: argc arguments, which at returns. It also serves to refuse a command.
func AppendUnknown(dst []byte, argc int, at func(int) []byte) []byte {
	dst = append(dst, "-ERR unknown command '"...)
	dst = appendQuoted(dst, at(0), maxQuoted)
	dst = append(dst, "', with args beginning with: "...)
	start := len(dst)
	// The quotes count, but do not end the loop in the middle of an argument.
	for i := 1; i < argc && len(dst)-start < maxQuoted; i++ {
		left := maxQuoted - (len(dst) - start)
		dst = append(dst, '\'')
		dst = appendQuoted(dst, at(i), left)
		dst = append(dst, "' "...)
	}
	return append(dst, "\r\n"...)
}

// AppendUnknownSubcommand appends Redis' reply to a container's subcommand that does not exist.
// container and subcommand are arguments 0 and 1 of the request.
func AppendUnknownSubcommand(dst, container, subcommand []byte) []byte {
	dst = append(dst, "-ERR unknown subcommand '"...)
	dst = appendQuoted(dst, subcommand, maxQuoted)
	dst = append(dst, "'. Try "...)
	for _, c := range container {
		if 'a' <= c && c <= 'z' {
			c &^= 0x20
		}
		dst = append(dst, c)
	}
	return append(dst, " HELP.\r\n"...)
}

// AppendArity appends Redis' reply to a wrong number of arguments.
func AppendArity(dst []byte, s *Spec) []byte {
	dst = append(dst, "-ERR wrong number of arguments for '"...)
	dst = append(dst, s.Name...)
	return append(dst, "' command\r\n"...)
}

// AppendRefusal appends an error that names a command and says why it is refused.
func AppendRefusal(dst []byte, s *Spec, why string) []byte {
	dst = append(dst, "-ERR "...)
	for _, c := range []byte(s.Name) {
		switch {
		case c == '|':
			c = ' '
		case 'a' <= c && c <= 'z':
			c &^= 0x20
		}
		dst = append(dst, c)
	}
	return append(append(append(dst, ' '), why...), "\r\n"...)
}

// appendQuoted appends at most limit bytes of b. As in Redis, which prints C strings, b ends at a
// NUL; line ends become spaces, because an error is one line.
func appendQuoted(dst, b []byte, limit int) []byte {
	if end := bytes.IndexByte(b, 0); end >= 0 {
		b = b[:end]
	}
	for _, c := range b[:min(len(b), limit)] {
		if c == '\r' || c == '\n' {
			c = ' '
		}
		dst = append(dst, c)
	}
	return dst
}
