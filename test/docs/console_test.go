package docs

import (
	"encoding/json"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cashew-proxy/cashew/internal/admin"
	"github.com/cashew-proxy/cashew/internal/config"
	"github.com/cashew-proxy/cashew/internal/control"
	"github.com/cashew-proxy/cashew/test/harness"
)

// adminAPI answers as the process that the page shows, and returns its address.
func adminAPI(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, "internal/console/testdata/page.json"))
	if err != nil {
		t.Fatal(err)
	}
	var shown struct {
		Now         admin.Status
		Events      []admin.Event
		Clients     []admin.Client
		Slow        []admin.SlowRequest
		Hot         admin.HotKeys
		Differences control.Differences
	}
	if err := json.Unmarshal(text, &shown); err != nil {
		t.Fatal(err)
	}
	answers := map[string]any{
		"GET /api/status": shown.Now, "GET /api/events": shown.Events, "GET /api/clients": shown.Clients,
		"GET /api/slowlog": shown.Slow, "GET /api/hot": shown.Hot,
		"POST /api/reload": shown.Differences, "GET /api/config": struct{}{}, "PUT /api/log-level": admin.Level{Level: 4},
		"POST /api/drain": struct{}{}, "POST /api/pools/sessions/pause": shown.Now.Pools[0], "POST /api/pools/sessions/resume": shown.Now.Pools[0],
		"POST /api/pools/sessions/servers/session2/eject":   shown.Now.Pools[0].Servers[1],
		"POST /api/pools/sessions/servers/session2/readmit": shown.Now.Pools[0].Servers[1],
	}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer, ok := answers[r.Method+" "+r.URL.Path]
		if !ok {
			w.WriteHeader(http.StatusNotFound)
			answer = admin.Error{Error: "there is no such thing"}
		}
		json.NewEncoder(w).Encode(answer) //nolint:errcheck // the client complains
	}))
	t.Cleanup(s.Close)
	return s.Listener.Addr().String()
}

// TestConsole: commands for a running process write what the page shows.
func TestConsole(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(root, "docs/operations.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(text), "\n## Console\n")
	section, _, _ = strings.Cut(section, "\n## ")
	blocks := fence.FindAllStringSubmatch(section, -1)
	screen, err := os.ReadFile(filepath.Join(root, "internal/console/testdata/page.txt"))
	if err != nil {
		t.Fatal(err)
	}
	environ := append(os.Environ(), "PATH="+build(t)+string(filepath.ListSeparator)+os.Getenv("PATH"), "CASHEW_ADMIN="+adminAPI(t), "TZ=UTC")
	shown := 0
	for i, b := range blocks {
		if b[1] != "sh" || i+1 == len(blocks) || blocks[i+1][1] != "text" {
			continue
		}
		shown++
		got, commands := "", b[2]
		switch {
		case commands == "cashew top\n": // on a terminal: see internal/console
			for line := range strings.Lines(string(screen)) {
				got += strings.TrimPrefix(line[1:], " ")
			}
		default:
			if strings.HasPrefix(commands, "redis-cli -p 22121 ") {
				commands = strings.Replace(commands, "22121", ownPort(t), 1)
			}
			cmd := exec.CommandContext(t.Context(), "sh", "-ec", commands)
			cmd.Env = environ
			out, err := cmd.CombinedOutput()
			if err != nil {
				t.Errorf("%s: %v", commands, err)
			}
			got = string(out)
		}
		if got != blocks[i+1][2] {
			t.Errorf("%s writes\n%s\nthe page has\n%s", commands, got, blocks[i+1][2])
		}
	}
	if shown < 5 {
		t.Errorf("the section shows only %d outputs", shown)
	}
}

// ownPort is the port of the README's pool, which runs and allows PROXY.
func ownPort(t *testing.T) string {
	t.Helper()
	pool := strings.Replace(read(t, "README.md").of("yaml")[0], "127.0.0.1:22121", harness.AnyPort+"\n  allow_commands: proxy", 1)
	_, port, err := net.SplitHostPort(harness.Start(t, pool, config.Options{}).Addr)
	if err != nil {
		t.Fatal(err)
	}
	return port
}
