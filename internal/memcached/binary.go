package memcached

import "encoding/binary"

// The binary protocol, as far as it takes to refuse it. See
// https://github.com/memcached/memcached/wiki/BinaryProtocolRevamped.
const (
	binaryRequest  = 0x80
	binaryResponse = 0x81
	binaryHeader   = 24
	notSupported   = 0x0083
)

// binary takes the header of a request of the binary protocol; what follows it is skipped.
func (p *RequestParser) binary(b []byte) int {
	if len(b) < binaryHeader {
		return 0
	}
	p.Reset()
	p.Op, p.Line, p.Data = Binary, binaryHeader, -1
	p.Problem = binaryText
	p.Skip = int64(binary.BigEndian.Uint32(b[8:]))
	return binaryHeader
}

// AppendBinaryError appends the answer to a request of Op Binary: a response that a client of the binary
// protocol understands, and that tells what to use instead. header is the request, 24 bytes.
func AppendBinaryError(dst, header []byte) []byte {
	const text = "Not supported: use the text or the meta protocol"
	dst = append(dst, binaryResponse, header[1], 0, 0, 0, 0)
	dst = binary.BigEndian.AppendUint16(dst, notSupported)
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(text)))
	dst = append(dst, header[12:16]...) // the opaque, which pairs a response with its request
	dst = append(dst, 0, 0, 0, 0, 0, 0, 0, 0)
	return append(dst, text...)
}
