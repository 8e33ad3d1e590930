package downstream

import (
	"bytes"
	"strings"
	"time"

	"github.com/cashew-proxy/cashew/internal/clock"
	"github.com/cashew-proxy/cashew/internal/command"
	"github.com/cashew-proxy/cashew/internal/memcached"
)

// replies is what a client wants to hear, as CLIENT REPLY says.
type replies uint8

const (
	repliesOn replies = iota
	skipNext          // but for the answer to the next request
	skipThis          // the request being dispatched is that one
	repliesOff
)

// Pause is which requests of a pool's clients wait, as CLIENT PAUSE or an operator says.
type Pause uint8

// The pauses, by how much they stop.
const (
	PauseNone Pause = iota
	PauseWrites
	PauseAll
)

// The fast path serves clients that are authenticated, want to hear all, and are not paused. One flag says
// so: it is all that the others' requests pay.
func (s *Session) setAuthed(authed bool) { s.authed = authed; s.setPlain() }

func (s *Session) setPlain() {
	s.plain = s.authed && s.replies == repliesOn && s.pause == PauseNone
}

// muted says that the answer to the request being dispatched is wanted by nobody.
func (s *Session) muted() bool { return s.replies >= skipThis }

func (s *Session) hear(r replies) { s.replies = r; s.setPlain() }

// setReplies answers CLIENT REPLY ON|OFF|SKIP; only ON has an answer.
func (s *Session) setReplies(arg []byte) {
	reply := ""
	switch {
	case bytes.EqualFold(arg, []byte("on")):
		s.hear(repliesOn)
		reply = okay
	case bytes.EqualFold(arg, []byte("off")):
		s.hear(repliesOff)
	case bytes.EqualFold(arg, []byte("skip")):
		if s.replies != repliesOff {
			s.hear(skipNext)
		}
	default:
		reply = syntaxError
	}
	if reply != "" {
		s.answerLocally(append(s.desk.scratch[:0], reply...))
	}
}

// serveSkipped dispatches the one request whose answer is not wanted.
func (s *Session) serveSkipped(r *request) {
	s.hear(skipThis)
	s.serve(r)
	if s.replies != skipThis {
		return // it was CLIENT REPLY itself
	}
	if s.again {
		s.hear(skipNext) // it will be dispatched once more
	} else {
		s.hear(repliesOn)
	}
}

// SetPause has the client stop at its next request of those that are paused. Whoever lifts a pause has to
// have GoOn called.
func (s *Session) SetPause(p Pause) { s.pause = p; s.setPlain() }

// pauses says that a request has to wait for the end of a pause. In Redis all do, CLIENT UNPAUSE too; here those do
// not with which a client begins, and CLIENT: a pause that nobody can end helps nobody, and whoever wants to end it
// has to come in.
func (s *Session) pauses(spec *command.Spec) bool {
	if s.pause == PauseAll {
		return !spec.Is(command.NoAuth) && spec.Name != "select" && !strings.HasPrefix(spec.Name, "client|")
	}
	return s.pause == PauseWrites && mayWrite(spec)
}

// pausesMemcached is pauses for a memcached's client. What is answered here is answered during a pause: with "version"
// libraries begin. "mg" counts as a write, as its flags may make an item or change how long it lives; so does "gat".
func (s *Session) pausesMemcached(op memcached.Op) bool {
	switch op {
	case memcached.Version, memcached.Verbosity, memcached.Quit:
		return false
	case memcached.Get, memcached.Gets, memcached.MetaDebug, memcached.MetaNoop, memcached.Stats:
		return s.pause == PauseAll
	}
	return true
}

// mayWrite says that a command may change data: what is declared so, and scripts that are not declared to
// only read. PFCOUNT writes down what it has counted.
func mayWrite(spec *command.Spec) bool {
	switch spec.Shape {
	case command.Local, command.AnyServer, command.Refused:
		return false
	}
	return !spec.Is(command.ReadOnly) || spec.Name == "pfcount"
}

// longestPause is what a timeout beyond it means.
const longestPause = 100 * 365 * 24 * time.Hour

// pauseClients answers CLIENT PAUSE timeout [WRITE|ALL]. It reports false as long as other workers do not know of the
// pause: with +OK none of their clients' requests goes out any more.
func (s *Session) pauseClients(r *request) (string, bool) {
	mode := PauseAll
	switch {
	case len(r.args) > 4:
		return subcommandArity(r), true
	case len(r.args) == 3 || bytes.EqualFold(r.arg(3), []byte("all")):
	case bytes.EqualFold(r.arg(3), []byte("write")):
		mode = PauseWrites
	default:
		return "-ERR CLIENT PAUSE mode must be WRITE or ALL\r\n", true
	}
	ms, ok := integer(r.arg(2))
	switch {
	case !ok:
		return "-ERR timeout is not an integer or out of range\r\n", true
	case ms < 0:
		return "-ERR timeout is negative\r\n", true
	}
	length := longestPause
	if ms < longestPause.Milliseconds() {
		length = time.Duration(ms) * time.Millisecond
	}
	return okay, s.desk.Owner.Pause(s, mode, s.until(length))
}

func (s *Session) until(length time.Duration) clock.Instant { return s.desk.Now.Add(length) }
