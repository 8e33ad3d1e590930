package daemon

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/cashew-proxy/cashew/internal/admin"
	"github.com/cashew-proxy/cashew/internal/config"
	"github.com/cashew-proxy/cashew/internal/control"
	"github.com/cashew-proxy/cashew/internal/ring"
	"github.com/cashew-proxy/cashew/internal/route"
	"github.com/cashew-proxy/cashew/internal/topology"
)

// unevenLimit is the ratio of a server's share to its fair part above which a ring counts as uneven.
// Ketama with 160 points per server rarely passes 1.2.
const unevenLimit = 1.25

// view is a pool as its file describes it, and as the data plane sees it.
type view struct {
	config *config.Pool
	pool   *topology.Pool
}

// views returns the pools of c, or the one called name if that is not empty.
func views(c *config.Config, name string) ([]view, error) {
	if name != "" && c.Pool(name) == nil {
		return nil, fmt.Errorf("no pool %q in %s; it has: %s", name, c.Path, strings.Join(c.PoolNames(), ", "))
	}
	var vs []view
	for i, pool := range control.Build(c, 1).Pools {
		if name == "" || pool.Name == name {
			vs = append(vs, view{c.Pools[i], pool})
		}
	}
	return vs, nil
}

// Explained is where keys of a pool live, and why; as JSON it is the keys, as the admin API tells it of a running process.
type Explained struct {
	title string
	alone bool // there is one server, so that no key is hashed
	keys  []admin.Explanation
}

// Explain finds where each key of a pool lives, and why.
func Explain(c *config.Config, pool string, keys []string) (Explained, error) {
	vs, err := views(c, pool)
	if err != nil {
		return Explained{}, err
	}
	v := vs[0]
	x := Explained{title: v.title(), alone: len(v.pool.Servers) == 1}
	shares := v.shares()
	for _, key := range keys {
		e := route.Explain(v.pool, []byte(key))
		one := admin.Explanation{Pool: pool, Key: key, Hashed: string(e.Hashed), Hash: e.Hash}
		if e.Server != nil {
			one.Server, one.Address, one.Share = e.Server.Name, e.Server.Address, shares[e.Server.Index]
		}
		x.keys = append(x.keys, one)
	}
	return x, nil
}

// MarshalJSON implements json.Marshaler.
func (x Explained) MarshalJSON() ([]byte, error) { return json.Marshal(x.keys) }

// Write writes it for people.
func (x Explained) Write(w io.Writer) error {
	fmt.Fprintln(w, x.title)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "key\thashed\thash\tserver\taddress\tshare of the ring")
	for _, k := range x.keys {
		if k.Address == "" {
			fmt.Fprintf(t, "%q\t-\t-\tany\t-\t-\n", k.Key)
			continue
		}
		hash := fmt.Sprint(k.Hash)
		if x.alone {
			hash = "-"
		}
		fmt.Fprintf(t, "%q\t%q\t%s\t%s\t%s\t%.2f %%\n", k.Key, k.Hashed, hash, nameOf(k.Server), k.Address, 100*k.Share)
	}
	return t.Flush()
}

// Rings are how the keys of pools spread over their servers.
type Rings []Ring

// Ring is that of one pool, with warnings about what an operator would not want.
type Ring struct {
	title        string
	Pool         string       `json:"pool"`
	Distribution string       `json:"distribution"`
	Hash         string       `json:"hash"`
	HashTag      string       `json:"hash_tag"`
	Servers      []RingServer `json:"servers"`
	Warnings     []string     `json:"warnings"`
}

// RingServer is a server's part of a ring.
type RingServer struct {
	Name    string  `json:"name"`
	Address string  `json:"address"`
	Weight  int     `json:"weight"`
	Points  int     `json:"points"`
	Share   float64 `json:"share"`   // of the pool's keys, 0 to 1
	OfFair  float64 `json:"of_fair"` // the share in relation to what it should be by its weight
}

// DescribeRings finds how the keys of a pool spread over its servers, or of all pools if pool is empty.
func DescribeRings(c *config.Config, pool string) (rings Rings, err error) {
	vs, err := views(c, pool)
	for _, v := range vs {
		r := Ring{
			title: v.title(), Pool: v.pool.Name, Distribution: v.config.Distribution, Hash: v.config.Hash, HashTag: v.config.HashTag,
			Servers: []RingServer{}, Warnings: append([]string{}, v.warnings()...),
		}
		shares, points := v.shares(), ring.Points(v.pool.Ring)
		for _, s := range v.pool.Servers {
			r.Servers = append(r.Servers, RingServer{
				s.Name, s.Address, s.Weight, points[s.Index], shares[s.Index], shares[s.Index] / v.fair(s),
			})
		}
		rings = append(rings, r)
	}
	return rings, err
}

// Write writes them for people.
func (rings Rings) Write(w io.Writer) error {
	for i, r := range rings {
		if i > 0 {
			fmt.Fprintln(w)
		}
		fmt.Fprintln(w, r.title)
		t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
		fmt.Fprintln(t, "server\taddress\tweight\tpoints\tshare\tof its fair part")
		for _, s := range r.Servers {
			fmt.Fprintf(t, "%s\t%s\t%d\t%d\t%.2f %%\t%.2f\n", nameOf(s.Name), s.Address, s.Weight, s.Points, 100*s.Share, s.OfFair)
		}
		if err := t.Flush(); err != nil {
			return err
		}
		for _, warning := range r.Warnings {
			fmt.Fprintln(w, "warning: "+warning)
		}
	}
	return nil
}

func (v view) title() string {
	tag := "no hash tag"
	if v.config.HashTag != "" {
		tag = fmt.Sprintf("hash tag %q", v.config.HashTag)
	}
	return fmt.Sprintf("pool %s: %s, %s, %s, servers: %d", v.config.Name, v.config.Distribution, v.config.Hash, tag,
		len(v.pool.Servers))
}

// shares is which part of the keys each server gets, by index.
func (v view) shares() map[int]float64 { return control.Shares(v.pool, v.config.Hash) }

// fair is the part of the keys that a server should get by its weight.
func (v view) fair(s *topology.Server) float64 {
	if v.pool.Distribution == ring.Random {
		return 1 / float64(len(v.pool.Servers))
	}
	sum := 0
	for _, other := range v.pool.Servers {
		sum += other.Weight
	}
	return float64(s.Weight) / float64(sum)
}

func (v view) warnings() (ws []string) {
	shares := v.shares()
	if len(v.pool.Servers) > 1 && v.config.Hash == "crc32" && v.pool.Distribution == ring.Ketama {
		ws = append(ws, "crc32 has 15 bits only, which ketama sends to one server: crc32a is the whole CRC")
	} else if worst, ratio := v.worst(shares); ratio > unevenLimit {
		ws = append(ws, fmt.Sprintf("the keys are spread unevenly: %s gets %.2f times its fair part", nameOf(worst.Name), ratio))
	}
	for _, s := range v.pool.Servers {
		if shares[s.Index] == 0 {
			ws = append(ws, fmt.Sprintf("%s gets no keys at all", nameOf(s.Name)))
		}
	}
	if v.pool.Distribution == ring.Random && v.weighted() {
		ws = append(ws, "the weights have no effect with the distribution random")
	}
	if n := v.unnamed(); n > 0 && v.pool.Distribution == ring.Ketama && len(v.pool.Servers) > 1 {
		ws = append(ws, fmt.Sprintf("%d of the servers have no name, so that their addresses are hashed: "+
			"one that gets another address gets other keys", n))
	}
	return ws
}

func (v view) worst(shares map[int]float64) (worst *topology.Server, ratio float64) {
	for _, s := range v.pool.Servers {
		if r := shares[s.Index] / v.fair(s); r > ratio {
			worst, ratio = s, r
		}
	}
	return worst, ratio
}

func (v view) weighted() bool {
	return slices.ContainsFunc(v.pool.Servers, func(s *topology.Server) bool { return s.Weight != v.pool.Servers[0].Weight })
}

func (v view) unnamed() (n int) {
	for _, s := range v.config.Servers {
		if !s.Named {
			n++
		}
	}
	return n
}

// nameOf is a server's ring name as people read it; it may be empty.
func nameOf(name string) string { return cmp.Or(name, `""`) }
