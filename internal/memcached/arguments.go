package memcached

import (
	"bytes"
	"math"
)

// arguments checks the words of a line whose number fits the command. Data becomes the length of the
// data block, if one was announced so that it can be skipped.
func (p *RequestParser) arguments(line []byte) {
	switch p.Op {
	case Get, Gets:
		p.keyLengths()
	case Gat, Gats:
		p.fits(line, 1, badExptime, int32s)
		if len(p.Tokens) == 2 {
			p.fault(noValues) // no key: nothing says which server to ask
		}
		p.keyLengths()
	case Set, Add, Replace, Append, Prepend, CAS:
		p.keyLengths()
		p.fits(line, 2, badFormat, uint32s)
		p.fits(line, 3, badFormat, int32s)
		p.dataLength(line, 4)
		if p.Op == CAS {
			p.fits(line, 5, badFormat, uint64s)
		}
	case Delete:
		p.deletion(line)
		p.keyLengths()
	case Incr, Decr:
		p.keyLengths()
		p.fits(line, 2, badDelta, uint64s)
	case Touch:
		p.keyLengths()
		p.fits(line, 2, badExptime, int32s)
	case MetaGet, MetaSet, MetaDelete, MetaArithmetic:
		p.meta(line)
	case MetaDebug:
		p.keyLengths()
		if len(p.Tokens) > 2 && string(p.word(line, 2)) == "b" {
			p.Base64 = true
			p.decodable(line, badFormat, true)
		}
	case Verbosity:
		p.fits(line, 1, badFormat, uint32s)
	case Stats:
		p.statistics(line)
	case FlushAll:
		if !p.Silent && len(p.Tokens) > 1 || len(p.Tokens) > 2 {
			p.fits(line, 1, badExptime, int32s)
		}
	}
}

// keyLengths checks the lengths of the keys.
func (p *RequestParser) keyLengths() {
	for _, key := range p.Tokens[p.FirstKey:p.LastKey] {
		if key.Len > maxKey {
			p.fault(badFormat)
			return
		}
	}
}

// deletion: old clients send a delay of zero, which is accepted; nothing else may follow the key.
func (p *RequestParser) deletion(line []byte) {
	words := len(p.Tokens)
	zero := words > 2 && string(p.word(line, 2)) == "0"
	if words == 3 && !zero && !p.Silent || words == 4 && !(zero && p.Silent) {
		p.fault(deleteUsage)
	}
}

// statistics refuses what is not answered as other statistics are: in lines of which none is the last, or
// that contain keys as they are, line ends of binary ones included.
func (p *RequestParser) statistics(line []byte) {
	if len(p.Tokens) < 2 {
		return
	}
	switch string(p.word(line, 1)) {
	case "sizes_enable":
		p.fault("CLIENT_ERROR stats sizes_enable not allowed")
	case "cachedump":
		p.fault("CLIENT_ERROR stats cachedump not allowed")
	case "sizes_disable":
		p.fault("CLIENT_ERROR stats sizes_disable not allowed")
	}
}

// dataLength reads the length of a data block. Where it is a length at all the block is skipped with
// the request, whatever else is wrong: else a client's data would be taken for requests.
func (p *RequestParser) dataLength(line []byte, i int) {
	n, negative, ok := integer(p.word(line, i))
	if !ok || negative || n > math.MaxInt64-1<<20 {
		p.fault(badFormat)
		return
	}
	if n > maxData {
		p.fault(badFormat)
	}
	if int64(int(n)) == int64(n) {
		p.Data = int(n)
	}
}

// meta checks what matters in a meta command; flags that the server does not know it refuses itself,
// once.
func (p *RequestParser) meta(line []byte) {
	p.keyLengths()
	first := 2
	if p.Op == MetaSet {
		first = 3
	}
	if len(p.Tokens) < first {
		p.fault(badFormat)
		return
	}
	if len(p.Tokens) > maxMeta {
		p.fault(manyFlagsText(p.Op))
	}
	if p.Op == MetaSet {
		p.dataLength(line, 2)
	}
	var seen [2]uint64 // by the flag's letter
	returnsKey, longest := false, 0
	for _, flag := range p.Tokens[first:] {
		letter := line[flag.Off]
		if letter >= 127 || seen[letter>>6]&(1<<(letter&63)) != 0 {
			p.fault(duplicateText(p.Op))
			return
		}
		seen[letter>>6] |= 1 << (letter & 63)
		switch letter {
		case 'b':
			p.Base64 = true
		case 'k':
			returnsKey = true
		case 'q':
			p.Silent, p.silencer = true, flag
		case 'O':
			longest = flag.Len
		}
	}
	if p.Base64 {
		p.decodable(line, undecodableText(p.Op), p.Op == MetaGet && returnsKey)
	}
	if longest > maxOpaque {
		p.fault(longOpaque)
	}
}

func manyFlagsText(op Op) string {
	if op == MetaGet {
		return manyFlagsGet
	}
	return manyFlags
}

func duplicateText(op Op) string {
	if op == MetaGet || op == MetaSet {
		return duplicateFlag
	}
	return badFlag
}

func undecodableText(op Op) string {
	if op == MetaGet || op == MetaSet {
		return undecodable
	}
	return badFlag
}

// decodable checks a key in base64. returned says that the reply repeats the key.
//
// The server then is to encode it again, but it forgets to for items that a mg or ma created, an append
// rewrote or an incr made longer: it sends the key's bytes as they are, and a line end among them would
// split the reply in two. Other control characters do no harm there.
func (p *RequestParser) decodable(line []byte, text string, returned bool) {
	if p.Problem != "" {
		return // perhaps the key is too long
	}
	var space [maxKey]byte
	key, ok := DecodeKey(space[:0], p.word(line, p.FirstKey))
	if !ok {
		p.fault(text)
	} else if returned && bytes.IndexByte(key, '\n') >= 0 {
		p.fault(rawKey)
	}
}

// domain is a set of integers.
type domain struct{ most, least uint64 } // the greatest, and how far below zero it goes

// What the server's fields hold. It takes greater numbers too and cuts them off, one release not as
// another; here they are mistakes.
var (
	uint32s = domain{math.MaxUint32, 0}
	int32s  = domain{math.MaxInt32, math.MaxInt32 + 1}
	uint64s = domain{math.MaxUint64, 0}
)

// fits notes a mistake unless the i-th word is an integer of the domain.
func (p *RequestParser) fits(line []byte, i int, text string, d domain) {
	n, negative, ok := integer(p.word(line, i))
	if !ok || negative && n > d.least || !negative && n > d.most {
		p.fault(text)
	}
}

// integer reads an integer as C's strtoull does, sign and leading zeros included, and returns its
// absolute value. ok is false if the word is anything else or the number needs more than 64 bits.
func integer(word []byte) (n uint64, negative, ok bool) {
	if len(word) > 1 && (word[0] == '-' || word[0] == '+') {
		negative = word[0] == '-'
		word = word[1:]
	}
	for _, c := range word {
		digit := uint64(c - '0')
		if digit > 9 || n > math.MaxUint64/10 || n*10 > math.MaxUint64-digit {
			return 0, false, false
		}
		n = n*10 + digit
	}
	return n, negative && n > 0, len(word) > 0
}
