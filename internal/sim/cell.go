package sim

import "slices"

// cell is what a private key may hold on one server: one value, unless a write's fate is not known.
type cell struct {
	states []value
	wild   bool // too many to keep
	seen   int  // so many flushes were over for certain when it was last observed
}

const mostStates = 48

// place is where a private key may be.
type place struct {
	server   int // always 0 if keys do not move
	database int
	key      string
}

// servers are those to which a request may have gone for a key: that of the key, or several if keys were
// moved since it was sent. The list is valid until the next call.
func (c *client) servers(e *expect, key string) []int {
	w := c.w
	w.scratchServers = w.scratchServers[:0]
	for _, r := range w.erasSince(e.since) {
		s := w.ownerIn(r, key)
		if s >= 0 && !slices.Contains(w.scratchServers, s) {
			w.scratchServers = append(w.scratchServers, s)
		}
	}
	return w.scratchServers
}

// cells are what a request may have met where it looked for a private key: one, or one for each server where
// the key may have been. Somebody may have had all keys forgotten since a cell was last looked at. The
// list is valid until the next call.
func (c *client) cells(e *expect, key string) []*cell {
	w := c.w
	w.scratchCells = w.scratchCells[:0]
	if !w.keysMove() {
		w.scratchCells = append(w.scratchCells, c.cell(e, 0, key))
		return w.scratchCells
	}
	for _, s := range c.servers(e, key) {
		w.scratchCells = append(w.scratchCells, c.cell(e, s, key))
	}
	return w.scratchCells
}

func (c *client) cell(e *expect, server int, key string) *cell {
	at := place{server, e.lane.database, key}
	x := c.model[at]
	if x == nil {
		x = &cell{states: []value{{}}}
		c.model[at] = x
	}
	if c.w.flushes > x.seen && c.w.cfg.FlushAll {
		x.add(value{})
		x.seen = e.flushed
	}
	return x
}

// serverOf is the server of a request, negative if that is not one alone.
func (c *client) serverOf(e *expect) int {
	if e.kind != single {
		return -1
	}
	return c.serverOfKey(e, e.key)
}

func (c *client) serverOfKey(e *expect, key string) int {
	if all := c.servers(e, key); len(all) == 1 {
		return all[0]
	}
	return -1
}

func (x *cell) set(v value) { x.states, x.wild = append(x.states[:0], v), false }

// assign is the certain outcome of a request that may have gone to any of some cells.
func assign(cells []*cell, v value) {
	for _, x := range cells {
		if len(cells) == 1 {
			x.set(v)
		} else {
			x.add(v)
		}
	}
}

// add notes one more value that the key may hold.
func (x *cell) add(v value) {
	for i := range x.states {
		if x.states[i].equal(v) {
			return
		}
	}
	if len(x.states) >= mostStates {
		x.wild = true
		return
	}
	x.states = append(x.states, v)
}

// keep leaves the states that ok accepts, of one cell. It reports whether any is left; of several cells one
// that accepts a state is enough.
func keep(cells []*cell, ok func(value) bool) bool {
	if len(cells) == 1 {
		return cells[0].keep(ok)
	}
	for _, x := range cells {
		if x.wild {
			return true
		}
		for _, v := range x.states {
			if ok(v) {
				return true
			}
		}
	}
	return false
}

func (x *cell) keep(ok func(value) bool) bool {
	if x.wild {
		return true
	}
	n := 0
	for _, v := range x.states {
		if ok(v) {
			x.states[n] = v
			n++
		}
	}
	if n == 0 {
		return false
	}
	clear(x.states[n:])
	x.states = x.states[:n]
	return true
}

// touch is a gat's, or perhaps it did not come to that.
func (x *cell) touch(exptime string, perhaps bool) {
	states := x.states
	x.states = nil
	for _, v := range states {
		if perhaps {
			x.add(v)
		}
		x.add(v.touched(exptime))
	}
}

// certain says that the key holds a value, whichever.
func certain(cells []*cell) bool {
	for _, x := range cells {
		if x.wild {
			return false
		}
		for _, v := range x.states {
			if v.kind == absent {
				return false
			}
		}
	}
	return len(cells) > 0
}

// advance runs a request on every state of a key and leaves what becomes of those whose reply ok
// accepts, all of them if it accepts none. It reports whether it accepted one. Where several servers may have
// done it, it may not have been done by any that accepts.
func (c *client) advance(cells []*cell, e *expect, ok func(out []byte) bool) bool {
	if len(cells) == 1 {
		return c.advanceOne(cells[0], e, ok)
	}
	accepted := false
	for _, x := range cells {
		if x.wild {
			accepted = true
			continue
		}
		for _, v := range append([]value(nil), x.states...) {
			if out, after := c.w.dialect.exec(e.lane.resp3, e.name, v, e.args, nil); ok(out) {
				accepted = true
				x.add(after)
			}
		}
	}
	return accepted
}

func (c *client) advanceOne(x *cell, e *expect, ok func(out []byte) bool) bool {
	out, n := c.w.scratchReply[:0], 0
	for _, v := range x.states {
		var after value
		out, after = c.w.dialect.exec(e.lane.resp3, e.name, v, e.args, out[:0])
		if !ok(out) {
			continue
		}
		x.states[n] = after
		n++
	}
	c.w.scratchReply = out[:0]
	if n == 0 {
		return false
	}
	kept := x.states[:n]
	x.states = x.states[:0:0]
	if n == 1 {
		x.states = kept
		return true
	}
	for _, v := range kept {
		x.add(v)
	}
	return true
}
