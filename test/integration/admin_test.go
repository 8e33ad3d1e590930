package integration

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/cashew-proxy/cashew/internal/admin"
	"github.com/cashew-proxy/cashew/internal/control"
	"github.com/cashew-proxy/cashew/internal/redistest"
	"github.com/cashew-proxy/cashew/test/harness"
)

// operator asks the admin API of a program.
type operator struct {
	t      *testing.T
	client *http.Client
}

func newOperator(t *testing.T, socket string) *operator {
	o := &operator{t, &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", socket)
	}}}}
	t.Cleanup(o.client.CloseIdleConnections)
	return o
}

// ask makes a request, whose answer is to have a status, and reads it into to, unless that is nil.
func (o *operator) ask(method, path, body string, status int, to any) {
	o.t.Helper()
	r, err := http.NewRequestWithContext(o.t.Context(), method, "http://localhost"+path, strings.NewReader(body))
	if err != nil {
		o.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	answer, err := o.client.Do(r)
	if err != nil {
		o.t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != status {
		o.t.Fatalf("%s %s: %d %s, %v", method, path, answer.StatusCode, text, err)
	}
	if to != nil {
		if err := json.Unmarshal(text, to); err != nil {
			o.t.Fatalf("%s %s: %v in %s", method, path, err, text)
		}
	}
}

func (o *operator) pool(name string) (p admin.PoolStatus) {
	o.t.Helper()
	o.ask("GET", "/api/pools/"+name, "", 200, &p)
	return p
}

// A night of an operator: he looks, takes a server out, restarts another while requests wait, changes the
// configuration, and ends the process; and no client sees an error.
func TestOperator(t *testing.T) {
	path, err := cashew()
	if err != nil {
		t.Fatal(err)
	}
	servers := startServers(t, 2)
	dir := t.TempDir()
	socket, listen, file := filepath.Join(dir, "admin.sock"), filepath.Join(dir, "pool.sock"), filepath.Join(dir, "cashew.yml")
	text := func(timeout int) string {
		// One has its address for a name, with a colon, and the other, which is shorter and so the first, a slash.
		return fmt.Sprintf("cashew: {admin: \"%s 0600\", shutdown_timeout: 20000}\nmain:\n  listen: %s\n  redis: true\n  hash: murmur\n  timeout: %d\n"+
			"  auto_eject_hosts: true\n  server_failure_limit: 1\n  servers: [\"%s:1\", \"%s:1 a/b\"]\n", socket, listen, timeout, servers[0], servers[1])
	}
	write := func(timeout int) {
		if err := os.WriteFile(file, []byte(text(timeout)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(10000)
	p := harness.Run(t, path, "-c", file, "-a", "")
	p.Err.Await(t, "msg=started")
	o := newOperator(t, socket)
	o.ask("GET", "/ready", "", 200, nil)
	o.ask("GET", "/health", "", 200, nil)
	c := redistest.Dial(t, listen)
	c.Do("CLIENT", "SETNAME", "anna")
	set := func() {
		t.Helper()
		for i := range 50 {
			if got := c.Do("SET", ejectKey(i), "v"); got != "+OK\r\n" {
				t.Fatal(got)
			}
		}
	}
	set()

	// It is what it says: shares add up, and a key is where it is explained to be.
	var s admin.Status
	harness.Eventually(t, harness.Limit, "the servers have told their version", func() bool {
		o.ask("GET", "/api/status", "", 200, &s)
		return s.Pools[0].Servers[0].Version != "" && s.Pools[0].Servers[1].Version != ""
	})
	main := s.Pools[0]
	if share := main.Servers[0].Share + main.Servers[1].Share; share < 0.999 || share > 1.001 || main.Clients != 1 || main.Counters["requests"] != 51 ||
		s.PID != p.Pid || !s.Workers[0].Active || s.Workers[0].Turns == 0 || s.Workers[0].SystemCalls == 0 || s.Workers[0].Busy <= 0 || s.Epoch == 0 || main.Servers[0].Name != "a/b" || main.Servers[0].State != "live" {
		t.Errorf("%+v", s)
	}
	var clients []admin.Client
	if o.ask("GET", "/api/clients?pool=main", "", 200, &clients); len(clients) != 1 || clients[0].Name != "anna" || clients[0].Protocol != 2 {
		t.Errorf("%+v", clients)
	}
	explain := func(key string) string {
		var e []admin.Explanation
		o.ask("GET", "/api/explain?pool=main&key="+url.QueryEscape(key), "", 200, &e)
		return e[0].Address
	}
	for i := range 10 {
		if at := explain(ejectKey(i)); redistest.Dial(t, at).Do("EXISTS", ejectKey(i)) != ":1\r\n" {
			t.Errorf("%s is not on %s", ejectKey(i), at)
		}
	}

	// A server that is taken out has no keys, until it is let in again.
	server := "/api/pools/main/servers/" + url.PathEscape("a/b")
	var of admin.ServerStatus
	if o.ask("POST", server+"/eject", "", 200, &of); of.State != "held" || of.Share != 0 {
		t.Errorf("%+v", of)
	}
	for i := range 10 {
		if at := explain(ejectKey(i)); at != servers[0] {
			t.Errorf("%s is on %s", ejectKey(i), at)
		}
	}
	set()
	if p := o.pool("main"); p.Servers[0].InFlight != 0 || p.Servers[0].Ejections != 1 || p.Servers[0].EjectedAt == nil {
		t.Errorf("%+v", p.Servers[0])
	}
	write(20000)
	var d control.Differences
	if o.ask("POST", "/api/reload", "", 200, &d); len(d.Changes) != 1 || d.Changes[0].New != "20000" {
		t.Errorf("%+v", d)
	}
	if p := o.pool("main"); p.Servers[0].State != "held" {
		t.Errorf("after a reload: %+v", p.Servers[0])
	}
	if o.ask("POST", server+"/readmit", "", 200, &of); of.State != "live" || of.Share == 0 {
		t.Errorf("%+v", of)
	}
	o.ask("POST", "/api/pools/main/servers/"+url.PathEscape(servers[0])+"/readmit", "", 200, &of)
	o.ask("POST", "/api/pools/main/servers/none/eject", "", 404, nil)

	// Requests wait while the servers are restarted. A client cannot end that.
	o.ask("POST", "/api/pools/main/pause", `{"milliseconds": 600000}`, 200, nil)
	c.Send("SET", "waits", "v")
	harness.Eventually(t, harness.Limit, "the request waits", func() bool {
		o.ask("GET", "/api/clients?pool=main", "", 200, &clients)
		p := o.pool("main")
		return p.Paused == "all" && p.PausedUntil != nil && clients[0].Held > 0 && p.Servers[0].InFlight+p.Servers[1].InFlight == 0
	})
	if got := redistest.Dial(t, listen).Do("CLIENT", "UNPAUSE"); got != "+OK\r\n" {
		t.Error(got)
	}
	for _, at := range servers {
		kill(t, at)
		redistest.StartServerAt(t, at)
	}
	o.ask("POST", "/api/pools/main/resume", "", 200, nil)
	if got := c.Read(); got != "+OK\r\n" {
		t.Error(got)
	}
	set()
	if p := o.pool("main"); p.Paused != "" || p.Counters["forward_errors"] != 0 || p.Servers[0].State != "live" || p.Servers[1].State != "live" {
		t.Errorf("%+v", p)
	}

	var events []admin.Event
	o.ask("GET", "/api/events?limit=1000", "", 200, &events)
	all := ""
	for _, e := range events {
		all += fmt.Sprintln(e.Level, e.Text, e.Fields)
	}
	for _, want := range []string{"started", "WARN server ejected by an operator", "WARN server readmitted by an operator", "reloaded", "WARN pool paused by an operator", "INFO pool resumed by an operator"} {
		if !strings.Contains(all, want) || !p.Err.Has(want[strings.Index(want, " ")+1:]) {
			t.Errorf("no %q among\n%s", want, all)
		}
	}
	write(-1)
	var wrong admin.Error
	if o.ask("POST", "/api/reload", `{"dry_run": true}`, 422, &wrong); len(wrong.Mistakes) != 1 || !strings.HasPrefix(wrong.Mistakes[0], file+":6:") {
		t.Errorf("%+v", wrong)
	}

	// A client with a request on its way keeps the process; nobody is to be sent here from the first moment.
	pid := pidOf(t, servers[0])
	signal(t, pid, syscall.SIGSTOP)
	stopped(t, pid, true)
	for i := range 50 {
		if explain(ejectKey(i)) == servers[0] {
			c.Send("GET", ejectKey(i))
			break
		}
	}
	harness.Eventually(t, harness.Limit, "it is on its way", func() bool { return o.pool("main").Servers[0].InFlight+o.pool("main").Servers[1].InFlight == 1 })
	o.ask("POST", "/api/drain", "", 202, nil)
	o.ask("GET", "/ready", "", 503, nil)
	o.ask("GET", "/health", "", 200, nil)
	signal(t, pid, syscall.SIGCONT)
	if got := c.Read(); got != "$1\r\nv\r\n" {
		t.Error(got)
	}
	if code := p.ExitCode(t); code != 0 {
		t.Errorf("exit code %d: %s", code, p.Err)
	}
	if _, err := os.Lstat(socket); !os.IsNotExist(err) {
		t.Errorf("the socket is left: %v", err)
	}
}
