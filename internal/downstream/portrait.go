package downstream

import (
	"net/netip"
	"time"

	"github.com/cashew-proxy/cashew/internal/topology"
)

// Portrait is a client as an operator sees it, at a moment. It shares nothing with the session.
type Portrait struct {
	Number                        uint64
	Peer                          netip.AddrPort // not valid for a unix socket
	Name, Library, LibraryVersion string         // that it has told
	Database                      int
	Protocol                      int // 2 or 3; 0 for memcached
	Age, Idle                     time.Duration
	Pending                       int   // requests without an answer
	Unsent                        int64 // bytes of answers
	Held                          int64 // bytes in buffers
}

// Portray makes a Portrait of a client that comes from peer.
func (s *Session) Portray(peer netip.AddrPort) Portrait {
	p := Portrait{
		Number: s.Number, Peer: peer, Name: s.name, Library: s.libraryName, LibraryVersion: s.libraryVersion,
		Database: s.lane.Database, Age: s.desk.Now.Sub(s.since), Idle: s.desk.Now.Sub(s.active),
		Pending: s.Unanswered(), Unsent: int64(s.out.Len()) + s.stored, Held: s.Held(),
	}
	switch {
	case s.lane.RESP3:
		p.Protocol = 3
	case s.Pool.Protocol == topology.Redis:
		p.Protocol = 2
	}
	return p
}
