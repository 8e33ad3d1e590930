package memcached

import "bytes"

// ReplyParser finds where a server's reply ends. It keeps no bytes: a reply is passed on as it comes. It
// is resumable at every byte. The zero value is at the beginning of a reply.
type ReplyParser struct {
	state  replyState
	began  kind // of the first line, if the reply goes on after it
	kind   kind // of the line being read
	word   [maxDigits]byte
	n      uint8 // bytes of the word seen
	field  uint8 // of the line, where the word is VALUE or VA
	digits uint8 // bytes of the field seen
	cr     bool  // the last byte of text was a CR
	length int   // bytes of the line seen
	value  int64 // the number being read, then the bytes of the block still to come with its CRLF
}

type replyState uint8

const (
	atLine    replyState = iota // a line comes next
	inWord                      // its first word
	inFields                    // what VALUE and VA say before the length, and the length
	inText                      // anything, up to CRLF
	atNewline                   // the LF of a line
	inBlock                     // the bytes of a data block and its CRLF
)

// kind is what a line's first word makes of it.
type kind uint8

const (
	stray    kind = iota // no line of a reply
	bare                 // the reply, which is this word alone
	wordy                // the reply, and anything may follow the word
	endLine              // END: the reply, or the end of it
	failure              // an error: the reply, or the end of it
	statLine             // a line of statistics, more follow
	value                // VALUE: a block of data and more lines follow
	meta                 // VA: a block of data follows
)

const (
	// maxLine bounds a line. The longest that a server sends are about ten times shorter.
	maxLine = 8 << 10
	// maxBlock bounds what a length may announce.
	maxBlock = 1 << 40
	// maxDigits is how many digits 64 bits take.
	maxDigits = 20
)

// Begun says that part of a reply has been seen.
func (p *ReplyParser) Begun() bool { return p.state != atLine || p.began != stray }

// Bulk is how many bytes are still to come, its CRLF included, of the data block being read; 0 when none
// is. After the block of a VALUE more of the reply follows; with that of a VA it ends.
func (p *ReplyParser) Bulk() int {
	if p.state == inBlock {
		return int(p.value)
	}
	return 0
}

// IsError says whether a reply is an error.
func IsError(reply []byte) bool {
	word, _, _ := bytes.Cut(reply, []byte(" "))
	return classify(bytes.TrimSuffix(word, []byte("\r\n"))) == failure
}

// Next looks at b, which goes on where the last call ended. It returns how many bytes belong to the
// reply, and whether it ends with them; if it does not, all of b belongs to it. An error means that the
// bytes are not a reply, and that nothing after it can be paired with requests any more.
func (p *ReplyParser) Next(b []byte) (n int, done bool, err error) {
	i := 0
	for i < len(b) {
		was, state := i, p.state
		ok := true
		switch p.state {
		case atLine:
			if p.began == stray {
				if n := Short(b[i:]); n > 0 {
					return i + n, true, nil
				}
			} else if n := wholeValue(b[i:]); n > 0 && p.began == value {
				i += n
				continue
			}
			p.state, p.n, p.length = inWord, 0, 0
			continue
		case inWord:
			i, ok = p.first(b, i)
		case inFields:
			i, ok = p.fields(b, i)
		case inText:
			i, ok = p.text(b, i)
		case atNewline:
			ok = b[i] == '\n'
			i++
			p.line()
		case inBlock:
			i, ok = p.block(b, i)
		}
		if state != inBlock {
			p.length += i - was
		}
		if !ok || p.length > maxLine {
			return 0, false, errReply
		}
		if p.state == atLine && p.began == stray {
			return i, true, nil
		}
	}
	return i, false, nil
}

// first takes bytes of the first word and, with the byte behind it, decides what the line is.
func (p *ReplyParser) first(b []byte, i int) (int, bool) {
	for ; i < len(b); i++ {
		c := b[i]
		if c != ' ' && c != '\r' {
			if int(p.n) == len(p.word) || c < ' ' { // a line that ends with LF alone would be waited for, for ever
				return i, false
			}
			p.word[p.n] = c
			p.n++
			continue
		}
		p.kind = classify(p.word[:p.n])
		switch p.kind {
		case stray:
			return i, false
		case bare, endLine:
			p.state = atNewline
			return i + 1, c == '\r' && p.continues()
		case value, meta:
			if c != ' ' {
				return i, false
			}
			p.state, p.field, p.digits, p.value = inFields, keyField, 0, 0
			if p.kind == meta {
				p.field = sizeField
			}
			return i + 1, p.continues()
		}
		p.cr = c == '\r'
		p.state = inText
		return i + 1, p.continues()
	}
	return i, true
}

// continues says whether the line may follow those before it in the reply.
func (p *ReplyParser) continues() bool {
	return p.began == stray || p.kind == p.began || p.kind == endLine || p.kind == failure
}

// classify returns what a line is by its first word.
func classify(word []byte) kind {
	switch string(word) {
	case "VALUE":
		return value
	case "VA":
		return meta
	case "END":
		return endLine
	case "STORED", "NOT_STORED", "EXISTS", "NOT_FOUND", "DELETED", "TOUCHED", "OK", "RESET":
		return bare
	case "HD", "NS", "EX", "NF", "EN", "ME", "MN", "VERSION":
		return wordy
	case "ERROR", "CLIENT_ERROR", "SERVER_ERROR":
		return failure
	case "STAT", "ITEM", "PREFIX":
		return statLine
	}
	if len(word) == 0 || len(word) > maxDigits {
		return stray
	}
	for _, c := range word {
		if c-'0' > 9 {
			return stray
		}
	}
	return bare // the value of a counter
}

// Fields of a VALUE; a VA has its length first.
const (
	keyField = 1 + iota
	flagsField
	sizeField
	uniqueField
)

// fields takes what stands between the first word of a VALUE or a VA and the end of the line; of a VA,
// the length alone.
func (p *ReplyParser) fields(b []byte, i int) (int, bool) {
	for ; i < len(b); i++ {
		c := b[i]
		switch {
		case p.field == keyField && c != ' ' && c != '\r' && c != '\n':
			if p.digits++; p.digits > maxKey {
				return i, false
			}
		case p.field != keyField && c-'0' <= 9:
			if p.digits++; p.digits > maxDigits {
				return i, false
			}
			if p.field == sizeField {
				if p.value = p.value*10 + int64(c-'0'); p.value > maxBlock {
					return i, false
				}
			}
		case c == ' ' && p.digits > 0 && p.field < sizeField:
			p.field++
			p.digits = 0
		case c == ' ' && p.digits > 0 && p.field == sizeField && p.kind == value:
			p.field = uniqueField
			p.digits = 0
		case (c == '\r' || c == ' ' && p.kind == meta) && p.digits > 0 && p.field >= sizeField:
			p.state, p.cr = inText, c == '\r'
			if p.kind == value {
				p.state = atNewline
			}
			return i + 1, true
		default:
			return i, false
		}
	}
	return i, true
}

// text takes the rest of a line. A CR in the middle is harmless: the key of an item that was created by
// its name in base64 may have one.
func (p *ReplyParser) text(b []byte, i int) (int, bool) {
	n := bytes.IndexByte(b[i:], '\n')
	if n < 0 {
		p.cr = b[len(b)-1] == '\r'
		return len(b), true
	}
	if n > 0 {
		p.cr = b[i+n-1] == '\r'
	}
	p.line()
	return i + n + 1, p.cr
}

// line is called when a line has ended.
func (p *ReplyParser) line() {
	p.state = atLine
	switch p.kind {
	case value, meta:
		p.state = inBlock
		p.value += 2
		if p.kind == value {
			p.began = value
		}
	case statLine:
		p.began = statLine
	default:
		p.began = stray
	}
}

// block takes bytes of a data block and checks the CRLF behind it.
func (p *ReplyParser) block(b []byte, i int) (int, bool) {
	if p.value > 2 {
		n := min(int64(len(b)-i), p.value-2)
		i += int(n)
		p.value -= n
	}
	for ; p.value > 0 && p.value <= 2 && i < len(b); i++ {
		if b[i] != "\n\r"[p.value-1] {
			return i, false
		}
		p.value--
	}
	if p.value == 0 {
		p.state = atLine
	}
	return i, true
}
