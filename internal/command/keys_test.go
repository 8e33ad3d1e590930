package command

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// keysOf returns the keys that the table finds in a request.
func keysOf(t *testing.T, request []string) []string {
	t.Helper()
	argc, at := accessor(request)
	s := Lookup(at(0))
	if s == nil {
		t.Fatalf("%q is unknown", request)
	}
	if s = s.Resolve(argc, at); s == nil || !s.Accepts(argc) {
		t.Fatalf("%q is no legal request", request)
	}
	keys := []string{}
	for _, i := range s.AppendKeys(nil, argc, at) {
		keys = append(keys, request[i])
	}
	return keys
}

// serversKeys asks a real server for the keys of a request; an error means none.
func serversKeys(p *peer, request []string) []string {
	p.t.Helper()
	keys := []string{}
	list, ok := p.do(append([]string{"COMMAND", "GETKEYS"}, request...)...).([]any)
	if ok {
		for _, k := range list {
			keys = append(keys, k.(string))
		}
	}
	return keys
}

func TestKeysEqualTheServers(t *testing.T) {
	p := dialPeer(t)
	for _, line := range []string{
		"GET k", "SET k v EX 10", "BITOP AND d a b c", "BITOP NOT d a",
		"MGET a b c", "MGET a a", "MSET a 1 b 2", "MSETNX a 1 b 2", "DEL a b", "UNLINK a", "TOUCH a b c", "EXISTS a a",
		"RENAME a b", "COPY a b DB 1 REPLACE", "MOVE a 1", "SMOVE a b m", "LCS a b IDX", "PFCOUNT a b", "PFMERGE d a b",
		"SINTER a b", "SINTERSTORE d a b", "SUNIONSTORE d a", "SINTERCARD 2 a b LIMIT 5", "ZINTERCARD 1 a",
		"LMPOP 2 a b LEFT COUNT 3", "ZMPOP 1 a MIN", "BLMPOP 0 2 a b LEFT", "BZMPOP 0 1 a MAX",
		"ZUNION 2 a b WITHSCORES", "ZINTER 1 a", "ZDIFF 3 a b c", "ZUNIONSTORE d 2 a b WEIGHTS 1 2",
		"ZINTERSTORE d 1 a", "ZDIFFSTORE d 2 a b", "ZRANGESTORE d a 0 -1",
		"EVAL s 2 a b x y", "EVAL s 1 a", "EVALSHA s 1 a", "EVAL_RO s 1 a x", "EVALSHA_RO s 2 a b", "FCALL f 1 a x", "FCALL_RO f 2 a b",
		"EVAL s 0", "EVAL s 0 x", "EVAL s -1 x", "EVAL s 3 a b", "EVAL s abc a", "FCALL f 2 a",
		"ZUNION 0 a", "ZUNION 3 a b", "ZUNION x a", "LMPOP 5 a LEFT", "SINTERCARD 0 a",
		"XREAD STREAMS a 0", "XREAD COUNT 2 STREAMS a b 0 0", "XREAD BLOCK 0 STREAMS a $", "XREAD COUNT 2 BLOCK 5 streams a b c 0 0 0",
		"XREADGROUP GROUP g c STREAMS a >", "XREADGROUP GROUP g c COUNT 1 NOACK STREAMS a b > >",
		"XREADGROUP GROUP streams streams STREAMS a >", "XREAD STREAMS streams 0", "XREAD COUNT 1 a 0",
		"XADD a * f v", "XGROUP CREATE a g $ MKSTREAM", "XGROUP DESTROY a g", "XINFO STREAM a FULL", "XINFO CONSUMERS a g",
		"OBJECT ENCODING a", "OBJECT freq a", "MEMORY USAGE a SAMPLES 3",
		"SORT a", "SORT a BY x* LIMIT 0 5 GET # GET y* ASC ALPHA STORE d", "SORT a STORE d", "SORT a GET store STORE d", "SORT a BY STORE",
		"SORT a STORE d STORE e", "SORT a LIMIT 1 STORE STORE d", "SORT a STORE", "SORT_RO a BY x* GET y*",
		"GEORADIUS a 1 2 3 km", "GEORADIUS a 1 2 3 km STORE d", "GEORADIUS a 1 2 3 km COUNT 5 ASC STOREDIST d",
		"GEORADIUSBYMEMBER a m 3 km STORE d", "GEORADIUSBYMEMBER a m 3 km WITHDIST",
		"GEORADIUS_RO a 1 2 3 km", "GEOSEARCHSTORE d a FROMMEMBER m BYRADIUS 1 km", "GEOSEARCH a FROMMEMBER m BYRADIUS 1 km",
		"BLPOP a b 0", "BRPOPLPUSH a b 0", "BZPOPMIN a b 1", "LMOVE a b LEFT RIGHT", "WATCH a b", "RESTORE a 0 x",
	} {
		request := strings.Fields(line)
		got, want := keysOf(t, request), serversKeys(p, request)
		if !slices.Equal(got, want) {
			t.Errorf("%s: keys %q, the server's are %q", line, got, want)
		}
	}
}

// Every command with keys at fixed positions, in its shortest form and with more arguments.
func TestFixedKeysEqualTheServers(t *testing.T) {
	p := dialPeer(t)
	checked := 0
	for name, s := range everySpec() {
		if _, ok := newer[name]; ok || s.dynamic() || s.FirstKey == 0 || name == "migrate" || name == "sort_ro" {
			continue
		}
		if s.Is(PubSub) {
			continue // the server routes channels by the same positions, but GETKEYS does not call them keys
		}
		least := max(s.Arity, -s.Arity)
		if name == "pfmerge" {
			least++ // GETKEYS misses the destination if there is no source
		}
		for argc := least; argc <= least+4; argc++ {
			if s.Arity > 0 && argc != least || !s.Accepts(argc) || s.KeySpec == keyPairs && argc%2 == 0 {
				continue
			}
			request := strings.Split(name, "|")
			for i := len(request); i < argc; i++ {
				request = append(request, fmt.Sprintf("argument%d", i))
			}
			if got, want := keysOf(t, request), serversKeys(p, request); !slices.Equal(got, want) {
				t.Errorf("%q: keys %q, the server's are %q", request, got, want)
			}
			checked++
		}
	}
	if checked < 300 {
		t.Errorf("only %d requests were compared", checked)
	}
}

// What GETKEYS does not tell as the command itself reads it: the destination when the count of keys
// makes no sense, a destination that a later one replaces, streams without as many ids, and what
// only other versions take.
func TestKeysWithoutPeer(t *testing.T) {
	for _, c := range []struct{ request, want string }{
		{"ZUNIONSTORE d 0 a", "d"},
		{"ZUNIONSTORE d 2 a", "d"},
		{"ZUNIONSTORE d x a", "d"},
		{"GEORADIUS a 1 2 3 km STORE d STOREDIST e", "a e"},
		{"XREAD STREAMS a b 0", ""},
		{"PFMERGE a", "a"},
		{"EVAL s 02 a b", "a b"},
		{"EVAL s +1 a b", "a"},
		{"EVAL s + a", ""},
		{"EVAL s 99999999999999999999999999999999 a", ""},
		{"EVAL s 18446744073709551617 a", ""},
		{"ZUNION 1 a WITHSCORES", "a"},
		{"XREADGROUP GROUP g c LATER 7 STREAMS a >", "a"},
		{"XREADGROUP GROUP g c STREAMS a b >", ""},
		{"XREAD COUNT 1 COUNT", ""},
	} {
		if got := strings.Join(keysOf(t, strings.Fields(c.request)), " "); got != c.want {
			t.Errorf("%s: keys %q, want %q", c.request, got, c.want)
		}
	}
}

// Whatever a client sends, the positions are those of arguments, and each argument is one key at most.
func TestKeysAreArguments(t *testing.T) {
	vocabulary := strings.Fields("streams STREAMS block count group limit get by store STOREDIST a b 0 1 2 3 7 -1 99999999999")
	random := rand.New(rand.NewPCG(7, 8))
	for name, s := range everySpec() {
		for range 500 {
			request := strings.Split(name, "|")
			for range random.IntN(12) {
				request = append(request, vocabulary[random.IntN(len(vocabulary))])
			}
			argc, at := accessor(request)
			if !s.Accepts(argc) {
				continue
			}
			if shape := s.ShapeOf(argc, at); shape != s.Shape && shape != Pinned {
				t.Fatalf("%q is %v", request, shape)
			}
			last := 0
			for _, i := range s.AppendKeys(nil, argc, at) {
				if i <= last || i >= argc {
					t.Fatalf("%q of %d arguments has a key at %d, after %d", request, argc, i, last)
				}
				last = i
			}
		}
	}
}
