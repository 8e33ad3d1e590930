package downstream

import (
	"net/netip"
	"time"

	"github.com/cashew-proxy/cashew/internal/command"
	"github.com/cashew-proxy/cashew/internal/stats"
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
	Pending                       int    // requests without an answer
	Unsent                        int64  // bytes of answers
	Partial                       int64  // bytes of a request that has not come whole
	Held                          int64  // bytes in buffers
	Flags                         string // as in CLIENT LIST
	Ending                        bool   // it is to be closed once it has its answers
}

// Portray makes a Portrait of a client that comes from peer.
func (s *Session) Portray(peer netip.AddrPort) Portrait {
	p := Portrait{
		Number: s.Number, Peer: peer, Name: s.name, Library: s.libraryName, LibraryVersion: s.libraryVersion,
		Database: s.lane.Database, Age: s.desk.Now.Sub(s.since), Idle: s.desk.Now.Sub(s.active),
		Pending: s.Unanswered(), Unsent: int64(s.out.Len()) + s.stored, Held: s.Held(),
		Flags: s.flags(), Ending: s.ending,
	}
	if s.partial != nil {
		p.Partial = int64(len(s.partial.buf))
	}
	switch {
	case s.lane.RESP3:
		p.Protocol = 3
	case s.Pool.Protocol == topology.Redis:
		p.Protocol = 2
	}
	return p
}

func (s *Session) portray() Portrait { return s.Portray(s.desk.Owner.Peer(s)) }

// Question is what a command wants to know that other workers know too.
type Question uint8

// The questions. Who asks for clients or hot keys is told the counts as well.
const (
	AskNothing Question = iota
	AskCounts
	AskClients
	AskHotKeys
)

// View is what all workers know of a pool.
type View struct {
	Counts  stats.Values
	Servers []stats.Values // with their gauges
	Clients []Portrait     // the oldest first
	HotKeys []stats.Heavy  // by samples, of which there are so many
	Samples uint64
}

// askedBy is what has to be known for the answer to a command that the proxy answers itself.
func askedBy(spec *command.Spec) Question {
	switch spec.Name {
	case "info", "proxy|stats", "proxy|servers":
		return AskCounts
	case "client|list", "client|kill":
		return AskClients
	case "proxy|hot":
		return AskHotKeys
	}
	return AskNothing
}

// learn puts what a command wants to know on the desk. It reports false, and has stopped the session, if other workers
// have to answer first.
func (s *Session) learn(q Question) bool {
	if q == AskNothing {
		return true
	}
	view, ok := s.desk.Owner.Look(s, q)
	if !ok {
		s.awaitPeers()
		return false
	}
	s.desk.view = view
	return true
}

// awaitPeers has the request, which was counted as answered here, wait until other workers have answered.
func (s *Session) awaitPeers() {
	s.counters.Undo(stats.LocalReplies)
	s.putOff()
}
