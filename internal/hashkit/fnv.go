package hashkit

// FNV's offset bases and primes (http://www.isthe.com/chongo/tech/comp/fnv/). Of the 64-bit ones only
// the low halves are kept: twemproxy returns the low 32 bits of the 64-bit hash, and the low half of
// a product depends only on the low halves of its factors.
const (
	offset64Low = 0x84222325
	prime64Low  = 0x1b3
	offset32    = 0x811c9dc5
	prime32     = 0x01000193
)

// extend is a byte as a signed char widened to 32 bits.
func extend(b byte) uint32 { return uint32(int32(int8(b))) }

// FNV1_64 is the low half of FNV-1 with 64 bits over signed bytes.
func FNV1_64(key []byte) uint32 {
	h := uint32(offset64Low)
	for _, b := range key {
		h = h*prime64Low ^ extend(b)
	}
	return h
}

// FNV1a_64 is the low half of FNV-1a with 64 bits over signed bytes: the default hash. Each byte
// costs one xor and one multiplication that must wait for each other; unrolling hides the rest.
func FNV1a_64(key []byte) uint32 {
	h := uint32(offset64Low)
	for len(key) >= 8 {
		h = (h ^ extend(key[0])) * prime64Low
		h = (h ^ extend(key[1])) * prime64Low
		h = (h ^ extend(key[2])) * prime64Low
		h = (h ^ extend(key[3])) * prime64Low
		h = (h ^ extend(key[4])) * prime64Low
		h = (h ^ extend(key[5])) * prime64Low
		h = (h ^ extend(key[6])) * prime64Low
		h = (h ^ extend(key[7])) * prime64Low
		key = key[8:]
	}
	for _, b := range key {
		h = (h ^ extend(b)) * prime64Low
	}
	return h
}

// FNV1_32 is FNV-1 with 32 bits over signed bytes.
func FNV1_32(key []byte) uint32 {
	h := uint32(offset32)
	for _, b := range key {
		h = h*prime32 ^ extend(b)
	}
	return h
}

// FNV1a_32 is FNV-1a with 32 bits over signed bytes.
func FNV1a_32(key []byte) uint32 {
	h := uint32(offset32)
	for _, b := range key {
		h = (h ^ extend(b)) * prime32
	}
	return h
}
