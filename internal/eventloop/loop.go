// Package eventloop moves the bytes of one worker: a poller, its sockets, its timer and its mailbox.
// It knows no protocol. It drives a Handler, which is the engine, and is the Host that the engine asks
// to dial, pause and close.
//
// Only the room proxy uses it, and metrics to listen. One goroutine, the one that calls Run, owns a Loop and everything in
// it. From other goroutines only Post, Stop and Stats may be called, and Listen and a Listener's
// methods, which have nothing to do with a loop.
//
// A turn is: wait, read every ready socket once, run the mailbox, ask the handler what is to be
// written, write it, change what the poller watches, close what was to be closed. On Linux the
// poller is epoll; elsewhere, and for comparison also on Linux, it is poll(2).
package eventloop

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cashew-proxy/cashew/internal/clock"
	"github.com/cashew-proxy/cashew/internal/message"
)

const (
	// scratchSize is the loop's read buffer, and with it what one server can bring into a turn. A server that finds
	// its socket full has to come back for the rest, which costs it and the loop more than the room.
	scratchSize = 256 << 10
	// maxTransfer bounds the bytes of one read or write, and about those that one connection is written in a turn.
	maxTransfer = 1 << 20
	// rawTransfer bounds those of system calls that the scheduler does not see: a garbage collection has to wait
	// for them, and copying 256 KiB takes some 20 µs.
	rawTransfer = 256 << 10
	// maxVectors bounds the buffers of one write; it is the kernels' limit, IOV_MAX.
	maxVectors = 1024
	// maxWrites bounds the writes to one connection in one turn; it goes on in the next.
	maxWrites = 4
	// maxAccepts bounds the connections that one listener accepts in one turn.
	maxAccepts = 64
	// yieldEvery is how long the loop's time slice in Go's scheduler may be: half of what the scheduler allows, as a turn
	// may be long.
	yieldEvery = 5 * time.Millisecond
	// acceptPause is how long a listener rests when the process has no descriptor left.
	acceptPause = 100 * time.Millisecond
)

// Handler is what the loop drives; the engine satisfies it. All calls come from the loop's goroutine.
// Inside each of them except Space and Output, the handler may call the loop's Dial, Interest, Finish
// and Close; these never call back.
type Handler interface {
	// Accept tells of a new client and returns its id; 0 refuses it, and it is closed at once. The
	// listener is the number given to AddListener; peer is zero for a unix socket.
	Accept(now clock.Instant, listener int, peer netip.AddrPort) message.ConnID
	// Connected tells how a Dial ended. After an error nothing more is reported of the connection;
	// the handler still calls Close, or uses the slot again under its next generation.
	Connected(now clock.Instant, id message.ConnID, err error)
	// Space returns where the next bytes of id are to be read: scratch, or the tail of a large value,
	// of which at most 1 MiB is used in one turn. Nothing at all means scratch.
	Space(id message.ConnID, scratch []byte) []byte
	// Received hands over the bytes read, the beginning of what Space returned. If that was scratch,
	// nothing of it may be kept; it may be overwritten.
	Received(now clock.Instant, id message.ConnID, in []byte)
	// Lost tells that nothing more will be received. A nil error is the peer's FIN: output is still
	// sent, and the handler closes the connection when it has no more. Any other error, a SysError,
	// ends both directions; it may follow a nil one, and nothing is reported after it.
	Lost(now clock.Instant, id message.ConnID, err error)
	// Output appends unsent bytes of id to iov, within its capacity. They are borrowed until
	// Sent, or until the next call for id if none of them could be sent.
	Output(id message.ConnID, iov [][]byte) [][]byte
	// Sent tells that the first n bytes of what Output returned are with the kernel.
	Sent(now clock.Instant, id message.ConnID, n int)
	// Turn ends the handler's part of a turn. It returns the connections that have output, and when
	// it wants its next Turn at the latest (clock.Never: not before something happens). The loop
	// reads dirty until the next Turn; what Sent or Lost make dirty belongs to the next one, which
	// comes before the loop sleeps.
	Turn(now clock.Instant) (dirty []message.ConnID, next clock.Instant)
}

// Options are the settings of a Loop. The zero value is fit for tests.
type Options struct {
	// Driver is "epoll" (Linux only) or "poll"; empty means the platform's best.
	Driver string

	// OnPanic is told of a panic in a handler's call or a mailbox function, after all connections
	// were closed. If it returns true, Reset gives the handler to go on with; otherwise Run ends.
	// Without OnPanic, Run ends.
	OnPanic func(value any, stack []byte) (goOn bool)
	// Reset returns a new handler that knows no connection, or the old one brought to that state.
	// OnPanic needs it.
	Reset func() Handler

	// Lookup finds the addresses of servers' names, in goroutines of its own; nil is the system's way.
	Lookup LookupFunc
	// Named is told when the name of a server has another address or resolves again, and with an error
	// when it resolves no more. The address is "host:port"; last is the one in use, "" if there never was one.
	Named func(address, last string, err error)
}

// Loop is an event loop. Its methods belong to the goroutine of Run unless they say otherwise.
type Loop struct {
	options Options
	handler Handler
	poll    poller
	mailbox mailbox

	now       clock.Instant // read once per turn
	next      clock.Instant // when the handler wants its next Turn
	unsettled bool          // the handler was called since its last Turn
	asleep    bool          // the last wait could sleep, from now on
	yieldAt   clock.Instant // when Go's scheduler is to begin a new time slice
	stopping  bool
	discarded bool

	conns     []*conn // by slot; a struct is made once per slot and used again
	listeners []*listener
	resumeAt  clock.Instant // when the first paused listener goes on; Never if none is paused

	scratch []byte
	events  []event
	iov     [][]byte
	writer  writer

	outcomes  []outcome        // dials that ended at once, to be reported
	reporting []outcome        // the other half of that double buffer
	again     []message.ConnID // to be written although the handler does not list them
	writing   []message.ConnID // the other half of that double buffer
	marked    []*conn          // whose interest may have changed
	closing   []int            // descriptors, closed when the turn is over
	lingerers []lingering      // see Finish
	lingerAt  clock.Instant    // when they are looked at
	admitting int              // a descriptor in the handler's Accept, or -1

	names     map[string]*name // of servers that have one, by "host:port"
	tendAt    clock.Instant    // when something is to be done about names
	asking    int              // names that are being looked up
	resolving sync.WaitGroup
	ctx       context.Context // ends with Run; for resolvers only
	cancel    context.CancelFunc

	count     Stats
	published [statsFields]atomic.Uint64
}

// New makes a loop with its poller and mailbox. The caller gives it listeners and calls Run, which
// also frees it; a loop that never runs is freed with Discard. Its first turn is at once: it ends what was asked of the loop
// before, connections for instance.
func New(o Options) (*Loop, error) {
	p, err := newPoller(o.Driver)
	if err != nil {
		return nil, fmt.Errorf("event loop: %w", err)
	}
	l := &Loop{
		options: o, poll: p,
		now: clock.System(), resumeAt: clock.Never, tendAt: clock.Never, lingerAt: clock.Never, admitting: -1,
		names:   map[string]*name{},
		scratch: make([]byte, scratchSize), iov: make([][]byte, 0, maxVectors),
	}
	if err := l.mailbox.open(); err != nil {
		p.close()
		return nil, fmt.Errorf("event loop: %w", err)
	}
	if errno := p.add(l.mailbox.readFD, wakeID, wantRead); errno != 0 {
		l.mailbox.close()
		p.close()
		return nil, fmt.Errorf("event loop: %w", SysError{errno})
	}
	l.ctx, l.cancel = context.WithCancel(context.Background())
	return l, nil
}

// Run drives h until Stop, or until a panic that OnPanic does not forgive, which is its only error
// besides a poller that fails. It closes all connections and listeners when it ends, without telling
// the handler. It may be called once.
func (l *Loop) Run(h Handler) error {
	l.handler = h
	defer l.Discard()
	for {
		err := l.turns()
		var p *panicError
		if err == nil || !errors.As(err, &p) {
			return err
		}
		if !l.recovered(p) {
			return err
		}
	}
}

// turns makes turns until the loop is stopped. A panic becomes an error.
func (l *Loop) turns() (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = newPanicError(v)
		}
	}()
	for !l.stopping {
		if err := l.turn(); err != nil {
			return err
		}
	}
	// What was posted before the end was promised to run, and may hold things to be closed.
	l.mailbox.refuse()
	for l.mailbox.pending() {
		l.mailbox.run(l.now)
	}
	return nil
}

// turn does one turn.
func (l *Loop) turn() error {
	if err := l.wait(); err != nil {
		return err
	}
	before := l.now
	l.now = clock.System()
	if l.asleep {
		l.count.Slept += uint64(l.now.Sub(before))
		l.publish() // whoever compares it with the clock in this turn must not take the sleep for work
	}
	l.yield()
	if l.now >= l.resumeAt {
		l.resumeListeners()
	}
	if l.now >= l.tendAt {
		l.tendNames()
	}
	if l.now >= l.lingerAt {
		l.tendLingering()
	}
	for _, ev := range l.events {
		l.dispatch(ev)
	}
	l.mailbox.run(l.now)
	l.reportOutcomes()
	l.settle()
	l.count.Turns++
	l.publish()
	return nil
}

// yield begins a new time slice before the old one is 10 ms old. A slice does not end when the loop sleeps in the
// poller, so without this all of them would reach that age, and the thread with which Go's runtime watches over slices
// would interrupt the loop each time, and look again every 20 µs for some milliseconds: up to a tenth of the
// process's CPU. See docs/decisions/0020.
func (l *Loop) yield() {
	if l.now >= l.yieldAt {
		runtime.Gosched()
		l.yieldAt = l.now.Add(yieldEvery)
	}
}

// wait fills l.events. It asks without blocking first, because under load there is always something
// and a call through the scheduler costs more; only if there is nothing to do at all it sleeps. After
// a turn with a single event there is rarely something yet, and it sleeps at once: a client that is
// alone would pay for two polls that return nothing with every request.
func (l *Loop) wait() (err error) {
	lone := len(l.events) == 1
	l.asleep = false
	l.events = l.events[:0]
	if !lone || l.busy() {
		l.count.Waits++
		l.events, err = l.poll.wait(l.events, 0)
		if err != nil || len(l.events) > 0 || l.busy() {
			return err
		}
	}
	l.now = clock.System()
	if l.unsettled {
		l.settle()
		if l.unsettled || l.busy() {
			return nil
		}
	}
	timeout := milliseconds(min(l.next, l.resumeAt, l.tendAt, l.lingerAt), l.now)
	if timeout == 0 {
		return nil // a timer is due
	}
	l.publish()
	l.mailbox.sleeping.Store(true)
	if !l.mailbox.pending() {
		l.count.Waits++
		l.count.Sleeps++
		l.asleep = true
		l.events, err = l.poll.wait(l.events[:0], timeout)
	}
	l.mailbox.sleeping.Store(false)
	return err
}

// busy tells whether there is work that no descriptor will announce.
func (l *Loop) busy() bool {
	return l.stopping || len(l.outcomes) > 0 || len(l.again) > 0 || l.mailbox.pending()
}

// milliseconds is the poller's timeout from now until then, rounded up so that a timer never fires
// early; -1 is without end.
func milliseconds(then, now clock.Instant) int {
	if then == clock.Never {
		return -1
	}
	if then <= now {
		return 0
	}
	const longest = time.Hour // far from what an int32 of milliseconds holds
	d := min(then.Sub(now), longest)
	return int((d + time.Millisecond - 1) / time.Millisecond)
}

// settle ends a turn: the handler's Turn, the writes, the poller's changes, the closes.
func (l *Loop) settle() {
	l.unsettled = false
	dirty, next := l.handler.Turn(l.now)
	l.next = next
	l.writing, l.again = l.again, l.writing[:0]
	for _, id := range dirty {
		l.flush(id)
	}
	for _, id := range l.writing {
		l.flush(id)
	}
	l.armMarked()
	l.closeDescriptors()
}

// dispatch handles one event.
func (l *Loop) dispatch(ev event) {
	switch slot := ev.id.Slot(); {
	case ev.id == wakeID:
		l.count.Wakeups++
		l.mailbox.drain()
	case slot >= firstReserved:
		if i := int(listenerSlot - slot); i < len(l.listeners) && l.listeners[i] != nil {
			l.acceptFrom(l.listeners[i])
		}
	default:
		if c := l.find(ev.id); c != nil {
			l.ready(c, ev)
		}
	}
}

// Stop makes Run return after the present turn. Any goroutine may call it, any number of times.
func (l *Loop) Stop() {
	l.Post(func(clock.Instant) { l.stopping = true })
}

// Post has f called in the loop's goroutine, before the handler's Turn, in the order of posting. Any
// goroutine may call it. It returns false if the loop has ended and f will not be called; after true,
// f is called unless Run ends by an error.
func (l *Loop) Post(f func(now clock.Instant)) bool { return l.mailbox.post(f) }

// Discard frees a loop that was never run, and its listeners. Further calls do nothing.
func (l *Loop) Discard() {
	if l.discarded {
		return
	}
	l.discarded = true
	l.mailbox.refuse()
	l.cancel()
	l.resolving.Wait()
	l.closeConnections()
	l.closeLingering()
	l.StopAccepting()
	l.poll.close()
	l.mailbox.close()
	l.publish()
}
