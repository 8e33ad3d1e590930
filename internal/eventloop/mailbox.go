package eventloop

import (
	"sync"
	"sync/atomic"

	"github.com/cashew-proxy/cashew/internal/clock"
)

// maxMail bounds the functions run in one turn, so that mail cannot starve the sockets.
const maxMail = 256

// mailbox takes functions from any goroutine to the loop's.
//
// Nobody makes a system call while the loop is awake. The loop sets sleeping, looks for mail again
// and only then sleeps; a sender leaves its mail first and looks at sleeping afterwards. So one of the
// two always sees the other.
type mailbox struct {
	sleeping atomic.Bool
	waiting  atomic.Bool // queue is not empty

	mu      sync.Mutex
	queue   []func(clock.Instant)
	refused bool
	writeFD int // wakes the poller; -1 when closed

	// The loop's own.
	readFD int
	batch  []func(clock.Instant) // taken from queue
	done   int                   // how many of batch have been called
}

func (m *mailbox) open() error {
	r, w, err := newWaker()
	if err != nil {
		return err
	}
	m.readFD, m.writeFD = r, w
	return nil
}

// post queues f and wakes the loop if it sleeps.
func (m *mailbox) post(f func(clock.Instant)) bool {
	m.mu.Lock()
	defer m.mu.Unlock() // held while waking: close must not free the descriptor under our hands
	if m.refused {
		return false
	}
	m.queue = append(m.queue, f)
	m.waiting.Store(true)
	if m.sleeping.CompareAndSwap(true, false) {
		wake(m.writeFD)
	}
	return true
}

// pending tells whether there is mail to run.
func (m *mailbox) pending() bool { return m.done < len(m.batch) || m.waiting.Load() }

// run calls at most maxMail functions.
func (m *mailbox) run(now clock.Instant) {
	for range maxMail {
		if m.done == len(m.batch) && !m.take() {
			return
		}
		f := m.batch[m.done]
		m.batch[m.done] = nil
		m.done++ // before the call: it may panic, and must not be called again
		f(now)
	}
}

// take swaps the queue for the batch that was run.
func (m *mailbox) take() bool {
	if !m.waiting.Load() {
		return false
	}
	m.mu.Lock()
	m.batch, m.queue = m.queue, m.batch[:0]
	m.waiting.Store(false)
	m.mu.Unlock()
	m.done = 0
	return true
}

// refuse ends the acceptance of mail. What is there can still be run.
func (m *mailbox) refuse() {
	m.mu.Lock()
	m.refused = true
	m.mu.Unlock()
}

// drain takes the wakeup from the descriptor, which would be ready for ever.
func (m *mailbox) drain() {
	var buf [64]byte
	sysRead(m.readFD, buf[:])
}

// close frees the descriptors, after refuse.
func (m *mailbox) close() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.refused = true
	if m.writeFD < 0 {
		return
	}
	sysClose(m.readFD)
	if m.writeFD != m.readFD {
		sysClose(m.writeFD)
	}
	m.readFD, m.writeFD = -1, -1
}
