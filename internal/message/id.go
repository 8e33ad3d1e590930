// Package message has what the state machines of the data plane pass to each other: connection
// ids, tickets, requests and failures.
//
// All of it is loop-confined: one worker's goroutine owns every value.
package message

// ConnID names one connection of one worker: slot<<32 | generation. A slot is reused, an id is not
// (until its generation wraps after 2^32 connections in one slot), so that a stale id is recognised
// and ignored. Zero is no connection: generations start at one.
type ConnID uint64

// NewConnID joins a slot and a generation.
func NewConnID(slot, generation uint32) ConnID {
	return ConnID(slot)<<32 | ConnID(generation)
}

// Slot is the index of the connection in its worker's table.
func (id ConnID) Slot() uint32 { return uint32(id >> 32) }

// Generation counts the connections that have used the slot.
func (id ConnID) Generation() uint32 { return uint32(id) }

// Ticket is the receipt for one request or fragment given to a server connection. Whoever holds it
// can find the client's place in line again, or see that it is gone. It is a value of 16 bytes.
type Ticket struct {
	Client   ConnID
	Sequence uint32 // the request's number among the client's requests; wraps
	// Fragment is the fragment's index in its request. For a whole request it is 0, or WithData.
	Fragment uint32
}

// Key is what is known of a request's keys.
type Key struct {
	// At and End are where in the request its first key begins and ends. At is 0 if there may be other keys, or if it is not
	// known; so is End if it is not known.
	At, End int
	// Joinable says that the reply is as good for everybody who asks the same at that moment.
	Joinable bool
	// Mergeable says that the request is a line of get or gets in its plainest form, with this key alone: others of the kind
	// may be sent in one line with it.
	Mergeable bool
}

// WithData in Ticket.Fragment says that the request has a block of data behind its line, which a memcached that
// does not know the command takes for commands.
const WithData = 1 << 31
