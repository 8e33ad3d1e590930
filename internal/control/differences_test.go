package control

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestCompare(t *testing.T) {
	const before = `
kept: {listen: "h:1", servers: ["h:1:1 one"]}
alpha: {listen: "h:2", distribution: modula, servers: ["h:1:1 one", "h:2:1 two"]}
gone: {listen: "h:3", servers: ["h:1:1 one"]}
`
	for _, c := range []struct{ name, new, want string }{
		{"nothing", before, "no difference\n"},
		{"servers and pools", strings.NewReplacer("two", "zwo", "gone:", "come:").Replace(before), `pool gone removed (h:3, servers: 1)
pool alpha: server two removed (h:2, weight 1)
pool alpha: server zwo added (h:2, weight 1)
pool come added (h:3, servers: 1)

pool   keys that move
kept   none
alpha  49.9 %

changes: 4, none of which needs a restart
`},
		{"the process", "cashew: {log_format: json, shutdown_timeout: 1}\n" + strings.Replace(before, "h:1:1 one", "h:9:1 one", 1), `cashew: shutdown_timeout: 10000 -> 1
cashew: log_format: text -> json; needs a restart
pool kept: server one moved: h:1 -> h:9

pool   keys that move
gone   none
kept   all
alpha  none

changes: 3, of which 1 cannot be made without a restart
`},
	} {
		var b strings.Builder
		if err := Compare(load(t, before), load(t, c.new)).Write(&b); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(c.want, b.String()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
	}
	b, err := json.Marshal(Compare(load(t, before), load(t, before)))
	if err != nil || !strings.Contains(string(b), `"changes":[],"pools":[{"pool":"gone","moved":0}`) {
		t.Errorf("without a difference: %s %v", b, err)
	}
}
