package route

import (
	"fmt"
	"testing"

	"github.com/cashew-proxy/cashew/internal/hashkit"
	"github.com/cashew-proxy/cashew/internal/ring"
	"github.com/cashew-proxy/cashew/internal/topology"
)

func newPool(t *testing.T, d ring.Distribution, servers int) *topology.Pool {
	t.Helper()
	h, ok := hashkit.ByName("fnv1a_64")
	if !ok {
		t.Fatal("no hash fnv1a_64")
	}
	p := &topology.Pool{Hash: h, Distribution: d}
	var nodes []ring.Node
	for i := range servers {
		name := fmt.Sprintf("127.0.0.1:%d", 7000+i)
		p.Servers = append(p.Servers, &topology.Server{Name: name, Index: i})
		nodes = append(nodes, ring.Node{Name: name, Weight: 1, Index: i})
	}
	p.Ring = ring.New(d, nodes)
	return p
}

func TestPickAndExplainAgree(t *testing.T) {
	for _, d := range []ring.Distribution{ring.Ketama, ring.Modula} {
		for _, servers := range []int{1, 2, 7} {
			p, r := newPool(t, d, servers), NewRouter(1)
			used := map[int]bool{}
			for i := range 500 {
				key := fmt.Appendf(nil, "%d:of many keys", i)
				e := Explain(p, key)
				got := r.Pick(p, key)
				if e.Server.Index != got {
					t.Fatalf("%v: %s goes to %d, explained as %d", d, key, got, e.Server.Index)
				}
				if string(e.Hashed) != string(key) || e.Hash != p.Hash(key) {
					t.Fatalf("%s: %q was hashed to %d", key, e.Hashed, e.Hash)
				}
				used[got] = true
			}
			if len(used) != servers {
				t.Errorf("%v: 500 keys live on %d of %d servers", d, len(used), servers)
			}
		}
	}
}

func TestHashTagsKeepKeysTogether(t *testing.T) {
	p, r := newPool(t, ring.Ketama, 5), NewRouter(1)
	p.HashTag = hashkit.Tag{Open: '{', Close: '}', Set: true}
	want := r.Pick(p, []byte("user"))
	for i := range 50 {
		key := fmt.Appendf(nil, "%d{user}%d", i, i*i)
		if got := r.Pick(p, key); got != want {
			t.Fatalf("%s goes to %d, its tag to %d", key, got, want)
		}
		if e := Explain(p, key); string(e.Hashed) != "user" || e.Server.Index != want {
			t.Fatalf("%s: %q was hashed, server %d", key, e.Hashed, e.Server.Index)
		}
	}
}

func TestRandomSpreadsAndRepeats(t *testing.T) {
	p := newPool(t, ring.Random, 4)
	key := []byte("key")
	if e := Explain(p, key); e.Server != nil {
		t.Errorf("with the random distribution the key lives on %s", e.Server.Name)
	}
	a, b := NewRouter(9), NewRouter(9)
	var count [4]int
	for range 4000 {
		i := a.Pick(p, key)
		if k := b.Pick(p, key); k != i {
			t.Fatalf("the same seed led to %d and %d", i, k)
		}
		count[i]++
	}
	for i, n := range count {
		if n < 800 || n > 1200 {
			t.Errorf("server %d got %d of 4000", i, n)
		}
	}
	if NewRouter(0).Pick(newPool(t, ring.Random, 1), key) != 0 {
		t.Error("one server, and not it")
	}
}

// While all servers are out a key lives nowhere.
func TestExplainWithoutServers(t *testing.T) {
	p := newPool(t, ring.Ketama, 2)
	p.Ring = ring.New(ring.Ketama, nil)
	if e := Explain(p, []byte("key")); e.Server != nil {
		t.Errorf("%+v", e)
	}
}

func TestPickDoesNotAllocate(t *testing.T) {
	p, r := newPool(t, ring.Ketama, 5), NewRouter(1)
	key := []byte("key")
	if n := testing.AllocsPerRun(100, func() { r.Pick(p, key) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
