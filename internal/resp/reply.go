package resp

// ReplyParser finds where a server's reply ends. It keeps no bytes: a reply is passed on as it
// comes. It is resumable at every byte. The zero value, with a Nesting bound set, is at the
// beginning of a reply.
type ReplyParser struct {
	// Nesting is the deepest array within arrays that is accepted.
	Nesting int
	// Version is the protocol of the connection, 2 or 3. In 2, which 0 stands for, the types of RESP3 are no
	// replies. Pushes are none in either: they are asked for by commands that are not forwarded.
	Version int

	state    replyState
	kind     byte // of the line being read
	negative bool
	digits   int8
	value    int64   // of the number being read, or bytes of the bulk string still to come with its CRLF
	open     []int64 // elements still to come of each array that is open
}

type replyState uint8

const (
	atValue   replyState = iota // the type byte comes next
	inNumber                    // a length, a count or an integer, up to CR
	inText                      // a status or an error, up to CR
	atNewline                   // the LF of a line
	inBulk                      // the bytes of a bulk string and its CRLF
	atEnd                       // the CR of a null
)

// Begun says that part of a reply has been seen.
func (p *ReplyParser) Begun() bool { return p.state != atValue || len(p.open) > 0 }

// Bulk is how many bytes are still to come, its CRLF included, of the bulk string being read; 0 when
// none is.
func (p *ReplyParser) Bulk() int {
	if p.state == inBulk {
		return int(p.value)
	}
	return 0
}

// Outermost says that the bulk string being read is not inside an array: the reply ends with it.
func (p *ReplyParser) Outermost() bool { return len(p.open) == 0 }

// Next looks at b, which goes on where the last call ended. It returns how many bytes belong to the
// reply, and whether it ends with them; if it does not, all of b belongs to it. An error means that
// the bytes are not a reply, and that nothing after it can be paired with requests any more.
func (p *ReplyParser) Next(b []byte) (n int, done bool, err error) {
	i := 0
	for i < len(b) {
		switch p.state {
		case atValue:
			// Fast path: the usual short values, of which all is there.
			if end := p.Short(b[i:]); end > 0 {
				i += end
				if p.ended() {
					return i, true, nil
				}
				continue
			}
			if !p.begin(b[i]) {
				return 0, false, errReply
			}
			i++
		case inNumber:
			if i, err = p.number(b, i); err != nil {
				return 0, false, err
			}
		case inText:
			for i < len(b) && b[i] != '\r' && b[i] != '\n' {
				i++
			}
			if i < len(b) {
				if b[i] != '\r' {
					return 0, false, errReply
				}
				p.state = atNewline
				i++
			}
		case atNewline:
			if b[i] != '\n' {
				return 0, false, errReply
			}
			i++
			over, err := p.line()
			if err != nil {
				return 0, false, err
			}
			if over && p.ended() {
				return i, true, nil
			}
		case atEnd:
			if b[i] != '\r' {
				return 0, false, errReply
			}
			p.state = atNewline
			i++
		case inBulk:
			if i, err = p.bulk(b, i); err != nil {
				return 0, false, err
			}
			if p.value == 0 {
				p.state = atValue
				if p.ended() {
					return i, true, nil
				}
			}
		}
	}
	return i, false, nil
}

// Short is the function of that name, for the parser's version.
func (p *ReplyParser) Short(b []byte) int {
	if p.Version == 3 && len(b) >= 3 && b[0] == '_' && b[1] == '\r' && b[2] == '\n' {
		return 3
	}
	return Short(b)
}

// Short returns the length on the wire of the reply at the beginning of b if it is one of the usual
// short ones and all of it is there: a bulk string of at most 99 bytes, nil, or a line of at most 40
// bytes. Else it returns 0, which says nothing about the reply.
func Short(b []byte) int {
	if len(b) < 4 {
		return 0
	}
	if b[0] != '$' || b[1]-'0' > 9 {
		return shortLine(b)
	}
	size, at := int(b[1]-'0'), 2
	if b[2]-'0' <= 9 {
		size, at = size*10+int(b[2]-'0'), 3
	}
	end := at + 2 + size
	if len(b) < end+2 || b[at] != '\r' || b[at+1] != '\n' || b[end] != '\r' || b[end+1] != '\n' {
		return 0
	}
	return end + 2
}

// shortLine is Short for replies that are one line.
func shortLine(b []byte) int {
	switch b[0] {
	case '$':
		if len(b) >= 5 && b[1] == '-' && b[2] == '1' && b[3] == '\r' && b[4] == '\n' {
			return 5
		}
		return 0
	case '+', '-', ':':
	default:
		return 0
	}
	for i := 1; i < min(len(b)-1, 40); i++ {
		switch c := b[i]; {
		case c == '\r' && b[i+1] == '\n' && (b[0] != ':' || i > 1 && i <= 20): // an integer has 19 digits at most
			return i + 2
		case c < ' ' || b[0] == ':' && c-'0' > 9:
			return 0
		}
	}
	return 0
}

// begin takes a type byte.
func (p *ReplyParser) begin(c byte) bool {
	p.kind = c
	switch c {
	case '$', '*', ':':
		p.state = inNumber
		p.negative, p.digits, p.value = false, 0, 0
	case '+', '-':
		p.state = inText
	default:
		return p.Version == 3 && p.begin3(c)
	}
	return true
}

// begin3 takes a type byte that RESP2 does not have.
func (p *ReplyParser) begin3(c byte) bool {
	switch c {
	case '!', '=', '%', '~', '|':
		p.state = inNumber
		p.negative, p.digits, p.value = false, 0, 0
	case '#', ',', '(':
		p.state = inText
	case '_':
		p.state = atEnd
	default:
		return false
	}
	return true
}

// number takes digits up to CR.
func (p *ReplyParser) number(b []byte, i int) (int, error) {
	for ; i < len(b); i++ {
		switch c := b[i]; {
		case c-'0' <= 9:
			if p.digits++; p.digits > 19 {
				return 0, errReply
			}
			p.value = p.value*10 + int64(c-'0') // an integer reply may wrap here: only its end matters
		case c == '-' && p.digits == 0 && !p.negative:
			p.negative = true
		case c == '\r' && p.digits > 0:
			p.state = atNewline
			return i + 1, nil
		default:
			return 0, errReply
		}
	}
	return i, nil
}

// line is called when a header line has ended; over means that the value ended with it.
func (p *ReplyParser) line() (over bool, err error) {
	p.state = atValue
	switch p.kind {
	case '+', '-', ':', '#', ',', '(', '_':
		return true, nil
	}
	if p.negative {
		if p.value != 1 || p.kind != '$' && p.kind != '*' {
			return false, errReply
		}
		return true, nil // nil
	}
	if p.value < 0 || p.value > 1<<40 {
		return false, errReply
	}
	switch p.kind {
	case '$', '!', '=':
		p.state = inBulk
		p.value += 2
		return false, nil
	case '%':
		p.value *= 2
	case '|': // attributes are pairs before a value, and count with it as one
		p.value = 2*p.value + 1
	}
	if p.value == 0 {
		return true, nil
	}
	if len(p.open) >= p.Nesting {
		return false, errTooManyElements
	}
	p.open = append(p.open, p.value)
	return false, nil
}

// bulk takes bytes of a bulk string and checks the CRLF behind it.
func (p *ReplyParser) bulk(b []byte, i int) (int, error) {
	if p.value > 2 {
		n := min(int64(len(b)-i), p.value-2)
		i += int(n)
		p.value -= n
	}
	for ; p.value > 0 && p.value <= 2 && i < len(b); i++ {
		if b[i] != "\n\r"[p.value-1] {
			return 0, errReply
		}
		p.value--
	}
	return i, nil
}

// keptLevels is how many levels memory is kept for between replies. Few replies have more than three; a script's may have
// thousands.
const keptLevels = 64

// ended counts a value that is whole and says whether the reply is.
func (p *ReplyParser) ended() bool {
	for n := len(p.open) - 1; n >= 0; n-- {
		if p.open[n]--; p.open[n] > 0 {
			return false
		}
		p.open = p.open[:n]
	}
	if cap(p.open) > keptLevels {
		p.open = nil
	}
	return true
}
