package parity

import (
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/cashew-proxy/cashew/internal/memcachedtest"
)

// memcachedForms are requests that twemproxy takes, as patterns: K is a key, V a value with its length
// before it, N a small number. What follows ~ is on a line of its own. (Whether a server shortens a number that
// decr has made shorter depends on who else looks at it: so it subtracts nothing here, and no value
// begins with NUL, which appended to a number would leave it a number and make it longer. And the number of
// cas is one that no server reaches: a small one is that of a value of a fresh server, but of none in the second run.)
var memcachedForms = strings.Split(`get K|get K|get K K|get K K K K K K|gets K|gets K K K|set K 5 0 V|set K 0 0 V|set K N 0 V|set K 0 0 V noreply
add K 0 0 V|add K 1 0 V noreply|replace K 0 0 V|replace K 2 0 V noreply|append K 0 0 V|append K 0 0 V noreply|prepend K 0 0 V
prepend K 0 0 V noreply|cas K 0 0 V 987654321|cas K 0 0 V 987654321 noreply|delete K|delete K noreply|incr K N|incr K N noreply|decr K 0|decr K 0 noreply
touch K 1000|touch K 1000 noreply|set K 0 0 2~N`, "|")

// memcachedKey has hash tags, whole and broken, and keys of every allowed length.
func memcachedKey(r *rand.Rand) string {
	n := r.IntN(25)
	switch r.IntN(6) {
	case 0:
		return fmt.Sprintf("{t%d}%d", n%4, n)
	case 1:
		return fmt.Sprintf("$x%d$%d", n%4, n)
	case 2:
		return []string{"{}", "{", "}{", "{}{x}", "$$", "$", "ab", "\xff\xfe\x80", "a"}[n%9]
	case 3:
		return strings.Repeat("k", 1+n*10)
	default:
		return fmt.Sprintf("key:%d", n)
	}
}

// memcachedRequest returns a request and whether it has a reply.
func memcachedRequest(r *rand.Rand) (string, bool) {
	forms := strings.Split(strings.Join(memcachedForms, "\n"), "\n")
	line, data, _ := strings.Cut(forms[r.IntN(len(forms))], "~")
	words := strings.Split(line, " ")
	for i, w := range words[1:] {
		switch w {
		case "K":
			w = memcachedKey(r)
		case "N":
			w = fmt.Sprint(r.IntN(80))
		case "V":
			data = []string{"", "v", "value\r\n", "END\r\n", "z\x00\xff", strings.Repeat("y", r.IntN(300))}[r.IntN(6)]
			w = fmt.Sprint(len(data))
		}
		words[i+1] = w
	}
	if data == "N" {
		data = fmt.Sprint(10 + r.IntN(90))
	}
	request := strings.Join(words, " ") + "\r\n"
	if retrieval := strings.HasPrefix(line, "get"); !retrieval && !strings.Contains("delete incr decr touch", words[0]) {
		request += data + "\r\n"
	}
	return request, words[len(words)-1] != "noreply"
}

// The same random requests through twemproxy and through cashew: the replies are the same, and so is what
// each server has afterwards.
func TestMemcachedRandomRequests(t *testing.T) {
	var servers []string
	for range 5 {
		servers = append(servers, memcachedtest.StartServer(t))
	}
	for n, s := range shapes {
		s.memcached = true
		t.Run(s.String(), func(t *testing.T) {
			r := rand.New(rand.NewPCG(uint64(n), 43))
			var requests []string
			var answered []bool
			for range requestsPerShape {
				request, reply := memcachedRequest(r)
				requests, answered = append(requests, request), append(answered, reply)
			}
			used := servers[:len(s.weights)]
			old, ours := startTwemproxy(t, s, used), startCashew(t, s, used)
			want, wantKeys := memcachedReplies(t, old, requests, answered), memcachedContents(t, used)
			got, gotKeys := memcachedReplies(t, ours, requests, answered), memcachedContents(t, used)
			different, values := 0, 0
			for i := range requests {
				if strings.HasPrefix(want[i], "VALUE") {
					values++
				}
				if blocks(want[i]) != blocks(got[i]) {
					if different++; different <= 10 {
						t.Errorf("%.200q:\ntwemproxy %.200q\ncashew    %.200q", requests[i], want[i], got[i])
					}
				}
			}
			if values < requestsPerShape/20 {
				t.Errorf("%d requests have found a value: they do not do much", values)
			}
			for i := range used {
				if wantKeys[i] != gotKeys[i] || wantKeys[i] == "" && n != 9 {
					t.Errorf("server %d:\nafter twemproxy %s\nafter cashew    %s", i, wantKeys[i], gotKeys[i])
				}
			}
		})
	}
}

// memcachedReplies sends requests in pipelines and returns the reply to each, "" where there is none.
func memcachedReplies(t *testing.T, addr string, requests []string, answered []bool) []string {
	t.Helper()
	all := make([]string, len(requests))
	c := memcachedtest.Dial(t, addr)
	defer c.Close()
	for from := 0; from < len(requests); from += 50 {
		to := min(from+50, len(requests))
		c.Send(strings.Join(requests[from:to], ""))
		for i := from; i < to; i++ {
			if answered[i] {
				all[i] = c.Read()
			}
		}
	}
	// What has no reply may be under way still; a reply from every server says that it is not.
	for i := range 200 {
		c.Do(fmt.Sprintf("get barrier%d\r\n", i))
	}
	return all
}

var change = regexp.MustCompile(`(?m)^(VALUE \S+ \d+ \d+) \d+\r$`)

// blocks makes comparable what differs between any two runs: the numbers of changes, and, where some of
// several keys are missing, the order of blocks (see docs/from-twemproxy.md).
func blocks(reply string) string {
	reply = change.ReplaceAllString(reply, "$1 N\r")
	parts := strings.Split(strings.TrimSuffix(reply, "END\r\n"), "VALUE ")
	slices.Sort(parts)
	return strings.Join(parts, "VALUE ")
}

// memcachedContents is what each server has of all keys that the requests use, and leaves it empty.
func memcachedContents(t *testing.T, servers []string) (all []string) {
	t.Helper()
	keys := map[string]bool{}
	r := rand.New(rand.NewPCG(7, 7))
	for range 5000 {
		keys[memcachedKey(r)] = true
	}
	var sorted []string
	for k := range keys {
		sorted = append(sorted, k)
	}
	slices.Sort(sorted)
	for _, s := range servers {
		c := memcachedtest.Dial(t, s)
		reply := c.Do("get " + strings.Join(sorted, " ") + "\r\n")
		all = append(all, strings.TrimSuffix(reply, "END\r\n"))
		if got := c.Do("flush_all\r\n"); got != "OK\r\n" {
			t.Fatal(got)
		}
		c.Close()
	}
	return all
}

// What twemproxy does that cashew does better, and the document says so.
func TestMemcachedDifferences(t *testing.T) {
	servers := []string{memcachedtest.StartServer(t), memcachedtest.StartServer(t), memcachedtest.StartServer(t)}
	s := plain
	s.memcached = true
	old, ours := startTwemproxy(t, s, servers), startCashew(t, s, servers)
	for _, c := range []struct {
		input   string
		old, us string // what is answered before the connection ends, or to a version behind it
	}{
		{"gat 10 a\r\n", "", "END\r\n"},
		{"mg a\r\n", "", "EN\r\n"},
		{"mn\r\n", "", "MN\r\n"},
		{"flush_all\r\n", "", "CLIENT_ERROR flush_all not allowed\r\n"},
		{"verbosity 1\r\n", "", "OK\r\n"},
		{"nonsense\r\n", "", "ERROR\r\n"},
		{"GET a\r\n", "", "ERROR\r\n"},
		{"set a 0 -1 1\r\nx\r\n", "", "STORED\r\n"},
		{"set a 0 0 1\r\nxyz\r\n", "", "CLIENT_ERROR bad data chunk\r\nERROR\r\n"},
		{"get " + strings.Repeat("k", 251) + "\r\n", "", "CLIENT_ERROR bad command line format\r\n"},
		{"delete a 0\r\n", "", "NOT_FOUND\r\n"},
		{"shutdown\r\n", "", "CLIENT_ERROR shutdown not allowed\r\n"},
	} {
		if got := line(t, ours, c.input+"version\r\n"); !strings.HasPrefix(got, c.us) || !strings.Contains(got[len(c.us):], "VERSION") {
			t.Errorf("%.60q: cashew %q, want %q", c.input, got, c.us)
		}
		if got := line(t, old, c.input+"version\r\n"); got != c.old {
			t.Errorf("%.60q: twemproxy %q: the document says %q", c.input, got, c.old)
		}
	}
	// A line end inside of a key is a second command at a server of twemproxy's.
	if got := line(t, ours, "get a\nversion\r\n"); !strings.HasPrefix(got, "END\r\nVERSION") {
		t.Errorf("cashew takes a line end in a key for %q", got)
	}
}

// line sends input and returns what comes until the connection ends, or VERSION comes.
func line(t *testing.T, addr, input string) string {
	t.Helper()
	c := memcachedtest.Dial(t, addr)
	defer c.Close()
	c.Send(input)
	var all strings.Builder
	for {
		reply, err := c.TryLine()
		all.WriteString(reply)
		if err != nil || strings.HasPrefix(reply, "VERSION") {
			return all.String()
		}
	}
}
