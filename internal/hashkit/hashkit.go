// Package hashkit has twemproxy's twelve key hashes and its hash tags, bit for bit.
//
// A key's hash decides its server, so nothing here may ever change a result. The hashes equal those
// of twemproxy on x86-64, where char is signed: several of them sign-extend bytes from 0x80 up.
// Everything is a pure function without allocation; any goroutine may call it.
package hashkit

import "bytes"

// Func maps the bytes of a key to its 32-bit hash. It neither keeps nor changes key.
type Func func(key []byte) uint32

// Default is the name of the hash that a pool without a hash key uses.
const Default = "fnv1a_64"

// table is in twemproxy's order, which is also the order of its error texts and documents.
var table = [...]struct {
	name string
	hash Func
}{
	{"one_at_a_time", OneAtATime},
	{"md5", MD5},
	{"crc16", CRC16},
	{"crc32", CRC32},
	{"crc32a", CRC32a},
	{"fnv1_64", FNV1_64},
	{"fnv1a_64", FNV1a_64},
	{"fnv1_32", FNV1_32},
	{"fnv1a_32", FNV1a_32},
	{"hsieh", Hsieh},
	{"murmur", Murmur},
	{"jenkins", Jenkins},
}

// ByName returns the hash that twemproxy's configuration calls name: exact, case sensitive.
func ByName(name string) (Func, bool) {
	for i := range table {
		if table[i].name == name {
			return table[i].hash, true
		}
	}
	return nil, false
}

// Names returns the names that ByName knows, in twemproxy's order. The caller owns the slice.
func Names() []string {
	names := make([]string, len(table))
	for i := range table {
		names[i] = table[i].name
	}
	return names
}

// Tag is a pool's hash_tag: the two bytes between which the part of a key lies that is hashed. The
// zero Tag is "none": the whole key is hashed.
type Tag struct {
	Open, Close byte
	Set         bool
}

// Slice returns the part of key to hash, which is never empty unless key is. Only the first Open
// counts, and the first Close after it; if either is missing or nothing lies between them, the whole
// key is hashed. So "{}{a}" is hashed whole and of "{{a}}" the part "{a". Open may equal Close. The
// result aliases key.
func (t Tag) Slice(key []byte) []byte {
	if !t.Set {
		return key
	}
	return t.between(key)
}

// between is Slice for a tag that is set. It stands alone so that Slice is inlined.
func (t Tag) between(key []byte) []byte {
	open := bytes.IndexByte(key, t.Open)
	if open < 0 {
		return key
	}
	inside := key[open+1:]
	if n := bytes.IndexByte(inside, t.Close); n > 0 {
		return inside[:n]
	}
	return key
}

// Hash returns the hash of the part of key that t selects. As in twemproxy, an empty key hashes to 0
// without f being asked, whatever f says of no bytes.
func Hash(f Func, t Tag, key []byte) uint32 {
	if len(key) == 0 {
		return 0
	}
	return f(t.Slice(key))
}
