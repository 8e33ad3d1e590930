package chaos

import "fmt"

// ops draws the requests of a batch.
func (c *client) ops() []*op {
	n := 1
	switch c.rng.IntN(10) {
	case 0:
		n = 20 + c.rng.IntN(60)
	case 1, 2, 3, 4, 5:
		n = 2 + c.rng.IntN(18)
	}
	all := make([]*op, n)
	for i := range all {
		all[i] = c.op()
	}
	return all
}

func (c *client) op() *op {
	o := &op{owner: c.id}
	draw := c.rng.IntN(20)
	if !c.pool.redis {
		draw = c.rng.IntN(15)
	}
	n := 1
	switch {
	case draw < 6:
		o.kind = opSet
	case draw < 13:
		o.kind = opGet
	case draw < 15:
		o.kind = opDel
	case draw < 17:
		o.kind, o.text = opEcho, fmt.Sprintf("%d-%d", c.id, c.rng.Uint64())
		return o
	case c.pool != c.w.pools[0] || c.database != 0: // what is shared is in one place
		o.kind = opGet
	case draw < 18:
		at := c.rng.IntN(len(c.w.counters))
		o.kind, o.counter, o.last = opIncr, c.w.counters[at], &c.last[at]
		return o
	case draw < 19:
		c.shared++
		c.w.register.sent[c.id].Store(c.shared)
		o.kind, o.register, o.seqs, o.sizes = opShare, c.w.register, []uint64{c.shared}, []int{c.size()}
		return o
	default:
		o.kind, o.register = opLook, c.w.register
		return o
	}
	if c.rng.IntN(4) == 0 && (c.pool.redis || o.kind == opGet) {
		n = 2 + c.rng.IntN(12)
	}
	for _, at := range c.rng.Perm(len(c.keys))[:n] {
		k := c.keys[at]
		o.keys = append(o.keys, k)
		if o.kind == opSet {
			k.sent++
			o.seqs, o.sizes = append(o.seqs, k.sent), append(o.sizes, c.size())
		}
	}
	if o.kind == opDel {
		o.seqs = make([]uint64, n) // nothing
	}
	return o
}

// size draws the length of a value. One client in four has large ones now and then.
func (c *client) size() int {
	switch draw := c.rng.IntN(64); {
	case c.large && draw == 0 && c.pool.redis:
		return 256<<10 + c.rng.IntN(1<<20)
	case c.large && draw < 4:
		return 16<<10 + c.rng.IntN(100<<10)
	case draw < 8:
		return 1<<10 + c.rng.IntN(8<<10)
	}
	return 40 + c.rng.IntN(200)
}
