package resp

// Arg is where an argument stands in a request: its offset from the request's first byte and its
// length, in bytes.
type Arg struct{ Off, Len int }

// Limits bound a request. All are inclusive.
type Limits struct {
	Bytes           int64 // the whole request
	Arguments       int   // its arguments
	Inline          int   // an inline command's line, its LF left out
	Unauthenticated bool  // the client has yet to authenticate: Redis' small fixed bounds hold
}

// RequestParser finds the end of one request and its arguments. It is resumable: when a request is
// not yet whole it keeps its place, and the next call goes on there with the same bytes and more.
// The zero value is at the beginning of a request.
type RequestParser struct {
	// Args are the arguments of the request that Next found. The next call overwrites them.
	Args []Arg
	// Inline says that the request was an inline command; Args is then empty, and AppendInline
	// turns the line into a request proper.
	Inline bool

	pos  int // where to go on, counted from the request's first byte
	left int // arguments still to come
	bulk int // length of the argument being read, plus one; 0: its header comes first
}

// Reset forgets a request that was begun.
func (p *RequestParser) Reset() {
	p.Args, p.Inline = p.Args[:0], false
	p.pos, p.left, p.bulk = 0, 0, 0
}

// Missing is a lower bound of the bytes that are missing from the request begun in n bytes, at least
// one: what a reader should have room for.
func (p *RequestParser) Missing(n int) int {
	if p.bulk > 0 {
		return max(p.pos+p.bulk+1-n, 1)
	}
	return 1
}

// Last says that the argument being read is the request's last.
func (p *RequestParser) Last() bool { return p.left == 1 && p.bulk > 0 }

// Next looks at b, which begins with a request. It returns the request's length once it is whole,
// and 0 while bytes are missing. A whole request without arguments ("*0", an empty line) is to be
// skipped. An error is a *ProtocolError; the connection is of no use after it.
func (p *RequestParser) Next(b []byte, lim *Limits) (int, error) {
	if p.left == 0 {
		if len(b) == 0 {
			return 0, nil
		}
		if n := p.short(b, lim); n > 0 {
			return n, nil
		}
		if n, done, err := p.begin(b, lim); done || err != nil {
			return n, err
		}
	}
	i := p.pos
	for p.left > 0 {
		if p.bulk == 0 {
			size, next, err := bulkHeader(b, i, lim)
			if err != nil {
				return 0, err
			}
			if next == 0 {
				p.pos = i
				return 0, nil
			}
			i = next
			p.bulk = size + 1
		}
		end := i + p.bulk - 1
		if end+2 > len(b) {
			p.pos = i
			return 0, nil
		}
		if b[end] != '\r' || b[end+1] != '\n' {
			return 0, errBulkEnd
		}
		p.Args = append(p.Args, Arg{i, p.bulk - 1})
		i = end + 2
		p.bulk = 0
		p.left--
	}
	p.pos = 0
	return i, nil
}

// short is the fast path: a request that is all there, of up to nine arguments of up to 99 bytes
// each. It returns 0 for any other, of which it has then changed nothing that matters.
func (p *RequestParser) short(b []byte, lim *Limits) int {
	if p.pos != 0 || len(b) < 4 || b[0] != '*' || b[1]-'1' > 8 || b[2] != '\r' || b[3] != '\n' {
		return 0
	}
	args, i := p.Args[:0], 4
	for n := b[1] - '0'; n > 0; n-- {
		if len(b)-i < 6 || b[i] != '$' || b[i+1]-'0' > 9 {
			return 0
		}
		size, at := int(b[i+1]-'0'), i+2
		if digit := b[i+2] - '0'; digit <= 9 {
			if size == 0 {
				return 0
			}
			size, at = size*10+int(digit), i+3
		}
		end := at + 2 + size
		if end+2 > len(b) || b[at] != '\r' || b[at+1] != '\n' || b[end] != '\r' || b[end+1] != '\n' {
			return 0
		}
		args = append(args, Arg{at + 2, size})
		i = end + 2
	}
	if len(args) > lim.Arguments || int64(i) > lim.Bytes {
		return 0
	}
	p.Args, p.Inline = args, false
	return i
}

// begin reads the first line. It reports done for what ends with it: inline commands, empty arrays
// and lines that are not yet whole (length 0).
func (p *RequestParser) begin(b []byte, lim *Limits) (n int, done bool, err error) {
	p.Args = p.Args[:0]
	p.Inline = false
	if b[0] != '*' {
		n, err = p.inline(b, lim)
		return n, true, err
	}
	if len(b) >= 4 && b[2] == '\r' && b[3] == '\n' && b[1]-'1' <= 8 && int(b[1]-'0') <= lim.Arguments {
		p.left, p.pos = int(b[1]-'0'), 4
		return 0, false, nil
	}
	count, next, err := number(b, 1, errArrayLength)
	if err != nil || next == 0 {
		return 0, true, err
	}
	switch {
	case count > int64(lim.Arguments):
		return 0, true, errArrayLength
	case lim.Unauthenticated && count > unauthArguments:
		return 0, true, errUnauthArray
	case count <= 0:
		p.pos = 0
		return next, true, nil
	}
	p.left, p.pos = int(count), next
	return 0, false, nil
}

// inline looks for the end of the line, from where it left off.
func (p *RequestParser) inline(b []byte, lim *Limits) (int, error) {
	for i := p.pos; i < len(b); i++ {
		if b[i] == '\n' {
			if i > lim.Inline {
				return 0, errInlineLength
			}
			p.pos = 0
			p.Inline = i > 0 && !(i == 1 && b[0] == '\r')
			return i + 1, nil
		}
	}
	if len(b) > lim.Inline {
		return 0, errInlineLength
	}
	p.pos = len(b)
	return 0, nil
}

// bulkHeader reads "$<length>\r\n" at b[i:]. next is 0 while bytes are missing. It bounds the request, too: an argument
// that would end beyond the bound is too long.
func bulkHeader(b []byte, i int, lim *Limits) (size, next int, err error) {
	if i >= len(b) {
		return 0, 0, nil
	}
	if b[i] != '$' {
		return 0, 0, &ProtocolError{"expected '$', got '" + printable(b[i]) + "'"}
	}
	v, next, err := number(b, i+1, errBulkLength)
	if err != nil || next == 0 {
		return 0, 0, err
	}
	switch {
	case v < 0 || v > lim.Bytes || int64(next)+v+2 > lim.Bytes:
		return 0, 0, errBulkLength
	case lim.Unauthenticated && v > unauthBulk:
		return 0, 0, errUnauthBulk
	}
	return int(v), next, nil
}

// number reads a decimal number and CRLF at b[i:], in the one spelling that Redis accepts: no plus,
// no leading zeros, at most 64 bits. next is 0 while bytes are missing.
func number(b []byte, i int, invalid error) (v int64, next int, err error) {
	negative := false
	start := i
	var n uint64
	for ; i < len(b); i++ {
		switch c := b[i]; {
		case c-'0' <= 9:
			digit := uint64(c - '0')
			if i > start && n == 0 || n > (1<<63-digit)/10 {
				return 0, 0, invalid
			}
			n = n*10 + digit
		case c == '-' && i == start && !negative:
			negative = true
			start++
		case c == '\r' && i > start && (n != 0 || !negative):
			if i+1 == len(b) {
				return 0, 0, nil
			}
			if b[i+1] != '\n' || n == 1<<63 && !negative {
				return 0, 0, invalid
			}
			if v = int64(n); negative {
				v = -v
			}
			return v, i + 2, nil
		default:
			return 0, 0, invalid
		}
	}
	return 0, 0, nil
}

func printable(c byte) string {
	if c < ' ' || c > '~' {
		return "?"
	}
	return string(rune(c))
}
