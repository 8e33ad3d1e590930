// Package memcached is the codec of memcached's text and meta protocols: resumable parsers of requests
// and of replies. It does no I/O.
//
// What the request parser lets through gets exactly one reply from a server, after Strip: everything
// that would make a server answer nothing, answer twice, close the connection or take another number
// of bytes for data is found here and never forwarded. The proxy pairs replies with requests by their
// order alone, so this is what keeps clients from getting each other's replies.
//
// Parsers are fed bytes as they come, in any chunks, and look for a line's end in no byte twice. They
// are loop-confined; functions are pure. The protocol is described in memcached's doc/protocol.txt;
// what exactly a server accepts, and in which words it refuses, follows the server of ProtocolVersion
// and is compared with a real one in the tests. Where this package is stricter, a comment says why.
package memcached

// ProtocolVersion is the level of memcached's protocol that is understood.
const ProtocolVersion = "1.6.18"

// ProtocolError ends a stream that cannot be followed any more. Text is the reply to send before the
// connection is closed, without its CRLF.
type ProtocolError struct{ Text string }

// Error returns the text.
func (e *ProtocolError) Error() string { return e.Text }

var (
	errLine  = &ProtocolError{lineTooLong}
	errReply = &ProtocolError{"SERVER_ERROR invalid reply"}
)

// What clients can do wrong, in the server's words. The first group answers mistakes of which the
// server knows nothing, because it is not asked or because it closes the connection.
const (
	lineTooLong  = "CLIENT_ERROR line too long"
	tooManyWords = "CLIENT_ERROR too many arguments"
	rawKey       = "CLIENT_ERROR a key with a line end cannot be returned"
	binaryText   = "CLIENT_ERROR the binary protocol is not supported, use the text or the meta protocol"

	noValues      = "END"
	plainError    = "ERROR"
	badFormat     = "CLIENT_ERROR bad command line format"
	badChunk      = "CLIENT_ERROR bad data chunk"
	tooLarge      = "SERVER_ERROR object too large for cache"
	badDelta      = "CLIENT_ERROR invalid numeric delta argument"
	badExptime    = "CLIENT_ERROR invalid exptime argument"
	deleteUsage   = "CLIENT_ERROR bad command line format.  Usage: delete <key> [noreply]"
	duplicateFlag = "CLIENT_ERROR duplicate flag"
	badFlag       = "CLIENT_ERROR invalid or duplicate flag"
	undecodable   = "CLIENT_ERROR error decoding key"
	longOpaque    = "CLIENT_ERROR opaque token too long"
	manyFlagsGet  = "CLIENT_ERROR options flags are too long"
	manyFlags     = "CLIENT_ERROR options flags too long"
)

// Bounds of the server.
const (
	maxKey    = 250       // bytes of a key, as it is written on the line
	maxOpaque = 32        // bytes of an opaque token, its O included
	maxMeta   = 19        // words of a meta command
	maxData   = 1<<31 - 3 // bytes of a data block, which the server counts in an int with its CRLF
)
