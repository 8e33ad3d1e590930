package hashkit

import (
	"crypto/md5"
	"encoding/binary"
	"hash/crc32"
)

// MD5 is the first four bytes of the key's MD5 (RFC 1321), little endian.
func MD5(key []byte) uint32 {
	sum := md5.Sum(key)
	return binary.LittleEndian.Uint32(sum[:])
}

// CRC32 is bits 16 to 30 of the IEEE CRC-32, as libmemcached has it: a result of 15 bits. With
// ketama every key then falls before the first point, on one server.
func CRC32(key []byte) uint32 {
	return crc32.ChecksumIEEE(key) >> 16 & 0x7fff
}

// CRC32a is the whole IEEE CRC-32.
func CRC32a(key []byte) uint32 { return crc32.ChecksumIEEE(key) }

// crc16Poly is x^16 + x^12 + x^5 + 1, most significant bit first (ITU-T V.41).
const crc16Poly = 0x1021

var crc16Table = makeCRC16Table()

func makeCRC16Table() (table [256]uint32) {
	for i := range table {
		crc := uint16(i) << 8
		for range 8 {
			carry := crc&0x8000 != 0
			crc <<= 1
			if carry {
				crc ^= crc16Poly
			}
		}
		table[i] = uint32(crc)
	}
	return table
}

// CRC16 is the CRC of XMODEM in a 32-bit register that twemproxy never masks: the low half is the
// true CRC, the high half is what was shifted out of it.
func CRC16(key []byte) uint32 {
	var h uint32
	for _, b := range key {
		h = h<<8 ^ crc16Table[byte(h>>8)^b]
	}
	return h
}
