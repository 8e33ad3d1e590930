package eventloop

import (
	"errors"
	"fmt"
	"syscall"

	"github.com/cashew-proxy/cashew/internal/message"
)

// interest is what the poller watches a descriptor for. Errors and hang-ups are always reported.
type interest uint8

const (
	wantRead interest = 1 << iota
	wantWrite

	// unwatched: the poller does not know the descriptor.
	unwatched interest = 0x80
)

// event is what the poller saw of one descriptor.
type event struct {
	id       message.ConnID
	readable bool
	writable bool
	broken   bool // hang-up or error
}

// The ids of descriptors that are not connections.
const (
	firstReserved = 0xffff0000 // slots from here up are the loop's own
	wakeSlot      = 0xffffffff
	listenerSlot  = 0xfffffffe // the first listener's; the others' are below it

	wakeID = message.ConnID(wakeSlot << 32)
)

// poller is a driver: epoll or poll(2). Level-triggered.
type poller interface {
	// add begins to watch a descriptor that is unwatched.
	add(fd int, id message.ConnID, want interest) syscall.Errno
	// change replaces the interest in a watched descriptor.
	change(fd int, id message.ConnID, want interest) syscall.Errno
	// remove stops watching a descriptor that stays open.
	remove(fd int)
	// forget is called before a descriptor, watched or not, is closed.
	forget(fd int)
	// wait appends what is ready to events. It waits for at most timeout milliseconds, -1 being
	// without end, and returns early without an event when a signal comes.
	wait(events []event, timeout int) ([]event, error)
	close()
}

var errDriver = errors.New("not available here")

func newPoller(driver string) (poller, error) {
	switch driver {
	case "":
		return newBestPoller()
	case "epoll":
		return newEpoll()
	case "poll":
		return newPoll(), nil
	}
	return nil, fmt.Errorf("driver %q: %w", driver, errDriver)
}
