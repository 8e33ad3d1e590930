package ring

import (
	"crypto/md5"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"testing"

	"github.com/cashew-proxy/cashew/internal/hashkit"
)

// placements is testdata/placement-vectors.json: what twemproxy did with every key.
type placements struct {
	Keys       []string `json:"keys_hex"`
	Topologies []topology
}

type topology struct {
	Name         string
	Hash         string
	Distribution string
	HashTag      *string `json:"hash_tag"`
	Ejected      []string
	Sorted       []struct {
		Index    int
		RingName string `json:"ring_name"`
		Weight   int
		Points   int
	} `json:"sorted_servers"`
	Continuum string `json:"continuum_md5"`
	Placement []string
}

func readPlacements(t testing.TB) placements {
	t.Helper()
	data, err := os.ReadFile("testdata/placement-vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	var p placements
	if err := json.Unmarshal(data, &p); err != nil {
		t.Fatal(err)
	}
	if len(p.Topologies) < 50 || len(p.Keys) < 300 {
		t.Fatalf("only %d topologies and %d keys", len(p.Topologies), len(p.Keys))
	}
	return p
}

// live is the topology's servers without the ejected ones. With all ejected twemproxy keeps the last
// ring, which in the vectors is that of all servers.
func (c topology) live() (nodes []Node) {
	for _, s := range c.Sorted {
		if len(c.Ejected) == len(c.Sorted) || !slices.Contains(c.Ejected, s.RingName) {
			nodes = append(nodes, Node{Name: s.RingName, Weight: s.Weight, Index: s.Index})
		}
	}
	return nodes
}

func (c topology) tag() hashkit.Tag {
	if c.HashTag == nil {
		return hashkit.Tag{}
	}
	return hashkit.Tag{Open: (*c.HashTag)[0], Close: (*c.HashTag)[1], Set: true}
}

// digest is the MD5 of the whole ring in the vectors' notation; modula's points have no value.
func digest(r Ring, d Distribution, nodes []Node) string {
	sum := md5.New()
	switch d {
	case Ketama:
		for _, p := range Continuum(nodes) {
			fmt.Fprintf(sum, "%d:%d\n", p.Value, p.Index)
		}
	case Modula:
		for slot := range r.(*modula).total {
			fmt.Fprintf(sum, "0:%d\n", r.Pick(uint32(slot)))
		}
	}
	return hex.EncodeToString(sum.Sum(nil))
}

func TestEqualsTwemproxy(t *testing.T) {
	p := readPlacements(t)
	for _, c := range p.Topologies {
		t.Run(c.Name, func(t *testing.T) {
			d, ok := ByName(c.Distribution)
			if !ok {
				t.Fatalf("no distribution %q", c.Distribution)
			}
			hash, ok := hashkit.ByName(c.Hash)
			if !ok {
				t.Fatalf("no hash %q", c.Hash)
			}
			nodes := c.live()
			r := New(d, nodes)
			points := Points(r)
			for _, s := range c.Sorted {
				if points[s.Index] != s.Points {
					t.Errorf("%s has %d points, want %d", s.RingName, points[s.Index], s.Points)
				}
			}
			if got := digest(r, d, nodes); got != c.Continuum {
				t.Errorf("MD5 of the ring is %s, want %s", got, c.Continuum)
			}
			if len(c.Placement) != len(p.Keys) {
				t.Fatalf("%d placements of %d keys", len(c.Placement), len(p.Keys))
			}
			for i, want := range c.Placement {
				key, err := hex.DecodeString(p.Keys[i])
				if err != nil {
					t.Fatal(err)
				}
				if got := c.Sorted[r.Pick(hashkit.Hash(hash, c.tag(), key))].RingName; got != want {
					t.Errorf("%q goes to %s, want %s", key, got, want)
				}
			}
		})
	}
}
