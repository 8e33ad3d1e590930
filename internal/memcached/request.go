package memcached

import "bytes"

// Arg is where a word stands in a request: its offset from the request's first byte and its length, in
// bytes.
type Arg struct{ Off, Len int }

// Limits bound a request. All are inclusive.
type Limits struct {
	Bytes     int64 // the whole request
	Arguments int   // the words of a line, the command's name included
	// Line bounds the line, its end included, of every command but get, gets, gat and gats. A server
	// closes the connection when the end of such a line, or of one of gat and gats, is not among the first
	// 2048 bytes that it receives of it; so not more than that may be forwarded.
	Line int
}

// patience is by how much a line may exceed Limits.Line and still be read to its end, to be refused and
// the connection kept.
const patience = 4

// Request is what RequestParser found. The next call of Next overwrites it, the tokens too.
type Request struct {
	Op     Op
	Tokens []Arg // the line's words, the name first; of too many, the first
	// FirstKey and LastKey are the half-open range of Tokens that holds the keys, empty if there are none.
	// If there is no Problem, each key has 1 to 250 bytes, none of which is a space or a control character.
	FirstKey, LastKey int
	Silent            bool // the client said noreply, or q in a meta command
	Base64            bool // the key is in base64 (meta flag b); DecodeKey succeeds if there is no Problem
	Line              int  // length of the line, line end included
	Data              int  // length of the data block without its CRLF; -1 if none is part of the request
	// Problem is the reply, without CRLF, that the request gets instead of being forwarded; a Silent one
	// gets none if Op.Hushes says so.
	Problem string
	// Skip is how many bytes of the stream that follow the request are to be dropped unread: the data of a
	// request that is too large or malformed.
	Skip int64

	silencer Arg // the word that Silent is due to
}

// RequestParser finds the end of one request, its words and what is wrong with it. It is resumable: when
// a request is not yet whole it keeps its place, and the next call goes on there with the same bytes and
// more. The zero value is at the beginning of a request.
type RequestParser struct {
	Request

	pos   int // where to look for the line's end, counted from the request's first byte
	whole int // length of the request whose data is awaited; 0: the line comes first
}

// Reset forgets a request that was begun.
func (p *RequestParser) Reset() {
	p.Request = Request{Tokens: p.Tokens[:0]}
	p.pos, p.whole = 0, 0
}

// Missing is a lower bound of the bytes that are missing from the request begun in n bytes, at least
// one: what a reader should have room for.
func (p *RequestParser) Missing(n int) int { return max(p.whole-n, 1) }

// Next looks at b, which begins with a request. It returns the request's length once it is whole, and 0
// while bytes are missing. A request with a Problem is whole like any other. An error is a
// *ProtocolError; the connection is of no use after it.
func (p *RequestParser) Next(b []byte, lim *Limits) (int, error) {
	if p.whole == 0 {
		if len(b) > 0 && b[0] == binaryRequest {
			return p.binary(b), nil
		}
		i := bytes.IndexByte(b[p.pos:], '\n')
		if i < 0 {
			p.pos = len(b)
			return 0, endless(b, lim)
		}
		line := b[:p.pos+i+1]
		p.pos = 0
		if err := endless(line, lim); err != nil {
			return 0, err
		}
		p.Request = Request{Tokens: p.Tokens[:0], Line: len(line), Data: -1}
		p.judge(line, lim)
		if p.Data < 0 {
			return len(line), nil
		}
		p.whole = len(line) + p.Data + 2
	}
	n := p.whole
	if len(b) < n {
		return 0, nil
	}
	p.whole = 0
	if b[n-2] != '\r' || b[n-1] != '\n' {
		// The server, too, takes as many bytes as were announced and goes on behind them.
		p.Problem = badChunk
	}
	return n, nil
}

// endless says whether a line, whole or not, is so long that its end is not waited for.
func endless(line []byte, lim *Limits) error {
	n := len(line)
	if n <= lim.Line {
		return nil
	}
	if int64(n) > lim.Bytes || n > patience*lim.Line && !retrieves(line) {
		return errLine
	}
	return nil
}

// retrieves says whether a line may have any length. The server looks at no more than 100 spaces before
// the name to find that out.
func retrieves(line []byte) bool {
	i := 0
	for i <= 100 && i < len(line) && line[i] == ' ' {
		i++
	}
	if i > 100 {
		return false
	}
	line = line[i:min(len(line), i+5)]
	return bytes.HasPrefix(line, []byte("get ")) || bytes.HasPrefix(line, []byte("gat ")) ||
		string(line) == "gets " || string(line) == "gats "
}

// judge reads the line, whose end is its last byte.
func (p *RequestParser) judge(line []byte, lim *Limits) {
	words, clean := p.split(line, lim.Arguments)
	if words == 0 {
		p.Problem = plainError
		return
	}
	var problem string
	if p.Op, problem = lookup(p.word(line, 0)); problem != "" {
		p.Problem = problem
		return
	}
	s := &shapes[p.Op]
	if words < s.min || words > s.max {
		p.Problem = s.wrong
		return
	}
	if words > len(p.Tokens) {
		p.fault(tooManyWords)
	}
	if !clean {
		p.fault(badFormat)
	}
	if len(line) > lim.Line && !retrieves(line) {
		p.fault(lineTooLong)
	}
	if len(p.Tokens) < s.min {
		return // the caller's bound is tighter than the command
	}
	if s.keys > 0 {
		p.FirstKey, p.LastKey = s.key, s.key+1
		if s.keys == many {
			p.LastKey = len(p.Tokens)
		}
	}
	if last := p.Tokens[len(p.Tokens)-1]; s.noreply && len(p.Tokens) > max(p.LastKey, 1) && string(line[last.Off:last.Off+last.Len]) == "noreply" {
		// So it is for the server, even where the word stands in place of something else.
		p.Silent, p.silencer = true, last
	}
	p.arguments(line)
	if p.Data >= 0 {
		p.reconsider(lim)
	}
}

// reconsider decides whether the data that was announced becomes part of the request.
func (p *RequestParser) reconsider(lim *Limits) {
	if int64(p.Line)+int64(p.Data)+2 > lim.Bytes {
		p.fault(tooLarge)
	}
	if p.Problem != "" {
		p.Skip = int64(p.Data) + 2
		p.Data = -1
	}
}

// fault notes a mistake. The first one counts.
func (p *RequestParser) fault(text string) {
	if p.Problem == "" {
		p.Problem = text
	}
}

// word returns the i-th word of the line.
func (r *Request) word(line []byte, i int) []byte {
	a := r.Tokens[i]
	return line[a.Off : a.Off+a.Len]
}

// Blank is Strip for a request that must stay where it is: spaces take the place of what makes it silent. A
// server skips them. The tokens are not valid afterwards.
func (r *Request) Blank(b []byte) {
	if r.Silent {
		for i := r.silencer.Off; i < r.silencer.Off+r.silencer.Len; i++ {
			b[i] = ' '
		}
	}
}

// Strip removes what makes a Silent request silent, so that the server always answers. It moves the
// words before that towards the end of the line, in place, and returns the shorter request, which ends
// where b ends; b is the request as Next measured it. It is to be called once, and the tokens are not
// valid afterwards.
func (r *Request) Strip(b []byte) []byte {
	if !r.Silent {
		return b
	}
	// The space before the word goes with it.
	gone := r.silencer.Len + 1
	copy(b[gone:], b[:r.silencer.Off-1])
	return b[gone:]
}
