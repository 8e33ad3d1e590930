// Package resp is the codec of the Redis protocol (RESP2 and RESP3): resumable parsers of requests and of
// replies, and encoders that append to a buffer. It knows no commands and does no I/O.
//
// Parsers are fed bytes as they come, in any chunks, and look at no byte twice. They are
// loop-confined; the encoders are pure functions. The wire format is described at
// https://redis.io/docs/latest/develop/reference/protocol-spec/; what exactly a server accepts, and
// in which words it refuses, follows Redis 7.
package resp

// ProtocolError is a violation of the protocol. Its text is the one that Redis gives the client.
type ProtocolError struct{ Text string }

// Error returns the text, which begins with "Protocol error".
func (e *ProtocolError) Error() string { return "Protocol error: " + e.Text }

// What clients can do wrong, in Redis' words.
var (
	errArrayLength     = &ProtocolError{"invalid multibulk length"}
	errBulkLength      = &ProtocolError{"invalid bulk length"}
	errBulkEnd         = &ProtocolError{"expected CRLF after a bulk string"}
	errInlineLength    = &ProtocolError{"too big inline request"}
	errInlineQuotes    = &ProtocolError{"unbalanced quotes in request"}
	errUnauthArray     = &ProtocolError{"unauthenticated multibulk length"}
	errUnauthBulk      = &ProtocolError{"unauthenticated bulk length"}
	errTooManyElements = &ProtocolError{"too many nested elements"}
	errReply           = &ProtocolError{"invalid reply"}
)

// Before a client has authenticated Redis accepts requests of this size only.
const (
	unauthArguments = 10
	unauthBulk      = 16 << 10
)
