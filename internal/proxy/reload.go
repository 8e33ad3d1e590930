package proxy

import (
	"errors"
	"fmt"
	"time"

	"github.com/cashew-proxy/cashew/internal/clock"
	"github.com/cashew-proxy/cashew/internal/engine"
	"github.com/cashew-proxy/cashew/internal/eventloop"
	"github.com/cashew-proxy/cashew/internal/topology"
)

// inForce is what the workers go by, and what is counted under it. It is replaced as a whole and never changed;
// only whoever calls Publish and Reload, one goroutine, has another follow.
type inForce struct {
	snapshot *topology.Snapshot
	ledger   *engine.Ledger
	doors    []door // by pool
}

// door is a listener as long as it stays open: the pool behind it may change.
type door struct {
	number  int // the loop's name for it
	pool    string
	listen  topology.Listen     // as the configuration has it
	at      topology.Listen     // the same, with an address in place of a name
	address string              // with the port that the system chose
	socket  *eventloop.Listener // the loop's; nil in a trial
}

// opened are listeners that no loop has yet, by the number of their doors.
type opened map[int]*eventloop.Listener

func (o opened) close() {
	for _, ln := range o {
		ln.Close()
	}
}

// ListenError says why a pool cannot listen where it is to.
type ListenError struct {
	Pool string
	Err  error
}

func (e *ListenError) Error() string { return fmt.Sprintf("pool %s: %v", e.Pool, e.Err) }
func (e *ListenError) Unwrap() error { return e.Err }

// openDoors returns a door for each pool of s: one of those that are open if it leads to the same address, else a
// new one. On an error, which is of all pools that cannot listen, nothing is left open that was not.
func (p *Proxy) openDoors(open []door, s *topology.Snapshot) (doors []door, fresh opened, err error) {
	fresh = opened{}
	doors, err = plan(open, s, func(pool *topology.Pool, d *door) error {
		ln, err := eventloop.Listen(pool.Listen)
		if err != nil {
			return err
		}
		p.lastDoor++
		d.number, d.address, d.socket = p.lastDoor, ln.Address(), ln
		fresh[d.number] = ln
		return nil
	})
	if err != nil {
		fresh.close()
		return nil, nil, err
	}
	for i, d := range doors {
		if fresh[d.number] != nil {
			p.log.Info("listening", "pool", d.pool, "address", d.address, "servers", len(s.Pools[i].Servers))
		}
	}
	return doors, fresh, nil
}

// Check says whether Reload would find a listener that it cannot have. Nothing is changed, and nobody can connect to
// what is tried.
func (p *Proxy) Check(s *topology.Snapshot) error {
	now := p.inForce.Load().doors
	doors, err := plan(now, s, func(pool *topology.Pool, _ *door) error { return eventloop.Try(pool.Listen) })
	if err != nil {
		return err
	}
	var all []error
	for _, c := range modeChanges(now, doors) {
		if err := c.socket.InPlace(); err != nil {
			all = append(all, &ListenError{c.pool, err})
		}
	}
	return errors.Join(all...)
}

// plan finds a door for each pool of s among those that are open, and has the others made.
func plan(open []door, s *topology.Snapshot, newDoor func(*topology.Pool, *door) error) (doors []door, err error) {
	var all []error
	for _, pool := range s.Pools {
		d, err := doorFor(open, doors, pool, newDoor)
		if err != nil {
			all = append(all, &ListenError{pool.Name, err})
			continue
		}
		doors = append(doors, d)
	}
	return doors, errors.Join(all...)
}

// doorFor is the door that is open already where a pool is to listen, or a new one, which may be in nobody's way: neither
// in that of those that are open, for they are closed after it is opened, nor in that of other new ones.
func doorFor(open, others []door, pool *topology.Pool, newDoor func(*topology.Pool, *door) error) (door, error) {
	for _, o := range open {
		if o.listen.Network == pool.Listen.Network && o.listen.Address == pool.Listen.Address {
			o.pool, o.listen = pool.Name, pool.Listen
			return o, nil
		}
	}
	at, err := eventloop.Resolve(pool.Listen)
	if err != nil {
		return door{}, err
	}
	for _, o := range open {
		if o.at.Overlaps(at) {
			return door{}, fmt.Errorf("listen on %s: pool %s of this process listens on %s, which is in the way until the reload is over: choose another port or path, or restart",
				pool.Listen.Address, o.pool, o.address)
		}
	}
	for _, o := range others {
		if o.at.Overlaps(at) {
			return door{}, fmt.Errorf("listen on %s: it overlaps %s, where pool %s is to listen", pool.Listen.Address, o.listen.Address, o.pool)
		}
	}
	d := door{pool: pool.Name, listen: pool.Listen, at: at, address: pool.Listen.Address}
	return d, newDoor(pool, &d)
}

// modeChanges are the doors that stay, and whose sockets are to have another mode.
func modeChanges(now, next []door) (changes []door) {
	for _, d := range next {
		for _, o := range now {
			if o.number == d.number && o.listen.Mode != d.listen.Mode {
				changes = append(changes, d)
			}
		}
	}
	return changes
}

// setModes gives sockets that stay the modes that they are to have. What it returns undoes it, as far as it was done.
func setModes(now, next []door) (undo func(), err error) {
	changes := modeChanges(now, next)
	undo = func() {
		for _, d := range modeChanges(next, now) {
			_ = d.socket.Chmod(d.listen.Mode) // it had it before
		}
	}
	for _, d := range changes {
		if err := d.socket.Chmod(d.listen.Mode); err != nil {
			return undo, &ListenError{d.pool, err}
		}
	}
	return undo, nil
}

// Publish puts a snapshot in force, with the same pools and servers: at the worker's next turn.
func (p *Proxy) Publish(s *topology.Snapshot) {
	next := *p.inForce.Load()
	next.snapshot = s
	p.inForce.Store(&next)
	for _, w := range p.all() {
		w.loop.Post(func(clock.Instant) { w.snapshot = s })
	}
}

// Reload puts a snapshot in force that may have other pools, servers and listeners, as the engine's Reload says;
// within bounds the time that those which leave have for what they were asked. It returns when the workers go by
// the new snapshot. On an error nothing has changed.
func (p *Proxy) Reload(s *topology.Snapshot, within time.Duration) error {
	now := p.inForce.Load()
	doors, fresh, err := p.openDoors(now.doors, s)
	if err != nil {
		return err
	}
	_, most := threads(s)
	next := &inForce{s, now.ledger.Reloaded(now.snapshot, s, most), doors}
	added, err := p.hire(next)
	undo := func() {}
	if err == nil {
		if undo, err = setModes(now.doors, doors); err == nil {
			err = p.reloadAll(next, fresh, within)
		}
	}
	if err != nil {
		undo()
		fresh.close()
		discard(added)
		return err
	}
	p.employ(added)
	p.instruct(added)
	p.balancer.obey(s)
	return nil
}

// instruct tells workers that are new what the first one goes by beside the snapshot.
func (p *Proxy) instruct(added []*worker) {
	first := p.all()[0]
	first.loop.Post(func(clock.Instant) {
		pauses := first.Pauses()
		for _, w := range added {
			w.loop.Post(func(now clock.Instant) { w.Engine.TakeOver(now, pauses) })
		}
	})
}

// reloadAll has the first worker reload, and that one have the others do so: see move.go.
func (p *Proxy) reloadAll(next *inForce, fresh opened, within time.Duration) error {
	workers := p.all()
	outcome, followed := make(chan error, 1), make(chan struct{}, len(workers))
	first := workers[0]
	if first.loop.Post(func(now clock.Instant) {
		failed := errors.New("panic in the worker")
		defer func() { outcome <- failed }()
		if failed = first.reload(now, next, fresh, within); failed != nil {
			return
		}
		for _, w := range workers[1:] {
			w.loop.Post(func(now clock.Instant) {
				defer func() { followed <- struct{}{} }()
				w.follow(now, next, within)
			})
		}
	}) {
		select {
		case err := <-outcome:
			for range workers[1:] {
				if err == nil {
					select {
					case <-followed:
					case <-p.ended:
					}
				}
			}
			return err
		case <-p.ended:
		}
	}
	return errors.New("the proxy has ended")
}

// follow is reload for all workers but the first. Should the engine panic, its successor goes by the new snapshot.
func (w *worker) follow(now clock.Instant, next *inForce, within time.Duration) {
	w.enter(next)
	w.Engine.SetPeers(peers{w})
	w.Engine.Reload(now, next.snapshot, next.ledger, within)
}

// reload is Reload in the first worker's goroutine. Listeners that were given to the loop are taken out of fresh.
func (w *worker) reload(now clock.Instant, next *inForce, fresh opened, within time.Duration) error {
	select {
	case <-w.drained:
		return errShuttingDown
	default:
		if w.draining {
			return errShuttingDown
		}
	}
	added := map[int]bool{}
	done := false
	defer func() {
		for number := range added {
			if !done { // an error, or a panic: the worker goes on with what it had
				w.loop.RemoveListener(number)
			}
		}
	}()
	for i, d := range next.doors {
		ln := fresh[d.number]
		if ln == nil {
			continue
		}
		if err := w.loop.AddListener(d.number, ln, next.snapshot.Pools[i].ClientKeepAlive); err != nil {
			return err
		}
		delete(fresh, d.number)
		added[d.number] = true
	}
	w.Engine.Reload(now, next.snapshot, next.ledger, within)
	if len(next.ledger.Workers) > 1 {
		w.Engine.SetPeers(peers{w})
	}
	before := w.proxy.inForce.Load()
	w.proxy.inForce.Store(next)
	w.enter(next)
	done = true
	for _, d := range before.doors {
		if _, stays := w.poolOf[d.number]; !stays {
			w.loop.RemoveListener(d.number)
			w.proxy.log.Info("no longer listening", "address", d.address)
		}
	}
	for i, d := range next.doors {
		pool := next.snapshot.Pools[i]
		if err := w.loop.TuneListener(d.number, pool.Listen.Backlog, pool.ClientKeepAlive); err != nil {
			w.proxy.log.Warn("a listener keeps its settings", "pool", pool.Name, "error", err)
		}
	}
	return nil
}

var errShuttingDown = errors.New("the proxy is shutting down")

// enter has the worker go by what is in force from now on.
func (w *worker) enter(next *inForce) {
	w.snapshot, w.ledger = next.snapshot, next.ledger
	w.poolOf = map[int]int{}
	for i, d := range next.doors {
		w.poolOf[d.number] = i
	}
}
