package engine

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/cashew-proxy/cashew/internal/clock"
	"github.com/cashew-proxy/cashew/internal/command"
	"github.com/cashew-proxy/cashew/internal/memcached"
	"github.com/cashew-proxy/cashew/internal/resp"
	"github.com/cashew-proxy/cashew/internal/stats"
	"github.com/cashew-proxy/cashew/internal/topology"
	"github.com/cashew-proxy/cashew/internal/upstream"
)

const (
	// slowEntries bounds the slow log.
	slowEntries = 128
	// hotKeys bounds each sketch of a pool's keys.
	hotKeys = 64
	// hotFor is how often the sketches forget half of what they have: what they show is of the last minutes.
	hotFor = time.Minute
	// keyShown is how much of a key people get to see.
	keyShown = 64
)

// Access is one request as people get to see it.
type Access struct {
	Pool, Server     string
	Client           netip.AddrPort // not valid for a unix socket, or if the client has gone
	Command, Key     string         // "" if it is not known; the key is cut
	Done             clock.Instant
	Waiting, Serving time.Duration
	Request, Reply   int64  // bytes; only of samples
	Failure          string // "" if it had its reply
}

// access is what people get to see of a record.
func (o serverSide) access(c *upstream.Conn, r *upstream.Record) Access {
	p := o.poolOf(c)
	a := Access{
		Pool: p.Name, Server: c.Server.Name, Done: r.Done, Waiting: r.Waiting(), Serving: r.Serving(),
		Request: r.Request, Reply: r.Reply,
	}
	if s := o.e.find(r.Ticket.Client); s != nil {
		a.Client = s.peer
	}
	if r.Err != nil {
		a.Failure = r.Err.Error()
	}
	name, key, _ := o.e.named(c, r)
	a.Command, a.Key = string(name), string(key[:min(len(key), keyShown)])
	return a
}

// named is the command, the beginning of the first key and the hash of all of that.
func (e *Engine) named(c *upstream.Conn, r *upstream.Record) (name, key []byte, hash uint32) {
	if len(r.Name) > 0 {
		return r.Name, r.Key, r.Hash
	}
	name, key = e.peek(c.Protocol(), r.Head)
	return name, key, upstream.Hash(key)
}

// Peek implements upstream.Owner.
func (o serverSide) Peek(c *upstream.Conn, b []byte) (name, key []byte) {
	return o.e.peek(c.Protocol(), b)
}

// peek finds the command and its first key in the beginning of a request.
func (e *Engine) peek(p topology.Protocol, head []byte) (name, key []byte) {
	if p == topology.Memcached {
		name, key = memcached.Peek(head)
	} else if args := resp.Peek(e.peeked[:0], head); len(args) > 0 {
		e.peeked = args
		name = args[0]
		spec := command.Lookup(name)
		if spec != nil && spec.Container() {
			spec = spec.Resolve(len(args), func(i int) []byte { return args[i] })
		}
		if spec != nil {
			if first := spec.First(args); first > 0 {
				key = args[first]
			}
		}
	}
	return name, key
}

// slowLog has the last slow requests.
type slowLog struct {
	ring []Access
	n    int // ever
}

func (l *slowLog) add(a Access) {
	if len(l.ring) < slowEntries {
		l.ring = append(l.ring, a)
	} else {
		l.ring[l.n%slowEntries] = a
	}
	l.n++
}

// Slow returns the last slow requests, the latest first.
func (e *Engine) Slow() (all []Access) {
	for i := range len(e.slow.ring) {
		all = append(all, e.slow.ring[(e.slow.n-1-i)%len(e.slow.ring)])
	}
	return all
}

// hot has which of a pool's keys are asked for most, and which move the most bytes.
type hot struct {
	requests, bytes, big *stats.Top
	since                clock.Instant // when half was forgotten last
}

// hotOf is what is known of a pool's keys by now.
func (e *Engine) hotOf(pool int) *hot {
	state := &e.pools[pool]
	if state.hot == nil {
		state.hot = &hot{stats.NewTop(hotKeys), stats.NewTop(hotKeys), stats.NewTop(hotKeys), e.now}
	}
	state.hot.forget(e.now)
	return state.hot
}

// Hot is what samples say of the keys of a pool, and which are big. Of a key that is longer than 64 bytes there are those,
// an ellipsis, and eight digits by which it differs from others that begin alike.
type Hot struct {
	Every    int    // one of so many requests is sampled; 0 is none
	Requests uint64 // samples, of which older ones count less
	Bytes    uint64 // of their requests and replies
	// The keys with the most of each, the first of which has most. A weight is a number of samples, or of bytes;
	// a peak the bytes of the largest request with its reply.
	ByRequests, ByBytes []stats.Heavy

	BigThreshold int64 // bytes of a big request or reply; 0 is none
	Big          []stats.Heavy
}

// Plus adds what another worker knows.
func (h *Hot) Plus(w *Hot) {
	h.Every = max(h.Every, w.Every)
	h.Requests += w.Requests
	h.Bytes += w.Bytes
	h.ByRequests = stats.Merge(hotKeys, h.ByRequests, w.ByRequests)
	h.ByBytes = stats.Merge(hotKeys, h.ByBytes, w.ByBytes)
	h.BigThreshold = max(h.BigThreshold, w.BigThreshold)
	h.Big = stats.Merge(hotKeys, h.Big, w.Big)
}

// forget halves the weights for every hotFor that has passed.
func (h *hot) forget(now clock.Instant) {
	for n := 0; now.Sub(h.since) >= hotFor; n++ {
		if n == 64 { // nothing is left
			h.since = now
			return
		}
		h.requests.Halve()
		h.bytes.Halve()
		h.big.Halve()
		h.since = h.since.Add(hotFor)
	}
}

// Hot returns what is known of a pool's keys.
func (e *Engine) Hot(now clock.Instant, pool int) Hot {
	state := &e.pools[pool]
	report := Hot{Every: state.pool.HotKeysSample, BigThreshold: state.pool.BigThreshold}
	if h := state.hot; h != nil {
		h.forget(now)
		report.Requests, report.Bytes = h.requests.Total(), h.bytes.Total()
		report.ByRequests, report.ByBytes = h.requests.List(), h.bytes.List()
		report.Big = h.big.List()
	}
	return report
}

// Slow implements upstream.Owner.
func (o serverSide) Slow(c *upstream.Conn, r *upstream.Record) { o.e.slow.add(o.access(c, r)) }

// Sampled implements upstream.Owner.
func (o serverSide) Sampled(c *upstream.Conn, r *upstream.Record, why upstream.Sample) {
	if why&upstream.ForAccessLog != 0 {
		o.e.observer.Access(o.access(c, r))
	}
	if why&upstream.ForHotKeys == 0 {
		return
	}
	if key := o.e.shown(c, r); len(key) > 0 {
		h := o.e.hotOf(o.poolOf(c).Index)
		h.requests.Add(key, 1+r.Joiners)
		h.bytes.Add(key, (1+r.Joiners)*uint64(r.Request+r.Reply))
	}
}

// Big implements upstream.Owner.
func (o serverSide) Big(c *upstream.Conn, r *upstream.Record) {
	if key := o.e.shown(c, r); len(key) > 0 {
		o.e.hotOf(o.poolOf(c).Index).big.Add(key, uint64(r.Request+r.Reply))
	}
}

// shown is the first key of a request, as people get to see it; it is borrowed.
func (e *Engine) shown(c *upstream.Conn, r *upstream.Record) []byte {
	_, key, hash := e.named(c, r)
	// A name by itself comes with no more of a key than is shown, be it whole or not.
	if len(key) < keyShown || len(key) == keyShown && hash == upstream.Hash(key) {
		return key
	}
	e.label = fmt.Appendf(append(e.label[:0], key[:keyShown]...), "…%08x", hash)
	return e.label
}
