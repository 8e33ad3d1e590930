package parity

import (
	"fmt"
	"maps"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/cashew-proxy/cashew/internal/redistest"
	"github.com/cashew-proxy/cashew/test/harness"
)

// fleet is one of the two with servers of its own. Both get the same requests, and their servers the same
// signals.
type fleet struct {
	*testing.T
	name    string
	servers []string
	client  *redistest.Client
	other   *redistest.Client
	errors  map[string]int // by text, since the last phase began
}

const fleetKeys = 100

func fleetKey(i int) string { return "user:" + strconv.Itoa(i) }

// four is the classic: four servers with names, and the settings of most configurations.
var four = shape{"murmur", "ketama", "", []int{1, 1, 1, 1}, true, false}

func startFleets(t *testing.T, limit int) (old, ours *fleet) {
	t.Helper()
	start := func(name string, run func(*testing.T, shape, []string, ...string) string) *fleet {
		f := &fleet{T: t, name: name, servers: startServers(t, len(four.weights)), errors: map[string]int{}}
		addr := run(t, four, f.servers, "auto_eject_hosts: true", "timeout: 2000",
			"server_retry_timeout: 1000", fmt.Sprint("server_failure_limit: ", limit))
		f.client, f.other = redistest.Dial(t, addr), redistest.Dial(t, addr)
		return f
	}
	return start("twemproxy", startTwemproxy), start("cashew", startCashew)
}

// set writes all keys, each until that succeeds, and returns how many errors there were.
func (f *fleet) set(value string) (errors int) {
	f.Helper()
	for i := range fleetKeys {
		for !f.do("SET", fleetKey(i), value) {
			if errors++; errors > 1000 {
				f.Fatalf("%s: no end of errors: %v", f.name, f.errors)
			}
		}
	}
	return errors
}

// do sends a request and says whether the answer is none of the proxy's errors, which it counts.
func (f *fleet) do(args ...string) bool {
	f.Helper()
	return f.took(f.client.Do(args...))
}

func (f *fleet) took(got string) bool {
	f.Helper()
	if !strings.HasPrefix(got, "-") {
		return true
	}
	f.errors[got]++
	return false
}

// owners is on which server each key has the value, asked there; -1 is nowhere.
func (f *fleet) owners(value string, dead ...int) (owners [fleetKeys]int) {
	f.Helper()
	for i := range owners {
		owners[i] = -1
	}
	down := map[int]bool{}
	for _, n := range dead {
		down[n] = true
	}
	want := fmt.Sprintf("$%d\r\n%s\r\n", len(value), value)
	for n, server := range f.servers {
		if down[n] {
			continue
		}
		c := redistest.Dial(f.T, server)
		for i := range owners {
			if c.Do("GET", fleetKey(i)) == want {
				if owners[i] >= 0 {
					f.Errorf("%s: %s is on two servers", f.name, fleetKey(i))
				}
				owners[i] = n
			}
		}
		c.Close()
	}
	return owners
}

func pid(t *testing.T, server string) int {
	t.Helper()
	n, err := strconv.Atoi(redistest.Info(t, server, "process_id"))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func (f *fleet) signal(pid int, s syscall.Signal) {
	f.Helper()
	if err := syscall.Kill(pid, s); err != nil {
		f.Fatal(err)
	}
}

// kill ends a server, and returns when it does not listen any more.
func (f *fleet) kill(n int) {
	f.Helper()
	f.signal(pid(f.T, f.servers[n]), syscall.SIGKILL)
	f.waitDown(n)
}

func (f *fleet) waitDown(n int) {
	f.Helper()
	harness.Eventually(f.T, harness.Limit, "the server is down", func() bool {
		c, err := redistest.TryDial(f.T, f.servers[n])
		if err == nil {
			c.Close()
		}
		return err != nil
	})
}

// killInFlight ends a server that has not answered a request yet.
func (f *fleet) killInFlight(n int, key, elsewhere string) {
	f.Helper()
	id := pid(f.T, f.servers[n])
	f.signal(id, syscall.SIGSTOP)
	harness.Eventually(f.T, harness.Limit, "the server is stopped", func() bool {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", id))
		return err == nil && strings.Contains(string(b), ") T ")
	})
	f.client.Send("GET", key)
	for range 2 { // then the proxy has taken the request, too
		f.other.Do("GET", elsewhere)
	}
	f.signal(id, syscall.SIGKILL)
	f.waitDown(n)
	if f.took(f.client.Read()) {
		f.Errorf("%s: an answer from a server that was stopped", f.name)
	}
}

func (f *fleet) restart(n int) {
	f.Helper()
	redistest.StartServerAt(f.T, f.servers[n])
}

// phase forgets the errors of the one before.
func (f *fleet) phase() { clear(f.errors) }

func sum(errors map[string]int) (n int) {
	for v := range maps.Values(errors) {
		n += v
	}
	return n
}

// same compares where the keys are.
func same(t *testing.T, phase string, old, ours [fleetKeys]int) {
	t.Helper()
	for i := range old {
		if old[i] != ours[i] || old[i] < 0 {
			t.Errorf("%s: %s is on server %d with twemproxy, on %d with cashew", phase, fleetKey(i), old[i], ours[i])
		}
	}
}

// TestSameUnderFailures: the same servers are killed and come back at the same time. In every phase each key is
// on the same server, and cashew's clients see no more errors; while a server is down, and when it is back, they
// see none, where twemproxy's pay for each attempt.
func TestSameUnderFailures(t *testing.T) {
	for _, limit := range []int{1, 2, 3} {
		t.Run(fmt.Sprint("server_failure_limit ", limit), func(t *testing.T) {
			const dead = 2
			old, ours := startFleets(t, limit)
			both := []*fleet{old, ours}
			for _, f := range both {
				if n := f.set("before"); n > 0 {
					t.Fatalf("%s: %v", f.name, f.errors)
				}
			}
			whole := old.owners("before")
			same(t, "at first", whole, ours.owners("before"))
			mine, elsewhere := "", ""
			for i, n := range whole {
				if n == dead {
					mine = fleetKey(i)
				} else {
					elsewhere = fleetKey(i)
				}
			}

			if mine == "" {
				t.Fatal("the server that is to be killed has no keys")
			}
			for _, f := range both {
				f.phase()
				f.killInFlight(dead, mine, elsewhere)
				f.set("during")
			}
			if sum(ours.errors) > sum(old.errors) || sum(ours.errors) != limit {
				t.Errorf("killed: twemproxy %v, cashew %v", old.errors, ours.errors)
			}
			same(t, "one killed", old.owners("during", dead), ours.owners("during", dead))

			// As many requests to both, until twemproxy has tried the server once more.
			for _, f := range both {
				f.phase()
			}
			harness.Eventually(t, harness.Limit, "twemproxy tries the server", func() bool {
				for _, f := range both {
					f.do("GET", mine)
				}
				return sum(old.errors) > 0
			})
			if sum(ours.errors) > 0 {
				t.Errorf("while it is down: twemproxy %v, cashew %v", old.errors, ours.errors)
			}

			for _, f := range both {
				f.restart(dead)
				f.phase()
			}
			for _, f := range both {
				harness.Eventually(t, harness.Limit, f.name+" uses the server again", func() bool {
					f.do("SET", mine, "back")
					return redistest.Dial(t, f.servers[dead]).Do("GET", mine) == "$4\r\nback\r\n"
				})
			}
			if sum(ours.errors) > 0 {
				t.Errorf("on return: twemproxy %v, cashew %v", old.errors, ours.errors)
			}
			for _, f := range both {
				f.phase()
				f.set("after")
			}
			if sum(old.errors)+sum(ours.errors) > 0 {
				t.Errorf("afterwards: twemproxy %v, cashew %v", old.errors, ours.errors)
			}
			same(t, "afterwards", whole, ours.owners("after"))
			same(t, "afterwards", old.owners("after"), whole)
			allDown(t, both, limit, whole)
		})
	}
}

// allDown has all servers fail, and come back.
func allDown(t *testing.T, both []*fleet, limit int, whole [fleetKeys]int) {
	t.Helper()
	for _, f := range both {
		f.phase()
		for n := range f.servers {
			f.kill(n)
		}
		failed := 0
		for range 2 * limit {
			for i := range fleetKeys {
				if !f.do("GET", fleetKey(i)) {
					failed++
				}
			}
		}
		refused := f.errors["-ERR Connection refused\r\n"]
		if failed != 2*limit*fleetKeys || refused < failed-len(f.servers) {
			t.Errorf("%s: of %d requests without a server %d failed: %v", f.name, 2*limit*fleetKeys, failed, f.errors)
		}
		for n := range f.servers {
			f.restart(n)
		}
		attempt := 0
		harness.Eventually(t, harness.Limit, f.name+" uses all servers again", func() bool {
			attempt++ // values of earlier attempts may be on servers that were in before the others
			value := fmt.Sprint("again ", attempt)
			for i := range fleetKeys {
				if !f.do("SET", fleetKey(i), value) {
					return false
				}
			}
			return f.owners(value) == whole
		})
	}
}

// TestIdleKill: a server is killed while nobody waits for it. twemproxy takes the end of the idle connection for a
// failure; cashew does not, so that its clients may see one error more, and a restart ejects nobody. That is in
// docs/from-twemproxy.md.
func TestIdleKill(t *testing.T) {
	for _, limit := range []int{1, 3} {
		t.Run(fmt.Sprint("server_failure_limit ", limit), func(t *testing.T) {
			const dead = 1
			old, ours := startFleets(t, limit)
			for _, f := range []*fleet{old, ours} {
				f.set("before")
				f.kill(dead)
				f.phase()
				f.set("during")
			}
			if sum(old.errors) != limit-1 || sum(ours.errors) != limit {
				t.Errorf("twemproxy %v, cashew %v", old.errors, ours.errors)
			}
			same(t, "killed", old.owners("during", dead), ours.owners("during", dead))
		})
	}
}
