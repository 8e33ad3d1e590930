package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestRowsAreThere: names are unique within a group, and no group lacks what it was made for.
func TestRowsAreThere(t *testing.T) {
	for _, g := range groups {
		var names []string
		for _, w := range g.rows {
			if slices.Contains(names, w.Name) || w.Servers < 1 || w.probe < 1 {
				t.Errorf("%s: %+v", g.name, w)
			}
			names = append(names, w.Name)
		}
		for _, want := range map[string][]string{
			"many":    {"mget-10-s1", "mget-100-s2", "mset-1000-s4", "mget-10000-s16", "mset-10000-s16"},
			"large":   {"get-16KiB", "set-128KiB", "get-1MiB", "get-16MiB", "set-100MiB"},
			"workers": {"get-50c", "get-50c-P100", "get-200c-P16"},
			"hot":     {"hot-32-50c", "hot-32-1000c", "hot-4KiB-50c-P16"},
			"peers":   {"get-1c", "mget-100", "mc-get-50c"},
		}[g.name] {
			if !slices.Contains(names, want) {
				t.Errorf("%s has no row %s", g.name, want)
			}
		}
	}
}

func TestKeysOfRequest(t *testing.T) {
	for _, w := range manyKeys() {
		if got := w.keysOfRequest(); !strings.Contains(w.Name, "-"+map[int]string{10: "10", 100: "100", 1000: "1000", 10_000: "10000"}[got]+"-") {
			t.Errorf("%s has %d keys", w.Name, got)
		}
	}
}

// tableOf measures what the flags say in runs as short as can be, and returns the table.
func tableOf(t *testing.T, flags ...string) string {
	t.Helper()
	needPeers(t)
	o, err := parseFlags(append([]string{"-quick"}, flags...))
	if err != nil {
		t.Fatal(err)
	}
	o.seconds = 0.05
	var table bytes.Buffer
	if err := run(t.Context(), o, &table); err != nil {
		t.Fatal(err)
	}
	return table.String()
}

// TestManyIsMeasured: rows of several numbers of servers, with real ones, and the cost of a key.
func TestManyIsMeasured(t *testing.T) {
	table := tableOf(t, "-group", "many", "-only", "^m.et-100-s[14]$", "-targets", "direct,nutcracker")
	for _, want := range []string{
		"\n| mget-100-s1 | direct | ", "\n| mset-100-s4 | nutcracker | ", "\n| MGET | 1 | nutcracker | 100: ", "\n| MSET | 4 | nutcracker | 100: ",
	} {
		if !strings.Contains(table, want) {
			t.Errorf("no %q in\n%s", want, table)
		}
	}
}

// TestHotIsMeasured: with no proxy, with nutcracker, and with cashew whose reads join and whose do not.
func TestHotIsMeasured(t *testing.T) {
	table := tableOf(t, "-group", "hot", "-only", "^hot-32-50c-P16$")
	for _, want := range []string{"direct", "nutcracker", "cashew", "cashew-joining"} {
		if !strings.Contains(table, "\n| hot-32-50c-P16 | "+want+" | ") {
			t.Errorf("no %s in\n%s", want, table)
		}
	}
}

func TestCostOfAKey(t *testing.T) {
	rep := report{Group: "many", Targets: proxied}
	for keys, cost := range map[int]float64{100: 20, 10_000: 2400} {
		w := workload{Name: "m", Args: append([]string{"MGET"}, placeholders(keys)...), Servers: 2}
		rep.Results = append(rep.Results, result{Workload: w, Samples: []sample{{Target: cashew, ProxyCPU: cost}}})
	}
	slices.SortFunc(rep.Results, func(a, b result) int { return len(a.Workload.Args) - len(b.Workload.Args) })
	var b bytes.Buffer
	rep.perKey(&b)
	if want := "| MGET | 2 | cashew | 100: 200, 10000: 240 | 1.20 |\n"; !strings.Contains(b.String(), want) {
		t.Errorf("no %q in\n%s", want, b.String())
	}
}

// TestWorkersOfCashew: the number is in the configuration, and the best fixed one is found in each round.
func TestWorkersOfCashew(t *testing.T) {
	for name, want := range map[string]string{
		"cashew-2": "cashew:\n  admin: 127.0.0.1:7\n  threads: 2\n",
		"cashew":   "cashew:\n  admin: 127.0.0.1:7\n",
	} {
		if got := ofCashew(name, 7); got != want {
			t.Errorf("%s: %q", name, got)
		}
	}
	r := result{Samples: []sample{
		{Target: "cashew-1", Throughput: 10},
		{Target: "cashew-2", Throughput: 20},
		{Target: cashew, Throughput: 30},
		{Target: "cashew-1", Throughput: 40, Round: 1},
		{Target: "cashew-2", Throughput: 20, Round: 1},
		{Target: cashew, Throughput: 40, Round: 1},
	}}
	if v, ok := r.ratio(throughput, cashew, bestFixed); !ok || v != 1.25 {
		t.Errorf("have %v, %v; want the median of 1.5 and 1", v, ok)
	}
}

// TestUnable: what somebody else does not manage is said, and ends neither the row nor the run. What cashew does
// not manage does.
func TestUnable(t *testing.T) {
	needPeers(t)
	o, err := parseFlags([]string{"-quick", "-targets", "direct,nutcracker"})
	if err != nil {
		t.Fatal(err)
	}
	w := latencyRow()
	w.mayFail = true
	f, err := startFleet(t.Context(), o, []workload{w}, t.TempDir())
	defer f.stop()
	if err == nil {
		err = f.preload([]workload{w})
	}
	if err != nil {
		t.Fatal(err)
	}
	proxy := f.targets[1].proxy
	pid := proxy.cmd.Process.Pid
	drive := f.targets[1].drive
	f.targets[1].drive = func(context.Context, int, workload, int) (sample, error) {
		return sample{}, errors.New("too large\nand more")
	}
	r, err := measure(t.Context(), o, f, w)
	if err != nil || len(r.Samples) != 1 || r.Samples[0].Target != direct || !strings.Contains(r.Unable[nutcracker], "too large") {
		t.Fatalf("%+v, %v", r, err)
	}
	if err := proxy.ping(); err != nil || proxy.cmd.Process.Pid == pid {
		t.Errorf("it was not started anew: %v", err)
	}
	rep := report{Targets: o.targets, Results: []result{r}}
	var b bytes.Buffer
	rep.body(&b)
	if want := "- nutcracker: latency-get-50c (latency-get-50c, nutcracker: too large)\n"; !strings.Contains(b.String(), want) {
		t.Errorf("no %q in\n%s", want, b.String())
	}
	f.targets[1].drive = drive
	f.targets[1].name = cashew
	if err := r.unable(t.Context(), f.targets[1], errors.New("no")); err == nil {
		t.Error("what cashew does not manage is no error")
	}
}

// standIn writes a script in place of a peer: it takes the ports out of the files that it is given, and becomes
// a nutcracker.
func standIn(t *testing.T, name, listen, servers string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	script := `#!/bin/sh
case "$1" in --version) echo "stand-in for ` + name + ` 9.9"; exit;; esac
conf=$(mktemp -d "$PWD/stand-in.XXXXXX")/nutcracker.yml
files=""
for arg; do case "$arg" in *.conf|*.toml|*.json) files="$files ${arg#*=}";; esac; done
{
  echo bench:
  echo "  listen: $(cat $files | grep -o '` + listen + `' | grep -o '127[0-9.:]*')"
  redis=true; grep -q memcache $files && redis=false
  printf '  redis: %s\n  distribution: ketama\n  hash: fnv1a_64\n  preconnect: true\n  servers:\n' $redis
  cat $files | grep -o '` + servers + `' | grep -o '127[0-9.]*:[0-9]*' | awk '!seen[$0]++ { print "    - " $0 ":1" }'
} >"$conf"
stats=$(grep -o 'listen: .*' "$conf" | sed 's/.*://')
exec nutcracker -c "$conf" -s $((stats % 1000 + 20000)) -v 4 -o "$conf.log"
`
	if err := os.WriteFile(path, []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestPeersAreMeasured(t *testing.T) {
	needPeers(t)
	o, err := parseFlags([]string{
		"-quick", "-group", "peers", "-targets", "direct,nutcracker",
		"-predixy", standIn(t, "predixy", "^Bind .*", "+ 127.*"),
		"-codis", standIn(t, "codis-proxy", "^proxy_addr = .*", `"backend_addr":"[0-9.:]*`),
		"-overlord=" + standIn(t, "overlord", "^listen_addr = .*", `"127[0-9.:]* shard`),
	})
	if err != nil {
		t.Fatal(err)
	}
	o.seconds, o.only = 0.05, regexp.MustCompile("^get-50c$|^mget-100$|^mc-set-50c$")
	var table bytes.Buffer
	if err := run(t.Context(), o, &table); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"| get-50c | predixy | ", "| mget-100 | codis | ", "| mc-set-50c | overlord | ", "predixy: stand-in for predixy 9.9, sha256 ",
		"Keys of redis behind codis, by server: ",
	} {
		if !strings.Contains(table.String(), want) {
			t.Errorf("no %q in\n%s", want, table.String())
		}
	}
	if strings.Contains(table.String(), "| mc-set-50c | predixy | ") || strings.Contains(table.String(), "Not managed") {
		t.Errorf("more than there should be in\n%s", table.String())
	}
}

// TestMissingPeersAreNamed: a binary that is not there fails before anything runs; one that was not given is told.
func TestMissingPeersAreNamed(t *testing.T) {
	_, err := parseFlags([]string{"-group", "peers", "-codis", "/no/such/codis-proxy"})
	if err == nil || !strings.Contains(err.Error(), "-codis: there is no program /no/such/codis-proxy") {
		t.Errorf("have %v", err)
	}
	if _, err = parseFlags([]string{"-group", "peers", "-codis", "", "-predixy", ""}); err == nil || !strings.Contains(err.Error(), "-predixy, -codis") {
		t.Errorf("have %v", err)
	}
	o, err := parseFlags([]string{"-group", "peers", "-predixy", "/bin/sh"})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"codis: not measured, the path of its binary was not given", "overlord: not measured, the path of its binary was not given"}
	if got := unmeasured(o); !slices.Equal(got, want) {
		t.Errorf("have %q", got)
	}
}

// TestPeersFiles: what each is given to read.
func TestPeersFiles(t *testing.T) {
	p := &process{port: 11, admin: 12, logs: "/logs/p.log"}
	po := &pool{speaks: redis, shards: []*process{{port: 21}, {port: 22}}}
	files := map[string]string{}
	keep := func(name, text string) string {
		files[name] = text
		return "/dir/" + name
	}
	for _, c := range []struct {
		peer  string
		args  []string
		texts map[string][]string
	}{
		{"predixy", []string{"/dir/predixy.conf"}, map[string][]string{
			"predixy.conf": {"Bind 127.0.0.1:11\n", "Log /logs/p.log\n", "StandaloneServerPool {\n", "    Group shard1 {\n        + 127.0.0.1:22\n    }\n}\n"},
		}},
		{"codis", []string{"--config=/dir/proxy.toml", "--log-level=WARN", "--fillslots=/dir/slots.json"}, map[string][]string{
			"proxy.toml": {"proxy_addr = \"127.0.0.1:11\"\n", "admin_addr = \"127.0.0.1:12\"\n"},
			"slots.json": {
				`[{"id":0,"backend_addr":"127.0.0.1:21"}`, `{"id":511,"backend_addr":"127.0.0.1:21"},{"id":512,"backend_addr":"127.0.0.1:22"}`,
				`{"id":1023,"backend_addr":"127.0.0.1:22"}]`,
			},
		}},
		{"overlord", []string{"-cluster=/dir/cluster.toml"}, map[string][]string{
			"cluster.toml": {"cache_type = \"redis\"\n", "listen_addr = \"127.0.0.1:11\"\n", "servers = [\n    \"127.0.0.1:21:1 shard0\",\n    \"127.0.0.1:22:1 shard1\",\n]\n"},
		}},
	} {
		if args := peerNamed(c.peer).configure(p, po, keep); !slices.Equal(args, c.args) {
			t.Errorf("%s: %q", c.peer, args)
		}
		for file, texts := range c.texts {
			for _, text := range texts {
				if !strings.Contains(files[file], text) {
					t.Errorf("%s: no %q in %s:\n%s", c.peer, text, file, files[file])
				}
			}
		}
	}
	peerNamed("overlord").configure(p, &pool{speaks: memcached}, keep)
	if !strings.Contains(files["cluster.toml"], "cache_type = \"memcache\"\n") {
		t.Errorf("overlord in front of memcached:\n%s", files["cluster.toml"])
	}
}
