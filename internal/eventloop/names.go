package eventloop

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"syscall"
	"time"

	"github.com/cashew-proxy/cashew/internal/clock"
	"github.com/cashew-proxy/cashew/internal/message"
)

const (
	// resolveTimeout bounds the lookup of a server's name.
	resolveTimeout = 5 * time.Second
	// nameAge is how long the answer to a lookup is good; names in use are looked up again then.
	nameAge = 30 * time.Second
	// namePatience is how long a dial waits for a lookup when an older answer is known: name servers that
	// are slow or down must not keep a server away whose address is still right.
	namePatience = 100 * time.Millisecond
	// maxRefreshing bounds the lookups that go on in the background, each of which takes a descriptor.
	maxRefreshing = 16
)

// LookupFunc returns the addresses of a host, as net.Resolver's LookupNetIP does. The network is "ip".
type LookupFunc func(ctx context.Context, network, host string) ([]netip.Addr, error)

// errUnresolved is what twemproxy says of a name that has no address.
var errUnresolved = SysError{syscall.EHOSTDOWN}

// target is where to connect to.
type target struct {
	addr netip.AddrPort
	zone uint32
}

// name is the name of a server, "host:port", and what is known of it. It outlives its connections: when
// it resolves no more, its last address is better than none.
type name struct {
	address string
	last    target // where new connections go; zero if it never resolved
	version uint32 // counts the changes of last
	failed  bool   // a connection to last could not be made: the next lookup is to find another

	asking   bool          // a lookup goes on
	asked    clock.Instant // when it began, or the one before it
	answered clock.Instant // when the last lookup began that had an answer; 0 is none
	doubted  clock.Instant // when a connection failed or ended last: what was answered before may be old
	lost     bool          // the last lookup had no answer

	conns    int // dials and connections
	waiting  []message.ConnID
	patience clock.Instant // when those that wait go to the last address, if there is one
}

// fresh tells whether the last address can be used unasked.
func (n *name) fresh(now clock.Instant) bool {
	return n.answered != 0 && n.answered >= n.doubted && now.Sub(n.answered) < nameAge
}

// choose picks one of the addresses that a lookup has found, at least one. It stays with the present one
// while that is of use, whatever the order: name servers shuffle it.
func (n *name) choose(found []target) target {
	switch i := slices.Index(found, n.last); {
	case i < 0:
		return found[0]
	case n.failed:
		return found[(i+1)%len(found)]
	default:
		return n.last
	}
}

// dialName connects to a name: at once if its address is known for sure. Otherwise it is looked up first,
// as it is after each failure, because a server that fails may be one that has moved.
func (l *Loop) dialName(c *conn, address string) {
	n := l.names[address]
	if n == nil {
		n = &name{address: address}
		l.names[address] = n
	}
	c.name = n
	n.conns++
	if n.fresh(l.now) {
		l.connectName(c)
		return
	}
	if len(n.waiting) == 0 {
		n.patience = l.now.Add(namePatience)
		l.tendAt = min(l.tendAt, n.patience)
	}
	n.waiting = append(n.waiting, c.id)
	l.ask(n)
}

func (l *Loop) connectName(c *conn) {
	c.version = c.name.version
	l.connect(c, sockaddr(c.name.last.addr, c.name.last.zone))
}

// leaveName notes that a connection to a name has ended, or could not be made.
func (l *Loop) leaveName(c *conn) {
	n := c.name
	n.conns--
	if c.state == resolving {
		return
	}
	n.doubted = l.now
	if c.state == connecting && c.version == n.version { // given up before there was an outcome
		n.failed = true
	}
}

// ask looks the name up in a goroutine of its own; the answer comes as mail.
func (l *Loop) ask(n *name) {
	if n.asking {
		return
	}
	n.asking, n.asked = true, l.now
	l.asking++
	l.resolving.Go(func() {
		ctx, cancel := context.WithTimeout(l.ctx, resolveTimeout)
		defer cancel()
		found, err := resolve(ctx, l.options.Lookup, n.address)
		l.Post(func(clock.Instant) { l.answer(n, found, err) })
	})
}

// answer takes the outcome of a lookup, and goes on with the dials that wait for it.
func (l *Loop) answer(n *name, found []target, err error) {
	l.asking--
	n.asking = false
	l.tendAt = min(l.tendAt, n.asked.Add(nameAge))
	switch {
	case err != nil:
		if !n.lost {
			l.tell(n, err)
		}
		n.lost = true
	default:
		old, again := n.last, n.lost
		n.answered, n.lost = n.asked, false
		n.last = n.choose(found)
		n.failed = false
		if n.last != old {
			n.version++
		}
		if again || n.last != old && old != (target{}) {
			l.tell(n, nil)
		}
	}
	l.goOn(n)
}

// tell reports what is new of a name.
func (l *Loop) tell(n *name, err error) {
	if l.options.Named == nil {
		return
	}
	last := ""
	if n.last != (target{}) {
		last = n.last.addr.String()
	}
	l.options.Named(n.address, last, err)
}

// NameState is what is known of a server's name.
type NameState struct {
	Address  string        // "host:port"
	Answered clock.Instant // when the last lookup began that had an answer; 0 is none
	Lost     bool          // the last lookup had none
}

// Names are the names of servers that were ever dialed.
func (l *Loop) Names() (all []NameState) {
	for _, n := range l.names {
		all = append(all, NameState{n.address, n.answered, n.lost})
	}
	return all
}

// goOn connects those that wait for a lookup, except if they were given up meanwhile.
func (l *Loop) goOn(n *name) {
	waiting := n.waiting
	n.waiting = nil // rare enough not to keep it
	for _, id := range waiting {
		c := l.find(id)
		switch {
		case c == nil:
		case n.last == (target{}):
			l.end(c, errUnresolved)
		default:
			l.connectName(c)
		}
	}
}

// tendNames does what is due: names in use are looked up again, so that a change is known before it is
// needed; and dials that have waited long enough go to the last address.
func (l *Loop) tendNames() {
	l.tendAt = clock.Never
	for _, n := range l.names {
		if len(n.waiting) > 0 && n.last != (target{}) {
			if n.patience <= l.now {
				l.goOn(n)
			} else {
				l.tendAt = min(l.tendAt, n.patience)
			}
		}
		if n.asking || n.conns == 0 {
			continue
		}
		due := n.asked.Add(nameAge)
		if due <= l.now {
			if l.asking < maxRefreshing {
				l.ask(n)
				continue
			}
			due = l.now.Add(namePatience)
		}
		l.tendAt = min(l.tendAt, due)
	}
}

// resolve returns the addresses of "host:port", at least one or an error.
func resolve(ctx context.Context, lookup LookupFunc, address string) ([]target, error) {
	host, service, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	port, err := strconv.ParseUint(service, 10, 16)
	if err != nil {
		return nil, err
	}
	if lookup == nil {
		lookup = net.DefaultResolver.LookupNetIP
	}
	addrs, err := lookup(ctx, "ip", host)
	if err != nil {
		return nil, err
	}
	var found []target
	for _, a := range addrs {
		a = a.Unmap()
		zone := 0
		if a.Zone() != "" {
			ifi, err := net.InterfaceByName(a.Zone())
			if err != nil {
				return nil, err
			}
			zone = ifi.Index
		}
		found = append(found, target{netip.AddrPortFrom(a, uint16(port)), uint32(zone)})
	}
	if len(found) == 0 {
		return nil, errors.New("no address")
	}
	return found, nil
}
