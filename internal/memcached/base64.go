package memcached

// sextets has the value of each letter of base64; 0x80 for what is none. Padding counts as zero.
var sextets = func() (t [256]byte) {
	for i := range t {
		t[i] = 0x80
	}
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
	for i := range letters {
		t[letters[i]] = byte(i)
	}
	t['='] = 0
	return t
}()

// DecodeKey appends to dst the bytes that a key in base64 stands for, which are the key that the server
// knows. It returns dst and false if the server cannot decode it. key and dst must not overlap.
//
// It follows the server to the letter, because both must mean the same item: bytes that are no letters
// of base64 are passed over, what remains comes in fours, and the first padding ends the key.
func DecodeKey(dst, key []byte) ([]byte, bool) {
	count := 0
	for _, c := range key {
		if sextets[c] != 0x80 {
			count++
		}
	}
	if count == 0 || count%4 != 0 {
		return dst, false
	}
	block, have, padding := uint32(0), 0, 0
	out := dst
	for _, c := range key {
		v := sextets[c]
		if v == 0x80 {
			continue
		}
		if c == '=' {
			padding++
		}
		block = block<<6 | uint32(v)
		if have++; have < 4 {
			continue
		}
		out = append(out, byte(block>>16), byte(block>>8), byte(block))
		if padding > 2 {
			return dst, false
		}
		if padding > 0 {
			return out[:len(out)-padding], true
		}
		block, have = 0, 0
	}
	return out, true
}
