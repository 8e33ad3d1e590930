package resp

// AppendInline appends to dst the request that an inline command stands for, as an array of bulk
// strings. The line may end with CRLF or LF. Words are split as Redis does: double quotes with
// escapes (\n \r \t \b \a \xHH), single quotes with \' only. A line without words appends nothing.
func AppendInline(dst, line []byte) ([]byte, error) {
	line = trimLine(line)
	words, data, err := splitWords(line)
	if err != nil || len(words) == 0 {
		return dst, err
	}
	dst = AppendArray(dst, len(words))
	for _, w := range words {
		dst = AppendBulk(dst, data[w.Off:w.Off+w.Len])
	}
	return dst, nil
}

func trimLine(line []byte) []byte {
	if n := len(line); n > 0 && line[n-1] == '\n' {
		line = line[:n-1]
	}
	if n := len(line); n > 0 && line[n-1] == '\r' {
		line = line[:n-1]
	}
	return line
}

// splitWords returns the words of a line as places in data.
func splitWords(line []byte) (words []Arg, data []byte, err error) {
	i := 0
	for {
		for i < len(line) && isSpace(line[i]) {
			i++
		}
		if i == len(line) {
			return words, data, nil
		}
		start := len(data)
		if data, i, err = appendWord(data, line, i); err != nil {
			return nil, nil, err
		}
		words = append(words, Arg{start, len(data) - start})
	}
}

// appendWord appends the word at line[i:] and returns where it ended. Quotes may begin in the middle
// of a word, but a closing quote must end it.
func appendWord(dst, line []byte, i int) ([]byte, int, error) {
	for i < len(line) && !isSpace(line[i]) {
		switch line[i] {
		case '"', '\'':
			var ok bool
			if dst, i, ok = appendQuoted(dst, line, i+1, line[i]); !ok {
				return nil, 0, errInlineQuotes
			}
			if i < len(line) && !isSpace(line[i]) {
				return nil, 0, errInlineQuotes
			}
			return dst, i, nil
		default:
			dst = append(dst, line[i])
			i++
		}
	}
	return dst, i, nil
}

// appendQuoted appends what stands before the closing quote and returns the place after it.
func appendQuoted(dst, line []byte, i int, quote byte) ([]byte, int, bool) {
	for ; i < len(line); i++ {
		c := line[i]
		switch {
		case c == quote:
			return dst, i + 1, true
		case c == '\\' && quote == '\'' && i+1 < len(line) && line[i+1] == '\'':
			i++
			dst = append(dst, '\'')
		case c == '\\' && quote == '"' && i+3 < len(line) && line[i+1] == 'x' && hex(line[i+2]) >= 0 && hex(line[i+3]) >= 0:
			dst = append(dst, byte(hex(line[i+2])<<4|hex(line[i+3])))
			i += 3
		case c == '\\' && quote == '"' && i+1 < len(line):
			i++
			dst = append(dst, unescape(line[i]))
		default:
			dst = append(dst, c)
		}
	}
	return nil, 0, false
}

func unescape(c byte) byte {
	switch c {
	case 'n':
		return '\n'
	case 'r':
		return '\r'
	case 't':
		return '\t'
	case 'b':
		return '\b'
	case 'a':
		return '\a'
	}
	return c
}

func hex(c byte) int {
	switch {
	case c-'0' <= 9:
		return int(c - '0')
	case c|0x20 >= 'a' && c|0x20 <= 'f':
		return int(c|0x20-'a') + 10
	}
	return -1
}

// isSpace is C's isspace in the C locale, and the NUL that ends a C string.
func isSpace(c byte) bool { return c == ' ' || c-'\t' <= '\r'-'\t' || c == 0 }
