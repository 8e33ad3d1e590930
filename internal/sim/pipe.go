package sim

import (
	"github.com/cashew-proxy/cashew/internal/clock"
	"github.com/cashew-proxy/cashew/internal/message"
)

// queue is bytes on their way.
type queue struct {
	b   []byte
	off int
}

func (q *queue) size() int { return len(q.b) - q.off }

func (q *queue) bytes() []byte { return q.b[q.off:] }

func (q *queue) add(b []byte) { q.b = append(q.b, b...) }

func (q *queue) drop(n int) {
	q.off += n
	switch {
	case q.off == len(q.b):
		q.b, q.off = q.b[:0], 0
	case q.off > 4<<10 && q.off > len(q.b)/2:
		q.b = q.b[:copy(q.b, q.b[q.off:])]
		q.off = 0
	}
}

func (q *queue) clear() { q.b, q.off = q.b[:0], 0 }

// pipe is one connection of the proxy, as the kernel sees it.
type pipe struct {
	id     message.ConnID
	at     *worker // nil while a client is on its way from one to another
	client *client // whose it is, or
	server *server

	since   int // the number of the ring in force when it was made
	dialing bool
	due     clock.Instant // when the dialing ends

	in  queue // for the proxy to read
	out queue // that the proxy wrote, for the peer to read

	fin     bool  // the peer sends nothing after in
	reset   error // the connection is gone, for this reason
	told    bool  // the proxy knows of reset
	finTold bool  // the proxy knows of fin
	plugged bool  // takes nothing from the proxy for now

	interest bool // the proxy wants to read
	want     bool // the proxy has output that did not fit
	closed   bool // by the proxy
	deserted bool // sabotage: it is never written to
	done     bool // and the peer has taken note
}

// room is how many bytes the proxy may write.
func (p *pipe) room(buffer int) int {
	if p.plugged {
		return 0
	}
	return max(buffer-p.out.size(), 0)
}

// cut makes the connection end with an error; what the proxy has not read may be lost with it.
func (p *pipe) cut(err error, keep int) {
	p.reset = err
	p.in.b = p.in.b[:p.in.off+min(keep, p.in.size())]
	p.out.clear()
}
