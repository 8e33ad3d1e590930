package docs

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/cashew-proxy/cashew/internal/config"
	"github.com/cashew-proxy/cashew/test/harness"
)

var apiRow = regexp.MustCompile("(?m)^\\| `(GET|POST|PUT) ([^`]+)`(?:, `(GET|POST|PUT) ([^`]+)`)? \\|")

// TestAdminCommands: what the page has people ask of the admin API succeeds, one after the other, with the
// README's configuration; and the page has a row for everything that the API says it has.
func TestAdminCommands(t *testing.T) {
	curl, err := exec.LookPath("curl")
	if err != nil {
		t.Fatal("curl must be installed for this test: ", err)
	}
	p := read(t, "docs/operations.md")
	dir, admin := readersDir(t), harness.FreeAddr(t)
	text, err := os.ReadFile(filepath.Join(dir, "nutcracker.yml"))
	if err != nil {
		t.Fatal(err)
	}
	listen := filepath.Join(t.TempDir(), "pool.sock")
	text = []byte("cashew: {admin: \"" + admin + "\"}\n" + strings.Replace(string(text), "127.0.0.1:22121", listen, 1))
	if err := os.WriteFile(filepath.Join(dir, "nutcracker.yml"), text, 0o600); err != nil {
		t.Fatal(err)
	}
	proxy := harness.Run(t, filepath.Join(build(t), "cashew"), "-c", filepath.Join(dir, "nutcracker.yml"), "-a", "")
	proxy.Err.Await(t, "msg=started")
	run := func(line string) string {
		line = strings.ReplaceAll(line, config.DefaultAdmin, admin)
		// Failing is failing, and there is nothing to draw.
		out, err := exec.CommandContext(t.Context(), "sh", "-c", curl+" -sS --fail-with-body -m 20 "+strings.TrimPrefix(line, "curl ")).CombinedOutput()
		if err != nil {
			t.Errorf("%q: %v\n%s", line, err, out)
		}
		return string(out)
	}
	n := 0
	for _, line := range p.lines() {
		if strings.HasPrefix(line, "curl ") && strings.Contains(line, config.DefaultAdmin) {
			n++
			began := time.Now()
			if run(line); time.Since(began) > 10*time.Second {
				t.Errorf("%q takes %v", line, time.Since(began))
			}
		}
	}
	if n < 10 {
		t.Errorf("found only %d commands", n)
	}
	told := map[string]bool{}
	for _, m := range apiRow.FindAllStringSubmatch(p.text, -1) {
		for i := 1; i < len(m); i += 2 {
			path, _, _ := strings.Cut(m[i+1], "?")
			told[m[i]+" "+path] = true
		}
	}
	described := run("curl http://" + config.DefaultAdmin + "/openapi.json")
	names := strings.NewReplacer("{pool}", "POOL", "{server}", "SERVER", "{profile}", "")
	for path, methods := range pathsOf(t, described) {
		for method := range methods {
			if id := strings.ToUpper(method) + " " + names.Replace(path); !told[id] {
				t.Errorf("the page does not tell of %s", id)
			}
		}
	}
}

// pathsOf are the paths of an OpenAPI description, and by path the methods.
func pathsOf(t *testing.T, text string) map[string]map[string]any {
	t.Helper()
	var d struct{ Paths map[string]map[string]any }
	if err := json.Unmarshal([]byte(text), &d); err != nil || len(d.Paths) == 0 {
		t.Fatalf("%v in %s", err, text)
	}
	return d.Paths
}
