package control

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/cashew-proxy/cashew/internal/clock"
	"github.com/cashew-proxy/cashew/internal/topology"
)

// ward is an ejector with a clock that the test moves.
type ward struct {
	t   *testing.T
	e   *Ejector
	now clock.Instant
}

func newWard(t *testing.T, servers int, p Policy) *ward {
	t.Helper()
	text := "p:\n  listen: 127.0.0.1:1\n  redis: true\n  servers:\n"
	for i := range servers {
		text += fmt.Sprintf("    - 127.0.0.1:%d:1 s%d\n", 7000+i, i)
	}
	if p.FailureLimit == 0 {
		p.FailureLimit = 1
	}
	if p.RetryTimeout == 0 {
		p.RetryTimeout = 30 * time.Second
	}
	if p.Share == 0 {
		p.Share = 100
	}
	return &ward{t, NewEjector(Build(load(t, text), 1), []Policy{p}, 1), clock.Instant(time.Hour)}
}

func (w *ward) wait(d time.Duration) { w.now = w.now.Add(d) }

func (w *ward) fail(server int) bool {
	w.wait(together)
	return w.e.Failed(w.now, 0, server, 0)
}

// probe waits for the next probe, which must be of one server, and returns how long that took.
func (w *ward) probe(server int, healthy bool) time.Duration {
	w.t.Helper()
	if w.e.Next() == clock.Never {
		w.t.Fatal("no probe is to come")
	}
	d := w.e.Next().Sub(w.now)
	if d > 0 {
		if due := w.e.Due(w.now); due != nil {
			w.t.Fatalf("%v before its time: %v", d, due)
		}
		w.wait(d)
	}
	due := w.e.Due(w.now)
	if len(due) != 1 || due[0].Server != server {
		w.t.Fatalf("probes %v", due)
	}
	if again := w.e.Due(w.now.Add(time.Hour)); again != nil {
		w.t.Fatal("a second probe is started before the first has ended")
	}
	w.e.Probed(w.now, due[0], healthy)
	return d
}

// owners is how many of 1000 hashes each server has.
func owners(s *topology.Snapshot) map[int]int {
	n := map[int]int{}
	for h := range uint32(1000) {
		n[s.Pools[0].Ring.Pick(h*4294967)]++
	}
	return n
}

// A server goes when it has failed so often in a row, and not before; what it owned is spread over the
// others, and everything is as before when it has answered a probe.
func TestEjectAndReturn(t *testing.T) {
	w := newWard(t, 4, Policy{FailureLimit: 3})
	before := w.e.Snapshot()
	for range 5 {
		first := w.fail(2)
		if second := w.fail(2); first || second {
			t.Fatal("ejected too early")
		}
		w.e.Recovered(0, 2)
	}
	w.fail(2)
	w.fail(2)
	if !w.fail(2) || !w.e.Out(0, 2) {
		t.Fatal("not ejected")
	}
	out := w.e.Snapshot()
	n := owners(out)
	if out.Epoch != before.Epoch+1 || n[2] != 0 || len(n) != 3 || !out.Pools[0].Servers[2].Ejected || out.Pools[0].Servers[1].Ejected {
		t.Fatalf("epoch %d, keys by server %v", out.Epoch, n)
	}
	if before.Pools[0].Servers[2].Ejected || owners(before)[2] == 0 {
		t.Fatal("the old snapshot has changed")
	}
	if w.fail(2) {
		t.Error("ejected twice")
	}
	if d := w.probe(2, true); d != 30*time.Second-together {
		t.Errorf("the first probe comes after %v", d)
	}
	back := w.e.Snapshot()
	if back.Epoch != before.Epoch+2 || fmt.Sprint(owners(back)) != fmt.Sprint(owners(before)) || back.Pools[0].Servers[2].Ejected {
		t.Errorf("epoch %d, keys by server %v", back.Epoch, owners(back))
	}
	if w.e.Next() != clock.Never {
		t.Error("a server that is in is to be probed")
	}
}

// Several connections that are lost at once are one failure; attempts to connect count each.
func TestLossesAtOnce(t *testing.T) {
	w := newWard(t, 3, Policy{FailureLimit: 2})
	before := w.now
	w.wait(time.Minute)
	for range 8 {
		if w.e.Failed(w.now, 0, 0, before) {
			t.Fatal("one event ejects")
		}
		w.wait(time.Millisecond)
	}
	w.wait(together)
	if !w.e.Failed(w.now, 0, 0, before) {
		t.Fatal("the second event does not eject")
	}
	if w.e.Failed(w.now, 0, 1, before) || !w.e.Failed(w.now, 0, 1, 0) {
		t.Fatal("a loss and an attempt that fails are two")
	}
	// A connection that was dialed after the first loss, be it in the same turn, and is lost as well.
	if w.e.Failed(w.now, 0, 2, before) || !w.e.Failed(w.now, 0, 2, w.now) {
		t.Fatal("the loss of a new connection is another failure")
	}
}

// Probes that fail come at longer and longer intervals, up to a bound, with jitter.
func TestProbesBackOff(t *testing.T) {
	for _, retry := range []time.Duration{time.Millisecond, time.Second, 30 * time.Second, 2000 * time.Second} {
		w := newWard(t, 3, Policy{RetryTimeout: retry})
		w.fail(1)
		want, most := retry, max(retry, min(4*retry, time.Minute))
		seen := map[time.Duration]bool{}
		for i := range 20 {
			d := w.probe(1, false)
			if i == 0 && d != retry || d < want-want/5-1 || d > want+want/5+1 {
				t.Fatalf("retry %v: probe %d after %v, want about %v", retry, i, d, want)
			}
			seen[d] = true
			want = min(want+want/2, most)
		}
		if len(seen) < 10 {
			t.Errorf("retry %v: no jitter: %v", retry, seen)
		}
		w.probe(1, true)
		if w.e.Out(0, 1) {
			t.Error("a healthy server stays out")
		}
	}
}

// A server that fails again soon after its return stays out longer each time, to a maximum; one that has
// held is treated as new.
func TestRelapses(t *testing.T) {
	const retry = 10 * time.Second
	w := newWard(t, 3, Policy{RetryTimeout: retry})
	for i, want := range []time.Duration{retry, 2 * retry, 4 * retry, 8 * retry, 8 * retry} {
		w.fail(0)
		if d := w.probe(0, true); d != want {
			t.Errorf("ejection %d: the first probe comes after %v, want %v", i, d, want)
		}
		w.wait(time.Second)
	}
	w.wait(16 * retry)
	w.fail(0)
	if d := w.probe(0, true); d != retry {
		t.Errorf("after a good time: %v", d)
	}
}

// eject_limit keeps the rest in, however often they fail; without it all may go.
func TestShare(t *testing.T) {
	for _, c := range []struct{ share, servers, out int }{{100, 4, 4}, {50, 4, 2}, {50, 5, 2}, {34, 3, 1}, {33, 3, 0}, {1, 1, 0}, {100, 1, 1}} {
		w := newWard(t, c.servers, Policy{Share: c.share})
		out := 0
		for range 3 {
			for i := range c.servers {
				if w.fail(i) {
					out++
				}
			}
		}
		if out != c.out {
			t.Errorf("%+v: %d are out", c, out)
		}
		if pick := w.e.Snapshot().Pools[0].Ring.Pick(1); (pick < 0) != (out == c.servers) {
			t.Errorf("%+v: a key goes to server %d", c, pick)
		}
	}
}

// on_eject: fail leaves the keys where they are.
func TestKeepRing(t *testing.T) {
	w := newWard(t, 3, Policy{KeepRing: true})
	before := owners(w.e.Snapshot())
	w.fail(1)
	s := w.e.Snapshot()
	if fmt.Sprint(owners(s)) != fmt.Sprint(before) || !s.Pools[0].Servers[1].Ejected {
		t.Errorf("keys by server %v, were %v", owners(s), before)
	}
}

// What the file says arrives, with twemproxy's defaults.
func TestPolicies(t *testing.T) {
	cfg := load(t, `
a: {listen: "127.0.0.1:1", redis: true, auto_eject_hosts: true, servers: ["127.0.0.1:2:1"]}
bb: {listen: "127.0.0.1:3", redis: true, auto_eject_hosts: true, server_retry_timeout: 2000000, server_failure_limit: 0, eject_limit: 50, on_eject: fail, servers: ["127.0.0.1:2:1"]}
ccc: {listen: "127.0.0.1:4", redis: true, servers: ["127.0.0.1:2:1"]}
dddd: {listen: "127.0.0.1:5", redis: true, auto_eject_hosts: true, server_retry_timeout: 0, servers: ["127.0.0.1:2:1"]}
`)
	want := []Policy{
		{FailureLimit: 2, RetryTimeout: 30 * time.Second, Share: 100},
		{FailureLimit: 1, RetryTimeout: 2000 * time.Second, Share: 50, KeepRing: true},
		{RetryTimeout: 30 * time.Second, Share: 100},
		{Share: 100},
	}
	if got := Policies(cfg); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%+v\nwant %+v", got, want)
	}
	s := Build(cfg, 1)
	if s.Pools[0].FailureLimit != 2 || s.Pools[2].FailureLimit != 0 {
		t.Error("the snapshot does not say which pools eject")
	}
}

// A connection from before the server's return says nothing of the server that has returned.
func TestLossesFromBeforeTheReturn(t *testing.T) {
	w := newWard(t, 2, Policy{FailureLimit: 1})
	old := w.now
	w.fail(0)
	w.probe(0, true)
	w.wait(time.Second)
	if w.e.Failed(w.now, 0, 0, old) {
		t.Error("a connection that was lost long ago ejects the server anew")
	}
	if !w.e.Failed(w.now, 0, 0, w.now-1) {
		t.Error("a connection made since does not count")
	}
}

// A reload keeps what is known of servers, wherever they are now, and has those that are out asked at once; a server
// at another address is another one, and a pool that ejects nobody any more has nobody out.
func TestEjectorReload(t *testing.T) {
	text := func(more string, servers string) *topology.Snapshot {
		return Build(load(t, "p: {listen: \"127.0.0.1:1\", "+more+"servers: ["+servers+"]}\n"), 7)
	}
	policy := []Policy{{FailureLimit: 1, RetryTimeout: time.Hour, Share: 100}}
	e := NewEjector(text("", `"127.0.0.1:2:1 a", "127.0.0.1:3:1 b", "127.0.0.1:4:1 c"`), policy, 1)
	for server := range 2 {
		if !e.Failed(1, 0, server, 0) {
			t.Fatal("not ejected")
		}
	}
	e.Eject(0, 2)
	e.SetVersion(0, 1, "6.0.0")
	now := clock.Instant(time.Minute)
	next := e.Reload(now, text("", `"127.0.0.1:9:1 a", "127.0.0.1:7:1 aa", "127.0.0.1:4:1 c", "127.0.0.1:3:1 b"`), policy)
	out := map[string]bool{}
	for _, s := range next.Snapshot().Pools[0].Servers {
		out[s.Name] = s.Ejected
	}
	if diff := cmp.Diff(map[string]bool{"a": false, "aa": false, "b": true, "c": true}, out); diff != "" {
		t.Error(diff)
	}
	if v := next.Snapshot().Pools[0].Version; v != "6.0.0" {
		t.Errorf("the version is %q", v)
	}
	due := next.Due(now)
	if len(due) != 1 || next.Snapshot().Pools[0].Servers[due[0].Server].Name != "b" {
		t.Errorf("asked are %v", due) // c is out because somebody wants it
	}
	never := next.Reload(now, text("", `"127.0.0.1:4:1 c", "127.0.0.1:3:1 b"`), []Policy{{}})
	for i, s := range never.Snapshot().Pools[0].Servers {
		if s.Ejected != (s.Name == "c") || never.Held(0, i) != s.Ejected {
			t.Errorf("%s is out: %v", s.Name, s.Ejected)
		}
	}
}
