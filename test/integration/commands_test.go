package integration

import (
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/cashew-proxy/cashew/internal/command"
	"github.com/cashew-proxy/cashew/internal/config"
	"github.com/cashew-proxy/cashew/internal/redistest"
	"github.com/cashew-proxy/cashew/test/harness"
)

// pool is a configuration with one pool called "a" before the servers; more lines may follow. The
// hash is one that spreads short keys, which fnv does not.
func pool(servers []string, more ...string) string {
	var b strings.Builder
	b.WriteString("a:\n  listen: " + harness.AnyPort + "\n  redis: true\n  hash: murmur\n  hash_tag: \"{}\"\n")
	for _, line := range more {
		b.WriteString("  " + line + "\n")
	}
	b.WriteString("  servers:\n")
	for i, s := range servers {
		fmt.Fprintf(&b, "    - %s:1 s%d\n", s, i)
	}
	return b.String()
}

func startServers(t testing.TB, n int, args ...string) []string {
	t.Helper()
	var addrs []string
	for range n {
		addrs = append(addrs, redistest.StartServer(t, args...))
	}
	return addrs
}

// echoLibrary is a function for FCALL. Functions are loaded on the servers themselves.
const echoLibrary = "#!lua name=lib\nredis.register_function{function_name='echo'," +
	"callback=function(keys,args) return {keys[1],args[1]} end,flags={'no-writes'}}"

// sample is one line of samples.
type sample struct {
	args   []string
	how    string // a key of comparisons; "" is byte by byte
	reason string
}

func parseSamples(t *testing.T, text string) (all []sample) {
	for line := range strings.Lines(text) {
		request, how, found := strings.Cut(strings.TrimSpace(line), " # ")
		if request == "" {
			continue
		}
		s := sample{args: strings.Fields(request)}
		if found {
			s.how, s.reason, _ = strings.Cut(how, ": ")
			if comparisons[s.how] == nil || s.reason == "" {
				t.Fatalf("%q: no such comparison, or no reason", line)
			}
		}
		all = append(all, s)
	}
	return all
}

var fields = regexp.MustCompile(`[a-z-]+=`)

var numbers = regexp.MustCompile(`[0-9]+`)

// comparisons hold the reply that came directly against the one through the proxy.
var comparisons = map[string]func(direct, proxied string) bool{
	"": func(direct, proxied string) bool { return direct == proxied },
	"any order": func(direct, proxied string) bool {
		a, b := strings.Split(direct, "\r\n"), strings.Split(proxied, "\r\n")
		slices.Sort(a)
		slices.Sort(b)
		return slices.Equal(a, b)
	},
	// The numbers may differ by five seconds' worth, in seconds or milliseconds.
	"near": func(direct, proxied string) bool {
		a, b := numbers.FindAllString(direct, -1), numbers.FindAllString(proxied, -1)
		if len(a) != len(b) || numbers.ReplaceAllString(direct, "") != numbers.ReplaceAllString(proxied, "") {
			return false
		}
		for i := range a {
			x, _ := strconv.Atoi(a[i])
			y, _ := strconv.Atoi(b[i])
			if d := x - y; d > 5000 || d < -5000 {
				return false
			}
		}
		return true
	},
	"shape": func(direct, proxied string) bool {
		return numbers.ReplaceAllString(direct, "0") == numbers.ReplaceAllString(proxied, "0")
	},
	// Lines of k=v, the first of which begins with the names that the server's has.
	"fields": func(direct, proxied string) bool {
		_, direct, _ = strings.Cut(direct, "id=")
		_, proxied, _ = strings.Cut(proxied, "id=")
		direct, _, _ = strings.Cut(direct, "\n")
		a, b := fields.FindAllString(direct, -1), fields.FindAllString(proxied, -1)
		return len(a) > 20 && len(b) >= len(a) && slices.Equal(a, b[:len(a)])
	},
	"newer": func(direct, proxied string) bool {
		return strings.HasPrefix(direct, "-ERR unknown subcommand") && proxied == "+OK\r\n"
	},
	"no cluster": func(_, proxied string) bool {
		return proxied == "-ERR This instance has cluster support disabled\r\n"
	},
	"help": func(direct, proxied string) bool {
		return strings.Contains(direct, " Subcommands are:\r\n") && strings.Contains(proxied, " Subcommands are:\r\n") &&
			strings.HasSuffix(proxied, "+HELP\r\n+    Prints this help.\r\n")
	},
	"twemproxy": func(_, proxied string) bool {
		return proxied == "-ERR Client sent AUTH, but no password is set\r\n"
	},
}

// specOf returns the command of the table that a request is, nil if there is none.
func specOf(args []string) *command.Spec {
	spec := command.Lookup([]byte(args[0]))
	if spec == nil {
		return nil
	}
	return spec.Resolve(len(args), func(i int) []byte { return []byte(args[i]) })
}

func served(s *command.Spec) bool {
	switch s.Shape {
	case command.Refused, command.Pinned, command.Everywhere:
		return false
	}
	return true
}

func TestEveryServedCommandHasASample(t *testing.T) {
	has := map[string]bool{}
	for _, s := range parseSamples(t, samples) {
		if spec := specOf(s.args); spec != nil {
			if !served(spec) && spec.Name != "object" && spec.Name != "xinfo" {
				t.Errorf("%v is a sample of a command that is not served", s.args)
			}
			has[spec.Name] = true
		}
	}
	for _, s := range parseSamples(t, samplesOfOne) {
		if spec := specOf(s.args); spec != nil {
			has[spec.Name] = true
		}
	}
	var names []string
	for spec := range command.All {
		names = append(names, spec.Name)
	}
	// The table does not list its subcommands; a server lists all that it has.
	reply := redistest.Dial(t, redistest.StartServer(t)).Do("COMMAND", "LIST")
	for line := range strings.Lines(reply) {
		if name := strings.TrimSpace(line); strings.Contains(name, "|") {
			names = append(names, name)
		}
	}
	if len(names) < 300 {
		t.Fatalf("only %d commands: the table or the server's list is missing", len(names))
	}
	for _, name := range names {
		spec := specOf(strings.Split(name, "|"))
		if spec == nil {
			t.Errorf("the table lacks %s", name)
		} else if (served(spec) || spec.Shape == command.Everywhere) && !has[spec.Name] {
			t.Errorf("%s has no sample", name)
		}
	}
}

func TestSamplesDirectlyAndThroughTheProxy(t *testing.T) {
	for _, version := range []string{"2", "3"} {
		for _, n := range []int{1, 3} {
			t.Run(fmt.Sprintf("RESP%s, %d servers", version, n), func(t *testing.T) { trySamples(t, version, n) })
		}
	}
}

// trySamples tries all in one version of the protocol: with new servers, or the second time would see what the
// first has left.
func trySamples(t *testing.T, version string, n int) {
	direct := redistest.StartServer(t)
	servers := startServers(t, n)
	for _, s := range append(servers, direct) {
		loadLibrary(t, s)
	}
	p := harness.Start(t, pool(servers, "allow_commands: [flushall, flushdb, swapdb]"), config.Options{})
	dial := func(addr string) *redistest.Client {
		c := redistest.Dial(t, addr)
		if got := c.Do("HELLO", version); !strings.Contains(got, "proto\r\n:"+version+"\r\n") {
			t.Fatalf("HELLO %s: %q", version, got)
		}
		return c
	}
	compareSamples(t, samples, dial(direct), dial(p.Addr))
	if n > 1 {
		for _, s := range servers {
			if redistest.Dial(t, s).Do("DBSIZE") == ":0\r\n" {
				t.Errorf("server %s has no key: the samples do not spread", s)
			}
		}
		return
	}
	compareSamples(t, samplesOfOne, dial(direct), dial(p.Addr))
}

func loadLibrary(t *testing.T, server string) {
	t.Helper()
	if got := redistest.Dial(t, server).Do("FUNCTION", "LOAD", echoLibrary); got != "$3\r\nlib\r\n" {
		t.Fatalf("FUNCTION LOAD: %q", got)
	}
}

func compareSamples(t *testing.T, text string, direct, proxied *redistest.Client) {
	direct.Do("SET", "v", "v")
	dump := direct.Do("DUMP", "v")
	dump = dump[strings.Index(dump, "\r\n")+2 : len(dump)-2]
	direct.Do("DEL", "v")
	for _, s := range parseSamples(t, text) {
		args := slices.Clone(s.args)
		for i := range args {
			if args[i] == "DUMP-OF-V" {
				args[i] = dump
			}
		}
		want, got := direct.Do(args...), proxied.Do(args...)
		if !comparisons[s.how](want, got) {
			t.Errorf("%v\ndirectly %.300q\nproxied  %.300q", s.args, want, got)
		}
	}
	if _, err := proxied.TryRead(); err != io.EOF {
		t.Errorf("after QUIT: %v, want the end", err)
	}
}

// TestNotServedCommandsAreRefusedByName: an error in Redis' words, and the connection goes on.
func TestNotServedCommandsAreRefusedByName(t *testing.T) {
	p := harness.Start(t, pool(startServers(t, 2)), config.Options{})
	c := redistest.Dial(t, p.Addr)
	refused := 0
	for spec := range command.All {
		if served(spec) || spec.Container() {
			continue
		}
		refused++
		argc := max(spec.Arity, -spec.Arity)
		args := []string{spec.Name}
		for i := 1; i < argc; i++ {
			args = append(args, strconv.Itoa(i))
		}
		want := "-ERR unknown command '" + spec.Name + "'"
		if spec.Shape != command.Refused || spec.Is(command.PubSub) {
			want = "-ERR " + strings.ToUpper(spec.Name) + " is not supported by the proxy\r\n"
		}
		if slices.Contains([]string{"flushall", "flushdb", "swapdb"}, spec.Name) {
			want = "-ERR " + strings.ToUpper(spec.Name) + " is not allowed through the proxy\r\n"
		}
		if got := c.Do(args...); !strings.HasPrefix(got, want) {
			t.Errorf("%v: %q", args, got)
		}
	}
	if refused < 40 {
		t.Errorf("only %d commands were tried", refused)
	}
	if got := c.Do("PING"); got != "+PONG\r\n" {
		t.Errorf("PING afterwards: %q", got)
	}
}
