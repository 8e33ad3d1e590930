package control

import (
	"github.com/cashew-proxy/cashew/internal/ring"
	"github.com/cashew-proxy/cashew/internal/topology"
)

// fifteenBits is the number of results that the hash crc32 has.
const fifteenBits = 1 << 15

// Shares is which part of a pool's keys each of its servers gets, by index, with the hash of that name. One that is
// missing gets none.
func Shares(p *topology.Pool, hash string) map[int]float64 {
	if hash != "crc32" || p.Distribution == ring.Random {
		return ring.Shares(p.Ring)
	}
	shares := map[int]float64{}
	for h := range uint32(fifteenBits) {
		if server := p.Ring.Pick(h); server >= 0 {
			shares[server] += 1.0 / fifteenBits
		}
	}
	return shares
}
