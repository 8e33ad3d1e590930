package chaos

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// nothing is the sequence number of no value: what is there before the first write and after a DEL.
const nothing = 0

// lateFor is how long a write without an answer may still be executed. It lies in sockets, perhaps of a server
// that is stopped, beside later requests on another connection; servers are stopped for a tenth of this time.
const lateFor = 15 * time.Second

// key is what one client knows of a key that nobody else writes. Values are numbered in the order of their writes.
type key struct {
	name   string
	owner  int
	server *server // where it lives; nil if its pool moves keys: then any value that was sent is right, and none
	sent   uint64  // the last number that was sent
	may    []uint64
	late   []lateWrite
	known  time.Time // when the request was sent that told what there is
}

// lateWrite is a write without an answer. Nobody knows whether it is executed, nor when.
type lateWrite struct {
	seq uint64
	at  time.Time
}

func newKey(name string, owner int, s *server) *key {
	return &key{name: name, owner: owner, server: s, may: []uint64{nothing}}
}

// wrote notes a write that was acknowledged, or what was read: nothing else is there now.
func (k *key) wrote(seq uint64, asked time.Time) {
	for len(k.late) > 0 && asked.Sub(k.late[0].at) > lateFor {
		k.late = k.late[1:]
	}
	k.may = append(k.may[:0], seq)
	k.known = asked
}

func (k *key) unanswered(seq uint64, now time.Time) {
	k.late = append(k.late, lateWrite{seq, now})
}

// allows says whether the value may be there.
func (k *key) allows(seq uint64, now time.Time) bool {
	if k.server == nil {
		return true
	}
	for len(k.late) > 0 && now.Sub(k.late[0].at) > lateFor {
		// It was executed or never will be, and only the next answer tells which.
		k.may = append(k.may, k.late[0].seq)
		k.late = k.late[1:]
	}
	return slices.Contains(k.may, seq) ||
		slices.ContainsFunc(k.late, func(l lateWrite) bool { return l.seq == seq }) ||
		seq == nothing && k.server.forgot(k.known)
}

// allowsAny says whether some value may be there.
func (k *key) allowsAny(now time.Time) bool {
	_ = k.allows(nothing, now)
	for _, seq := range k.may {
		if seq != nothing {
			return true
		}
	}
	return k.server == nil || slices.ContainsFunc(k.late, func(l lateWrite) bool { return l.seq != nothing })
}

// saw judges a value that was read, nil for none.
func (k *key) saw(v []byte, asked, now time.Time) error {
	var seq uint64
	if v != nil {
		owner, n, err := parseValue(k.name, v)
		if err != nil {
			return err
		}
		if owner != k.owner || n > k.sent || n == nothing {
			return fmt.Errorf("%s: value %d of client %d, which it has not sent", k.name, n, owner)
		}
		seq = n
	}
	if !k.allows(seq, now) {
		what := "a value that was overwritten"
		switch {
		case seq == nothing:
			what = "an acknowledged write is lost"
		case seq > slices.Max(k.may):
			what = "out of order, it is the value of a later request"
		}
		return fmt.Errorf("%s: value %d where one of %d is right, late %v: %s", k.name, seq, k.may, k.late, what)
	}
	k.wrote(seq, asked)
	return nil
}

// makeValue is a value that tells whose it is: a head, again and again.
func makeValue(name string, owner int, seq uint64, size int) []byte {
	head := fmt.Sprintf("%s|%d|%d|%d|", name, owner, seq, size)
	return bytes.Repeat([]byte(head), size/len(head)+1)[:max(size, len(head))]
}

// parseValue returns what a value says of itself, if it is whole and the key's.
func parseValue(name string, v []byte) (owner int, seq uint64, err error) {
	short := v[:min(len(v), 100)]
	parts := bytes.SplitN(short, []byte("|"), 5)
	if len(parts) < 5 || string(parts[0]) != name {
		return 0, 0, fmt.Errorf("%s: another's value %.100q", name, short)
	}
	owner, err1 := strconv.Atoi(string(parts[1]))
	seq, err2 := strconv.ParseUint(string(parts[2]), 10, 64)
	size, err3 := strconv.Atoi(string(parts[3]))
	head := len(name) + len(parts[1]) + len(parts[2]) + len(parts[3]) + 4
	if errors.Join(err1, err2, err3) != nil || len(v) != max(size, head) || !bytes.Equal(v[head:], v[:len(v)-head]) {
		return 0, 0, fmt.Errorf("%s: %d bytes that are no whole value, %.100q", name, len(v), short)
	}
	return owner, seq, nil
}

// counter is a key that all clients add to. No two may get the same number.
type counter struct {
	name  string
	mu    sync.Mutex
	given map[uint64]uint64 // numbers that were acknowledged, a bit each
	acked int64
	maybe int64 // additions without an answer
}

// add judges the answer to an INCR; last is the one that the same client got before.
func (c *counter) add(n, last int64) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	i, bit := uint64(n)/64, uint64(1)<<(uint64(n)%64)
	if n <= last || c.given[i]&bit != 0 {
		return fmt.Errorf("%s: INCR says %d after %d, or for the second time", c.name, n, last)
	}
	c.given[i] |= bit
	c.acked++
	return nil
}

func (c *counter) unanswered() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.maybe++
}

// final judges the number that is there in the end.
func (c *counter) final(n int64) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if n < c.acked || n > c.acked+c.maybe {
		return fmt.Errorf("%s: %d after %d additions with and %d without an answer", c.name, n, c.acked, c.maybe)
	}
	return nil
}

// register is a key that all clients write. Its value must be one that somebody has sent.
type register struct {
	name string
	sent []atomic.Uint64 // by client, the last number
}

func (g *register) saw(v []byte) error {
	if v == nil {
		return nil
	}
	owner, seq, err := parseValue(g.name, v)
	if err == nil && (owner >= len(g.sent) || seq == nothing || seq > g.sent[owner].Load()) {
		err = fmt.Errorf("%s: value %d of client %d, which was not sent", g.name, seq, owner)
	}
	return err
}
