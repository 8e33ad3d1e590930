package docs

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/cashew-proxy/cashew/internal/metrics"
	"github.com/cashew-proxy/cashew/internal/proxy"
	"github.com/cashew-proxy/cashew/internal/stats"
)

const monitoring = "examples/prometheus/"

// promtool runs Prometheus' own tool in the directory of the examples.
func promtool(t *testing.T, stdin string, args ...string) (output string, err error) {
	t.Helper()
	path, missing := exec.LookPath("promtool")
	if missing != nil {
		t.Fatalf("this test needs promtool: scripts/peers.sh promtool installs it: %v", missing)
	}
	c := exec.Command(path, args...)
	c.Dir = filepath.Join(root, monitoring)
	c.Stdin = strings.NewReader(stdin)
	out, err := c.CombinedOutput()
	return string(out), err
}

// TestAlertRules: the rules are valid, and warn of what they are for.
func TestAlertRules(t *testing.T) {
	for _, args := range [][]string{
		{"check", "config", "prometheus.yml"},
		{"check", "rules", "alerts.yml"},
		{"test", "rules", "alerts_test.yml"},
	} {
		if out, err := promtool(t, "", args...); err != nil {
			t.Errorf("promtool %s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
	tests := read(t, monitoring+"alerts_test.yml").text
	alerts := regexp.MustCompile(`(?m)^ +- alert: (\w+)$`).FindAllStringSubmatch(read(t, monitoring+"alerts.yml").text, -1)
	for _, a := range alerts {
		if !regexp.MustCompile(`alertname: ` + a[1] + `\n +exp_alerts:\n`).MatchString(tests) {
			t.Errorf("no test has the alert %s go off", a[1])
		}
	}
	if len(alerts) < 10 {
		t.Errorf("only %d alerts are found", len(alerts))
	}
}

// exposition is what Prometheus gets of a pool with one server.
func exposition(t *testing.T) string {
	t.Helper()
	report := proxy.Report{
		Pools: []proxy.PoolReport{{Name: "p", Servers: []proxy.ServerReport{{
			Name: "s", Latency: new(stats.Latencies), Resolved: proxy.NameReport{Known: true},
		}}}},
		Workers: []proxy.WorkerReport{{Answered: true}},
	}
	w := httptest.NewRecorder()
	h := metrics.Handler(metrics.Source{Version: "1", Report: func() proxy.Report { return report }})
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	if w.Code != http.StatusOK {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	return w.Body.String()
}

// TestExposition: what Prometheus gets is as its own tool wants it, and it gets every metric of the table.
func TestExposition(t *testing.T) {
	text := exposition(t)
	var ours strings.Builder
	for line := range strings.Lines(text) {
		if strings.Contains(line, "cashew_") {
			ours.WriteString(line)
		}
	}
	if out, err := promtool(t, ours.String(), "check", "metrics"); err != nil {
		t.Errorf("promtool check metrics: %v\n%s", err, out)
	}
	for _, f := range stats.Families {
		if f.Name != "" && !strings.Contains(text, fmt.Sprintf("# HELP %s %s\n# TYPE %s %s\n", f.Name, f.Help, f.Name, stats.KindNames[f.Kind])) {
			t.Errorf("%s is not there, or described otherwise", f.Name)
		}
	}
}

var metricName = regexp.MustCompile(`\b(cashew|go|process)_[a-z_]+\b`)

// TestMonitoringNames: dashboard and rules ask for what there is.
func TestMonitoringNames(t *testing.T) {
	there := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^# TYPE (\S+) (\S+)$`).FindAllStringSubmatch(exposition(t), -1) {
		there[m[1]] = true
		if m[2] == "histogram" {
			there[m[1]+"_bucket"], there[m[1]+"_sum"], there[m[1]+"_count"] = true, true, true
		}
	}
	for _, name := range []string{"alerts.yml", "alerts_test.yml", "dashboard.json"} {
		found := metricName.FindAllString(read(t, monitoring+name).text, -1)
		for _, metric := range found {
			if !there[metric] {
				t.Errorf("%s asks for %s, which there is not", name, metric)
			}
		}
		if len(found) < 15 {
			t.Errorf("%s asks only for %q", name, found)
		}
	}
}

// TestDashboard: it is what Grafana reads, no two panels lie on each other, and Prometheus understands each question.
func TestDashboard(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(root, monitoring, "dashboard.json"))
	if err != nil {
		t.Fatal(err)
	}
	var dashboard struct {
		Title  string
		Panels []struct {
			ID      int
			Title   string
			GridPos struct{ X, Y, W, H int }
			Targets []struct{ Expr string }
		}
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	if err := decoder.Decode(&dashboard); err != nil {
		t.Fatal(err)
	}
	// Questions become rules, which promtool can check without a server.
	rules := "groups:\n- name: dashboard\n  rules:\n"
	variables := strings.NewReplacer("$__rate_interval", "5m", "$instance", ".*", "$pool", ".*")
	taken, ids, questions := map[[2]int]string{}, map[int]bool{}, 0
	for _, p := range dashboard.Panels {
		if ids[p.ID] {
			t.Errorf("two panels have number %d", p.ID)
		}
		ids[p.ID] = true
		for x := range p.GridPos.W {
			for y := range p.GridPos.H {
				at := [2]int{p.GridPos.X + x, p.GridPos.Y + y}
				if taken[at] != "" || at[0] >= 24 {
					t.Errorf("%q lies on %q at %v", p.Title, taken[at], at)
				}
				taken[at] = p.Title
			}
		}
		for _, target := range p.Targets {
			questions++
			expr := variables.Replace(target.Expr)
			if strings.Contains(expr, "$") {
				t.Errorf("%q: a variable that there is not: %s", p.Title, expr)
			}
			quoted, _ := json.Marshal(expr) // which is YAML, too
			rules += fmt.Sprintf("  - record: question_%d\n    expr: %s\n", questions, quoted)
		}
	}
	if questions < 30 {
		t.Errorf("only %d questions", questions)
	}
	file := filepath.Join(t.TempDir(), "rules.yml")
	if err := os.WriteFile(file, []byte(rules), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := promtool(t, "", "check", "rules", file); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
