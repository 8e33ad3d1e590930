package control

import (
	"slices"
	"strconv"

	"github.com/cashew-proxy/cashew/internal/ring"
	"github.com/cashew-proxy/cashew/internal/route"
	"github.com/cashew-proxy/cashew/internal/topology"
)

// movedKeys is how many keys Moved tries: enough for a tenth of a percent to mean something.
const movedKeys = 20_000

// Moved is the share of keys, 0 to 1, that new would have on another server than old: one with
// another name or address. It is measured with the same made-up keys each time, so it is the same
// each time, and off by some tenths of a percent. The keys hold no hash tag: what becomes of keys
// with one, if the tag changes, depends on what they look like.
//
// With the distribution random a key is on each server with the same probability, and the share is
// that of requests: from two servers to these and a third, one request in three goes elsewhere.
func Moved(old, new *topology.Pool) float64 {
	if old.Distribution == ring.Random && new.Distribution == ring.Random {
		return 1 - overlap(homes(old, nil), homes(new, nil)) // the same for every key
	}
	var key []byte
	moved := 0.0
	for i := range movedKeys {
		// Counted up, keys would be so alike that weak hashes spread them unevenly.
		key = strconv.AppendUint(append(key[:0], "key:"...), uint64(i)*0x9e3779b97f4a7c15, 36)
		moved += 1 - overlap(homes(old, key), homes(new, key))
	}
	return moved / movedKeys
}

// homes are the servers that may have the key, all of them equally probable.
func homes(p *topology.Pool, key []byte) []*topology.Server {
	if s := route.Explain(p, key).Server; s != nil {
		return []*topology.Server{s}
	}
	return p.Servers
}

// overlap is the probability that both choose the same server, as far as they can: the sum of what is
// common to both distributions.
func overlap(a, b []*topology.Server) float64 {
	common := 0
	for _, s := range a {
		if slices.ContainsFunc(b, func(t *topology.Server) bool {
			return s.Name == t.Name && s.Network == t.Network && s.Address == t.Address
		}) {
			common++
		}
	}
	return float64(common) / float64(max(len(a), len(b)))
}
