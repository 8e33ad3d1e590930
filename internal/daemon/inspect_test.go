package daemon

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/cashew-proxy/cashew/internal/config"
)

func loadText(t *testing.T, text string) *config.Config {
	t.Helper()
	path := filepath.Join(t.TempDir(), "c.yml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c, _, err := config.Load(path, config.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

const pools = `
even: {listen: "h:1", hash_tag: "{}", servers: ["h:1:1 one", "h:2:1 two", "h:3:1 three"]}
crc: {listen: "h:2", hash: crc32, servers: ["h:1:1 one", "h:2:1 two"]}
starved: {listen: "h:3", servers: ["h:1:100000", "h:2:1 two"]}
dice: {listen: "h:4", distribution: random, servers: ["h:1:1", "h:2:3"]}
crcmod: {listen: "h:5", hash: crc32, distribution: modula, servers: ["h:1:1", "h:2:3"]}
single: {listen: "h:6", servers: ["h:1:1"]}
lopsided: {listen: "h:7", servers: ["h:1:1 x", "h:2:10 y"]}
`

func TestDescribeRing(t *testing.T) {
	c := loadText(t, pools)
	for pool, want := range map[string][]string{
		"even":     {"one     h:1      1       160     "},
		"crc":      {"points", "0.00 %", "100.00 %", "warning: crc32 has 15 bits only", "gets no keys at all"},
		"starved":  {"h:1     h:1      100000  316     100.00 %", "warning: two gets no keys", "warning: 1 of the servers have no name"},
		"dice":     {"50.00 %  1.00", "warning: the weights have no effect"},
		"crcmod":   {"25.00 %", "75.00 %"},
		"single":   {"100.00 %  1.00"},
		"lopsided": {"warning: the keys are spread unevenly: x gets 1.30 times"},
	} {
		var b strings.Builder
		r, err := DescribeRings(c, pool)
		if err := errors.Join(err, r.Write(&b)); err != nil {
			t.Fatal(err)
		}
		for _, w := range want {
			if !strings.Contains(b.String(), w) {
				t.Errorf("%s: no %q in:\n%s", pool, w, &b)
			}
		}
		warned, wanted := strings.Count(b.String(), "warning:"), strings.Count(strings.Join(want, ""), "warning:")
		if pool == "crc" {
			wanted++ // which of the two gets no keys is not this test's business
		}
		if warned != wanted {
			t.Errorf("%s: %d warnings, want %d:\n%s", pool, warned, wanted, &b)
		}
	}
	var all strings.Builder
	rings, err := DescribeRings(c, "")
	if err := errors.Join(err, rings.Write(&all)); err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(all.String(), "pool "); n != 7 {
		t.Errorf("%d pools:\n%s", n, &all)
	}
	if _, err := DescribeRings(c, "nobody"); err == nil || !strings.Contains(err.Error(), "single") {
		t.Errorf("an unknown pool: %v", err)
	}
}

func TestExplain(t *testing.T) {
	c := loadText(t, pools)
	for pool, want := range map[string]string{
		// 2248273036 is what twemproxy's own function has for "a".
		"even": `pool even: ketama, fnv1a_64, hash tag "{}", servers: 3
key      hashed  hash        server  address  share of the ring
"x{a}y"  "a"     2248273036  one     h:1      31.61 %
"a"      "a"     2248273036  one     h:1      31.61 %
`,
		"single": `pool single: ketama, fnv1a_64, no hash tag, servers: 1
key      hashed   hash  server  address  share of the ring
"x{a}y"  "x{a}y"  -     h:1     h:1      100.00 %
"a"      "a"      -     h:1     h:1      100.00 %
`,
		"dice": `pool dice: random, fnv1a_64, no hash tag, servers: 2
key      hashed  hash  server  address  share of the ring
"x{a}y"  -       -     any     -        -
"a"      -       -     any     -        -
`,
	} {
		var b strings.Builder
		x, err := Explain(c, pool, []string{"x{a}y", "a"})
		if err := errors.Join(err, x.Write(&b)); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, b.String()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", pool, diff)
		}
	}
	if _, err := Explain(c, "nobody", []string{"k"}); err == nil {
		t.Error("an unknown pool is explained")
	}
}

func TestVerbosity(t *testing.T) {
	v := newVerbosity(5)
	for _, c := range []struct{ d, want int }{{1, 6}, {100, 11}, {-1, 10}, {-100, 0}, {-1, 0}} {
		if got := v.Add(c.d); got != c.want {
			t.Errorf("Add(%d) = %d, want %d", c.d, got, c.want)
		}
	}
}
