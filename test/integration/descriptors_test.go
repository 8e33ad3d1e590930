package integration

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cashew-proxy/cashew/internal/redistest"
	"github.com/cashew-proxy/cashew/test/harness"
)

// TestDescriptorsRunOut: with more clients than files may be open, those who are too many are told so, and
// those who are in are served, although no server was connected before the rush.
func TestDescriptorsRunOut(t *testing.T) {
	path, err := cashew()
	if err != nil {
		t.Fatal(err)
	}
	servers := []string{redistest.StartServer(t), redistest.StartServer(t)}
	const files, wanted = 400, 600
	var p *harness.Process
	var addr string
	const attempts = 5 // somebody else may take the port first
	for try := 0; ; try++ {
		addr = harness.FreeAddr(t)
		file := filepath.Join(t.TempDir(), "cashew.yml")
		if err := os.WriteFile(file, []byte(noAdmin+strings.Replace(pool(servers), harness.AnyPort, addr, 1)), 0o600); err != nil {
			t.Fatal(err)
		}
		// Both limits: the soft one alone would be raised.
		p = harness.Run(t, "sh", "-c", fmt.Sprintf(`ulimit -Sn %d; ulimit -Hn %d; exec "$0" -c "$1" -a ""`, files, files), path, file)
		harness.Eventually(t, harness.Limit, "cashew has started or ended", func() bool { return p.Err.Has("msg=started") || p.Ended() })
		if !p.Ended() {
			break
		}
		if try == attempts {
			t.Fatalf("cashew did not start: %s", p.Err)
		}
	}
	var in []*redistest.Client
	refused := 0
	for range wanted {
		c := redistest.Dial(t, addr)
		if err := c.TryWrite(redistest.Request("PING")); err != nil {
			refused++
			continue
		}
		switch reply, err := c.TryRead(); {
		case reply == "+PONG\r\n":
			in = append(in, c)
		case reply == "-ERR max number of clients reached\r\n" || err != nil: // a reset may overtake the error
			refused++
		default:
			t.Fatalf("got %q, %v", reply, err)
		}
	}
	if len(in) < files/2 || refused < wanted-files {
		t.Errorf("%d clients are in, %d were refused", len(in), refused)
	}
	for i, c := range in {
		if got := c.Do("SET", fmt.Sprint("key", i), "v"); got != "+OK\r\n" {
			t.Fatalf("client %d: %q; the log:\n%s", i, got, p.Err)
		}
	}
	if !p.Err.Has("no open files left for clients") {
		t.Errorf("the log does not say why:\n%s", p.Err)
	}
	in[0].Close()
	harness.Eventually(t, harness.Limit, "there is room for one more", func() bool {
		c, err := redistest.TryDial(t, addr)
		if err != nil {
			return false
		}
		defer c.Close()
		if c.TryWrite(redistest.Request("PING")) != nil {
			return false
		}
		reply, _ := c.TryRead()
		return reply == "+PONG\r\n"
	})
}
