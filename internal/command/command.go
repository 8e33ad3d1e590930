// Package command is the table of Redis commands: what the proxy must know of a command to check,
// route and split it, and nothing of what the command does.
//
// The table covers Redis 7.0 and 7.2, and the later commands that only add to their shapes. It is
// built when the program starts and never changes; any goroutine may read it. Nothing here does I/O
// or keeps what it is given, and nothing on the request path allocates.
package command

import "github.com/cashew-proxy/cashew/internal/stats"

// Shape says how a command travels.
type Shape uint8

// The shapes.
const (
	// Refused commands would disturb others on a shared connection, or make no sense for a fleet.
	Refused Shape = iota
	// Local commands are answered by the proxy itself.
	Local
	// AnyServer commands have no key; whichever live server is asked, the answer is as good.
	AnyServer
	// OneKey commands have exactly one key, whose server they go to.
	OneKey
	// SameServer commands go whole to the server of their keys, which must be the same for all. If a
	// request has no key (EVAL with 0 keys, or a count or option that makes no sense), it goes to any
	// live server, whose reply, an error in most cases, is then the client's.
	SameServer
	// SplitArray commands are split by server; the replies are arrays with an element per key (MGET).
	SplitArray
	// SplitPairs commands have keys and values in turn and are split by server; all reply OK (MSET).
	SplitPairs
	// SplitSum commands are split by server; the replies are integers to add up (DEL).
	SplitSum
	// Everywhere commands concern all servers of a pool.
	Everywhere
	// Pinned commands block the connection or leave a state on it, and so need one of their own.
	Pinned

	shapes
)

var shapeNames = [shapes]string{
	"refused", "local", "any server", "one key", "same server", "split array", "split pairs",
	"split sum", "everywhere", "pinned",
}

// String names the shape in lower case.
func (s Shape) String() string {
	if s < shapes {
		return shapeNames[s]
	}
	return "unknown"
}

// Flags are the properties of a command as Redis declares them.
type Flags uint8

// The flags. A command that is neither Write nor ReadOnly may still change data: scripts do.
const (
	Write    Flags = 1 << iota // may change data
	ReadOnly                   // never changes data
	Blocking                   // may wait on the server for somebody else
	Admin                      // operates the server
	PubSub                     // publishes or subscribes
	NoAuth                     // allowed before authentication
)

// Spec is one command, or one subcommand of a container such as OBJECT. Specs belong to the table:
// nobody changes them.
type Spec struct {
	// Name is in lower case; a subcommand's has its container in front: "object|encoding".
	Name string

	// Arity is the number of arguments, the command's name counted; if negative, the least number.
	Arity int

	Flags Flags
	Shape Shape // see ShapeOf for the commands whose arguments decide

	// Simple means that there is exactly one key, always at FirstKey, and that no other argument
	// matters to the proxy: the request path then needs neither Resolve, ShapeOf nor AppendKeys.
	Simple bool

	// Joinable means that the reply to a request is as good for everybody who asks the same at that moment: it reads one
	// key, and changes nothing.
	Joinable bool

	// Class is what the command counts as.
	Class stats.Class

	KeySpec

	subs []Spec // of a container
}

// Is reports whether the command has all of the flags in f.
func (s *Spec) Is(f Flags) bool { return s.Flags&f == f }

// Accepts reports whether a request of argc arguments, the command's name counted, has a legal
// number of them. Keys that are to be split from their values must come in pairs; all other rules
// of a command's grammar are left to the server.
func (s *Spec) Accepts(argc int) bool {
	if s.Shape == SplitPairs && argc%2 == 0 {
		return false
	}
	if s.Arity < 0 {
		return argc >= -s.Arity
	}
	return argc == s.Arity
}

// Container reports whether the command has subcommands, so that Resolve must be asked.
func (s *Spec) Container() bool { return s.subs != nil }

// Resolve returns the Spec to act on: for a container the subcommand that the first argument names,
// or nil if it has none of that name; for all others, and for a container that stands alone, s. at
// returns an argument; argument 0 is the command's name.
func (s *Spec) Resolve(argc int, at func(int) []byte) *Spec {
	if s.subs == nil || argc < 2 {
		return s
	}
	name := at(1)
	for i := range s.subs {
		sub := &s.subs[i]
		if equalFold(name, sub.Name[len(s.Name)+1:]) {
			return sub
		}
	}
	return nil
}

// ShapeOf returns the shape of one request: s.Shape, but Pinned for an XREAD or XREADGROUP that asks
// to block.
func (s *Spec) ShapeOf(argc int, at func(int) []byte) Shape {
	if s.find == findStreams {
		if _, blocks := scanStreams(argc, at); blocks {
			return Pinned
		}
	}
	return s.Shape
}
