package demo

import (
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/cashew-proxy/cashew/internal/memcached"
)

// call is a request in words.
type call struct {
	op     memcached.Op
	words  []string // the name first
	keys   []string // as they are stored
	data   string
	base64 bool // the key was written in base64
}

// parse takes a request apart that the parser found no fault with.
func parse(r *memcached.Request, request []byte) call {
	c := call{op: r.Op, base64: r.Base64}
	for i, a := range r.Tokens {
		word := string(request[a.Off : a.Off+a.Len])
		c.words = append(c.words, word)
		if i < r.FirstKey || i >= r.LastKey {
			continue
		}
		if r.Base64 {
			key, _ := memcached.DecodeKey(nil, []byte(word)) // the parser has tried
			word = string(key)
		}
		c.keys = append(c.keys, word)
	}
	if r.Data >= 0 {
		c.data = string(request[r.Line : r.Line+r.Data])
	}
	return c
}

// number is the i-th word, of which the parser knows that it is a number.
func (c call) number(i int) uint64 {
	n, _ := strconv.ParseUint(c.words[i], 10, 64)
	return n
}

// deadline is when something expires whose i-th word says so; the zero time is never.
func (c call) deadline(i int, now time.Time) time.Time {
	return deadline(c.words[i], now)
}

// deadline reads memcached's times: seconds from now, from 30 days on seconds since 1970, never for 0,
// and the past for what is negative.
func deadline(word string, now time.Time) time.Time {
	const relative = 30 * 24 * 60 * 60
	n, _ := strconv.ParseInt(word, 10, 64)
	switch {
	case n == 0:
		return time.Time{}
	case n < 0:
		return now
	case n > relative:
		return time.Unix(n, 0)
	}
	return now.Add(time.Duration(n) * time.Second)
}

// item is what is stored under a key.
type item struct {
	value   string
	flags   uint64
	unique  uint64
	expires time.Time // zero: never
}

// items is a server's memory. It is safe for concurrent use.
type items struct {
	mu     sync.Mutex
	stored map[string]*item
	unique uint64 // of the item written last
	now    func() time.Time
}

// clear forgets everything.
func (s *items) clear() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stored = map[string]*item{}
	if s.now == nil {
		s.now = time.Now
	}
}

// count says how many keys there are, and forgets those that have expired.
func (s *items) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	for key := range s.stored {
		s.find(key)
	}
	return len(s.stored)
}

// find returns an item, nil if there is none any more.
func (s *items) find(key string) *item {
	i := s.stored[key]
	if i != nil && !i.expires.IsZero() && !i.expires.After(s.now()) {
		delete(s.stored, key)
		return nil
	}
	return i
}

// put stores an item and gives it its unique.
func (s *items) put(key string, i *item) {
	s.unique++
	i.unique = s.unique
	s.stored[key] = i
}

// do carries a request out and returns the reply without its last line end.
func (s *items) do(c call) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch c.op {
	case memcached.Get, memcached.Gets, memcached.Gat, memcached.Gats:
		return s.get(c)
	case memcached.Set, memcached.Add, memcached.Replace, memcached.Append, memcached.Prepend, memcached.CAS:
		return s.set(c)
	case memcached.Delete:
		if s.find(c.keys[0]) == nil {
			return "NOT_FOUND"
		}
		delete(s.stored, c.keys[0])
		return "DELETED"
	case memcached.Incr, memcached.Decr:
		return s.step(c)
	case memcached.Touch:
		i := s.find(c.keys[0])
		if i == nil {
			return "NOT_FOUND"
		}
		i.expires = c.deadline(2, s.now())
		return "TOUCHED"
	case memcached.MetaGet, memcached.MetaSet, memcached.MetaDelete:
		return s.meta(c)
	case memcached.MetaNoop:
		return "MN"
	case memcached.Version:
		return "VERSION " + memcached.ProtocolVersion
	case memcached.Verbosity:
		return "OK"
	case memcached.FlushAll:
		return s.flush(c)
	case memcached.Stats:
		return fmt.Sprintf("STAT curr_items %d\r\nEND", len(s.stored))
	}
	return "SERVER_ERROR " + c.words[0] + " is not part of this demonstration"
}

// get answers get, gets, gat and gats.
func (s *items) get(c call) string {
	var b strings.Builder
	for _, key := range c.keys {
		i := s.find(key)
		if i == nil {
			continue
		}
		fmt.Fprintf(&b, "VALUE %s %d %d", key, i.flags, len(i.value))
		if c.op == memcached.Gets || c.op == memcached.Gats {
			fmt.Fprintf(&b, " %d", i.unique)
		}
		fmt.Fprintf(&b, "\r\n%s\r\n", i.value)
		if c.op == memcached.Gat || c.op == memcached.Gats {
			i.expires = c.deadline(1, s.now())
		}
	}
	return b.String() + "END"
}

// set answers the commands with data.
func (s *items) set(c call) string {
	key, old := c.keys[0], s.find(c.keys[0])
	i := &item{value: c.data, flags: c.number(2), expires: c.deadline(3, s.now())}
	switch c.op {
	case memcached.Add:
		if old != nil {
			return "NOT_STORED"
		}
	case memcached.Replace:
		if old == nil {
			return "NOT_STORED"
		}
	case memcached.Append, memcached.Prepend:
		if old == nil {
			return "NOT_STORED"
		}
		i = joined(c.op == memcached.Prepend, old, c.data)
	case memcached.CAS:
		if old == nil {
			return "NOT_FOUND"
		}
		if old.unique != c.number(5) {
			return "EXISTS"
		}
	}
	s.put(key, i)
	return "STORED"
}

// joined is an item with data in front of it or behind it, and all else as it was.
func joined(before bool, old *item, data string) *item {
	i := *old
	if before {
		i.value = data + old.value
	} else {
		i.value = old.value + data
	}
	return &i
}

// step answers incr and decr. A number that gets shorter keeps its place, as in memcached.
func (s *items) step(c call) string {
	i := s.find(c.keys[0])
	if i == nil {
		return "NOT_FOUND"
	}
	n, err := strconv.ParseUint(strings.TrimRight(i.value, " "), 10, 64)
	if err != nil {
		return "CLIENT_ERROR cannot increment or decrement non-numeric value"
	}
	delta := c.number(2)
	switch {
	case c.op == memcached.Incr:
		n += delta
	case delta > n:
		n = 0
	default:
		n -= delta
	}
	counted := *i
	counted.value = fmt.Sprintf("%-*d", len(i.value), n)
	s.put(c.keys[0], &counted)
	return strconv.FormatUint(n, 10)
}

// flush answers flush_all: everything expires, now or later.
func (s *items) flush(c call) string {
	if len(c.words) == 1 || c.words[1] == "noreply" || c.words[1] == "0" {
		s.stored = map[string]*item{}
		return "OK"
	}
	then := c.deadline(1, s.now())
	for _, i := range s.stored {
		if i.expires.IsZero() || i.expires.After(then) {
			i.expires = then
		}
	}
	return "OK"
}
