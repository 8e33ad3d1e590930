package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cashew-proxy/cashew/internal/admin"
	"github.com/cashew-proxy/cashew/internal/config"
	"github.com/cashew-proxy/cashew/internal/control"
)

// fakeAPI answers as the admin API does, and notes what it was asked.
type fakeAPI struct {
	token string
	mu    sync.Mutex
	asked []string // method, path and query as they came over the wire, and body

	gone    atomic.Bool
	version atomic.Value // a string, if it is another
}

var started = time.Date(2026, 5, 4, 9, 0, 0, 0, time.UTC)

func fakeStatus() *admin.Status {
	return &admin.Status{
		Version: "1.2.3", PID: 4242, Started: started, Now: started.Add(3*time.Hour + 12*time.Minute), Config: "/etc/cashew/cashew.yml", Epoch: 4, Level: 5,
		Memory: admin.Memory{Buffered: 1 << 20, Limit: 512 << 20, Heap: 6 << 20, System: 18 << 20},
		Pools: []admin.PoolStatus{
			{
				Name: "alpha", Protocol: "redis", Listen: "127.0.0.1:22121", Distribution: "ketama", Clients: 12,
				Counters: map[string]uint64{"requests": 1000, "forward_errors": 3, "memory_refused": 1},
				Servers: []admin.ServerStatus{
					{Name: "one", Address: "127.0.0.1:6379", Weight: 1, State: "live", Share: 0.481, Connections: 1, Counters: map[string]uint64{"requests": 900}},
					{Name: "/run/two:", Address: "/run/two", Weight: 1, State: "ejected", Share: 0.519, Ejections: 2, Counters: map[string]uint64{"requests": 100}},
					{Name: "", Address: "127.0.0.1:6381", Weight: 1, State: "held", Counters: map[string]uint64{}},
				},
			},
			{Name: "b/ta", Protocol: "memcached", Listen: "/run/b", Distribution: "modula", Paused: "write", Counters: map[string]uint64{}},
		},
	}
}

func (f *fakeAPI) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	if f.gone.Load() {
		panic(http.ErrAbortHandler)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked = append(f.asked, strings.TrimSpace(r.Method+" "+r.RequestURI+" "+string(body)))
	say := func(code int, v any) {
		w.WriteHeader(code)
		_ = json.NewEncoder(w).Encode(v)
	}
	if f.token != "" && r.Header.Get("Authorization") != "Bearer "+f.token {
		say(http.StatusUnauthorized, admin.Error{Error: "a token is needed"})
		return
	}
	switch path := r.URL.EscapedPath(); {
	case path == "/api/status":
		s := fakeStatus()
		if v, ok := f.version.Load().(string); ok {
			s.Version = v
		}
		say(http.StatusOK, s)
	case path == "/api/clients" && r.FormValue("pool") == "":
		say(http.StatusBadRequest, admin.Error{Error: "pool is missing"})
	case path == "/api/clients":
		say(http.StatusOK, []admin.Client{{Pool: "alpha", ID: 7, Address: "10.0.0.1:5555", Name: "evil\x1b[2Jname", Library: "go-redis 9", Protocol: 3, Age: 90, Idle: 5, Pending: 2, Unsent: 10, Held: 2048}})
	case path == "/api/slowlog":
		say(http.StatusOK, []admin.SlowRequest{{Pool: "alpha", Server: "one", Command: "KEYS", Key: "evil\x1b[2J", Waiting: 1500, Serving: 2_000_000}})
	case path == "/api/hot":
		say(http.StatusOK, admin.HotKeys{
			Pool: r.FormValue("pool"), Every: 1000, Samples: 10,
			ByRequests: []admin.HeavyKey{{Key: "user:1", Weight: 5, Share: 0.5}}, ByBytes: []admin.HeavyKey{{Key: "page:1", Weight: 5, Share: 0.25, Peak: 2048}},
			BigThreshold: 1 << 20, Big: []admin.BigKey{{Key: "page:2", Bytes: 5 << 20, Largest: 2 << 20}},
		})
	case path == "/api/events":
		all := []admin.Event{
			{Number: 1, Time: started, Level: "INFO", Text: "cashew started"},
			{Number: 2, Time: started, Level: "WARN", Text: "server ejected", Fields: map[string]string{"pool": "alpha", "server": "one", "reason": "connection refused"}},
		}
		first := 0
		if after, err := strconv.Atoi(r.FormValue("after")); err == nil {
			first = min(after, len(all))
		} else if limit, err := strconv.Atoi(r.FormValue("limit")); err == nil {
			first = max(0, len(all)-limit)
		}
		say(http.StatusOK, all[first:])
	case path == "/api/config":
		fmt.Fprint(w, "alpha:\n  listen: 127.0.0.1:22121\n")
	case path == "/api/reload" && strings.Contains(string(body), "false"):
		say(http.StatusUnprocessableEntity, admin.Error{Error: "cashew.yml:3:3: alpha: wrong\ncashew.yml:5:7: beta: wrong too"})
	case path == "/api/reload":
		say(http.StatusOK, control.Differences{Changes: []config.Change{}, Pools: []control.PoolMove{}})
	case path == "/api/log-level" && r.Method == http.MethodPut:
		say(http.StatusOK, json.RawMessage(body))
	case path == "/api/log-level":
		say(http.StatusOK, admin.Level{Level: 6})
	case strings.HasPrefix(path, "/api/pools/gone/"):
		say(http.StatusNotFound, admin.Error{Error: `there is no pool "gone"; there are: alpha, b/ta`})
	default:
		w.WriteHeader(http.StatusNoContent)
	}
}

// ask runs a command of cashew against the fake.
func ask(t *testing.T, address, line string) (stdout, stderr string, code int) {
	t.Helper()
	t.Setenv(adminVariable, address)
	var out, err bytes.Buffer
	code = execute(append([]string{"cashew"}, words(line)...), &out, &err)
	return out.String(), err.String(), code
}

func startFake(t *testing.T, token string) (f *fakeAPI, address string) {
	t.Helper()
	f = &fakeAPI{token: token}
	s := httptest.NewServer(f)
	t.Cleanup(s.Close)
	return f, s.Listener.Addr().String()
}

// TestRequests: each command asks for what it should, whatever the names are.
func TestRequests(t *testing.T) {
	f, address := startFake(t, "")
	for _, c := range []struct{ line, asked, says string }{
		{"status", "GET /api/status", "pool alpha: redis, 127.0.0.1:22121, ketama, clients 12, requests 1000, errors 4\n"},
		{"clients alpha", "GET /api/clients?pool=alpha", `evil\x1b[2Jname`},
		{"clients", "GET /api/status, GET /api/clients?pool=alpha, GET /api/clients?pool=b%2Fta", "go-redis 9"},
		{"clients alpha --limit 5", "GET /api/clients?limit=5&pool=alpha", "2.0KiB"},
		{"slowlog", "GET /api/slowlog", "2000.0ms"},
		{"hot alpha", "GET /api/hot?pool=alpha", "25.0%  page:1  2.0KiB\n"},
		{"hot", "GET /api/status, GET /api/hot?pool=alpha, GET /api/hot?pool=b%2Fta", "50.0%     user:1\n"},
		{"clients a&b=c", "GET /api/clients?pool=a%26b%3Dc", ""},
		{"events -n 7", "GET /api/events?limit=7", `warn server ejected pool=alpha reason="connection refused" server=one`},
		{"config", "GET /api/config", "alpha:\n  listen: 127.0.0.1:22121\n"},
		{"eject alpha one", "POST /api/pools/alpha/servers/one/eject", "one is out of pool alpha until it is readmitted\n"},
		{"eject b/ta /run/two:", "POST /api/pools/b%2Fta/servers/%2Frun%2Ftwo:/eject", ""},
		{"eject alpha [::1]:6379", "POST /api/pools/alpha/servers/%5B::1%5D:6379/eject", ""},
		{"eject alpha ''", "POST /api/pools/alpha/servers//eject", `"" is out of pool alpha`},
		{"readmit alpha ..", "POST /api/pools/alpha/servers/%2E%2E/readmit", ".. is back in pool alpha"},
		{"readmit alpha a%2Fb?c#d", "POST /api/pools/alpha/servers/a%252Fb%3Fc%23d/readmit", ""},
		{"pause alpha", `POST /api/pools/alpha/pause {"milliseconds":30000,"writes_only":false}`, "requests of pool alpha wait for 30s"},
		{"pause alpha --for 1h --writes", `POST /api/pools/alpha/pause {"milliseconds":3600000,"writes_only":true}`, "writes of pool alpha wait for 1h0m0s"},
		{"resume alpha", "POST /api/pools/alpha/resume", "pool alpha goes on"},
		{"drain", "POST /api/drain", "draining"},
		{"reload --dry-run", `POST /api/reload {"dry_run":true}`, "no difference\n"},
		{"log-level 7", `PUT /api/log-level {"level":7}`, "the level is 7\n"},
		{"log-level", "GET /api/log-level", "the level is 6\n"},
	} {
		f.asked = nil
		stdout, stderr, code := ask(t, address, c.line)
		if code != 0 || stderr != "" || !strings.Contains(stdout, c.says) {
			t.Errorf("%s: exit code %d, writes %q and %q", c.line, code, stdout, stderr)
		}
		if strings.Join(f.asked, ", ") != c.asked {
			t.Errorf("%s: asks %q, want %q", c.line, f.asked, c.asked)
		}
	}
}

// TestJSON: with --json there is JSON, and the process' own.
func TestJSON(t *testing.T) {
	_, address := startFake(t, "")
	t.Chdir(workDir(t))
	for _, line := range []string{
		"status", "clients", "events", "hot", "slowlog", "reload --dry-run", "config", "log-level", "log-level 5",
		"version", "explain -c ok.yml alpha k", "ring -c ok.yml", "diff ok.yml ok.yml",
	} {
		stdout, stderr, code := ask(t, address, line+" --json")
		var v any
		if err := json.Unmarshal([]byte(stdout), &v); err != nil || code != 0 || stderr != "" {
			t.Errorf("%s: %v, %d, %s%s", line, err, code, stdout, stderr)
		}
	}
	var s admin.Status
	stdout, _, _ := ask(t, address, "status --json")
	if err := json.Unmarshal([]byte(stdout), &s); err != nil || s.Pools[0].Servers[1].Name != "/run/two:" {
		t.Errorf("%v: %+v", err, s)
	}
	for _, line := range []string{"eject alpha one", "readmit alpha one", "pause alpha", "resume alpha", "drain"} {
		if stdout, stderr, code := ask(t, address, line+" --json"); stdout != "" || code != 0 {
			t.Errorf("%s: %d, %q, %q, where the process has said nothing", line, code, stdout, stderr)
		}
	}
	for _, c := range commands {
		if c := c(); c.Name() != "demo" && c.Name() != "completion" && c.Flags().Lookup("json") == nil {
			t.Errorf("%s has no --json", c.Name())
		}
	}
}

// TestJSONErrors: with --json an error is an object on standard error, and nothing else; its exit code is as ever.
func TestJSONErrors(t *testing.T) {
	_, address := startFake(t, "")
	t.Chdir(workDir(t))
	for _, c := range []struct {
		address, line string
		code          int
		says          string
	}{
		{address, "eject gone one --json", 1, `there is no pool "gone"; there are: alpha, b/ta`},
		{address, "reload --json", 1, "cashew.yml:3:3: alpha: wrong\ncashew.yml:5:7: beta: wrong too"},
		{"/no/such/socket", "status --json", 1, "nothing listens at"},
		{"/no/such/socket", "top --json", 1, "nothing listens at"},
		{"/no/such/socket", "config --json", 1, "nothing listens at"},
		{address, "status --json x", 2, "wrong number of words"},
		{address, "status --jsno --json", 2, "unknown flag"},
		{address, "log-level x --json=true", 2, `"x" is no level`},
		{address, "diff --json bad.yml ok.yml", 2, "bad.yml:3:3:"},
		{address, "ring --json -c bad.yml", 1, "bad.yml:5:7:"},
		{address, "explain --json -c ok.yml beta k", 1, `no pool "beta"`},
		{address, "rnig --json", 1, `did you mean "ring"`},
	} {
		stdout, stderr, code := ask(t, c.address, c.line)
		var e admin.Error
		err := json.Unmarshal([]byte(stderr), &e)
		if err != nil || code != c.code || stdout != "" || !strings.Contains(e.Error, c.says) || strings.Count(stderr, "\n") != 1 {
			t.Errorf("%s: %v, exit code %d, writes %q and %q", c.line, err, code, stdout, stderr)
		}
	}
	for _, line := range []string{"status x", "status x --json=false", "status x -- --json"} {
		if _, stderr, _ := ask(t, address, line); !strings.HasPrefix(stderr, "cashew: ") {
			t.Errorf("%s: %q", line, stderr)
		}
	}
}

// TestTopJSON: each second there is a line for programs, without any terminal, until the interrupt.
func TestTopJSON(t *testing.T) {
	_, address := startFake(t, "")
	cmd := exec.Command(binary, "top", "--json", "--admin", address)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for range 2 {
		var s admin.Status
		if !lines.Scan() || json.Unmarshal(lines.Bytes(), &s) != nil || s.PID != 4242 {
			t.Errorf("a line is %q", lines.Text())
		}
	}
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
}

// TestStatusText is what people read.
func TestStatusText(t *testing.T) {
	_, address := startFake(t, "")
	stdout, _, _ := ask(t, address, "status")
	const want = `cashew 1.2.3, pid 4242, up 3h12m, epoch 4, log level 5
configuration /etc/cashew/cashew.yml
reloads: none yet
memory: 1.0MiB of 512.0MiB buffered, heap 6.0MiB, 18.0MiB from the system

pool alpha: redis, 127.0.0.1:22121, ketama, clients 12, requests 1000, errors 4
server     address         state    share  requests  queued  in flight  connections  ejections
one        127.0.0.1:6379  live     48.1%  900       0       0          1            0
/run/two:  /run/two        ejected  51.9%  100       0       0          0            2
""         127.0.0.1:6381  held     0.0%   0         0       0          0            0

pool b/ta: writes paused, memcached, /run/b, modula, clients 0, requests 0, errors 0
server  address  state  share  requests  queued  in flight  connections  ejections
`
	if stdout != want {
		t.Errorf("it is\n%s\nwant\n%s", stdout, want)
	}
}

// TestTroubles: what goes wrong is told in words to act on, with the right exit code.
func TestTroubles(t *testing.T) {
	f, address := startFake(t, "")
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody := l.Addr().String()
	l.Close()
	other := httptest.NewServer(http.NotFoundHandler())
	defer other.Close()
	page := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<html>") }))
	defer page.Close()
	dir := workDir(t)
	t.Chdir(dir)
	if err := os.WriteFile("none.yml", []byte("cashew:\n  admin: none\n"+files["ok.yml"]), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		address, line string
		code          int
		says          string
	}{
		{nobody, "status", 1, "cashew: nothing listens at " + nobody + `: is cashew running, and with this "admin:" in its configuration?`},
		{"/no/such/socket", "status", 1, "nothing listens at /no/such/socket"},
		{"nonsense", "status", 1, `"nonsense" is no address of an admin port`},
		{other.Listener.Addr().String(), "status", 1, "is not cashew's admin port: it says 404 Not Found"},
		{page.Listener.Addr().String(), "status", 1, "is not cashew's admin port"},
		{address, "eject gone one", 1, `cashew: there is no pool "gone"; there are: alpha, b/ta` + "\n"},
		{address, "reload", 1, "cashew: cashew.yml:3:3: alpha: wrong\ncashew: cashew.yml:5:7: beta: wrong too\n"},
		{address, "status -c missing.yml", 1, "missing.yml"},
		{address, "status -c none.yml", 1, `none.yml has "admin: none"`},
		{address, "status --token-file missing", 1, "open missing"},
		{address, "status x", 2, "wrong number of words; usage: cashew status [--json]"},
		{address, "eject alpha", 2, "usage: cashew eject [--json] POOL SERVER"},
		{address, "status --jsno", 2, "unknown flag"},
		{address, "log-level 12", 2, `"12" is no level; they are 0 to 11`},
		{address, "events -n 0", 2, "-n is 1 to 1000"},
		{address, "events -n 1001", 2, "-n is 1 to 1000"},
		{address, "log-level x", 2, `"x" is no level`},
		{address, "pause alpha --for 2h", 2, "a pause of 2h0m0s is not possible"},
		{address, "pause alpha --for 0", 2, "a pause of 0s is not possible"},
		{address, "pause alpha --for x", 2, `invalid argument "x"`},
	} {
		f.asked = nil
		stdout, stderr, code := ask(t, c.address, c.line)
		if code != c.code || stdout != "" || !strings.Contains(stderr, c.says) {
			t.Errorf("%s: exit code %d, writes %q and %q", c.line, code, stdout, stderr)
		}
		if code == 2 && len(f.asked) > 0 {
			t.Errorf("%s: asks %q", c.line, f.asked)
		}
	}
}

// TestTarget: address and token come from where they should, and --admin beats -c beats the environment.
func TestTarget(t *testing.T) {
	_, address := startFake(t, "geheim")
	socket := filepath.Join(t.TempDir(), "admin.sock")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	onSocket := &http.Server{Handler: &fakeAPI{}}
	go onSocket.Serve(l) //nolint:errcheck // it ends with the test
	defer onSocket.Close()
	t.Chdir(workDir(t))
	for name, text := range map[string]string{
		"token":      "geheim\n",
		"with.yml":   "cashew:\n  admin: " + address + "\n  admin_token_file: token\n" + files["ok.yml"],
		"socket.yml": "cashew:\n  admin: " + socket + " 0600\n" + files["ok.yml"],
		"all.yml":    "cashew:\n  admin: 0.0.0.0:" + address[strings.LastIndexByte(address, ':')+1:] + "\n  admin_token: geheim\n" + files["ok.yml"],
	} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		variable, line string
		code           int
	}{
		{address, "status", 1}, // no token
		{address, "status --token-file token", 0},
		{"/nowhere", "status -c with.yml", 0},
		{"/nowhere", "status -c all.yml", 0},
		{"/nowhere", "status -c socket.yml", 0},
		{"/nowhere", "status --admin " + socket, 0},
		{"/nowhere", "status -c socket.yml --admin " + address, 1},
		{"/nowhere", "status -c socket.yml --token-file token --admin " + address, 0},
		{socket, "status", 0},
	} {
		_, stderr, code := ask(t, c.variable, c.line)
		if code != c.code || code != 0 && !strings.Contains(stderr, "a token is needed; here it is taken from --token-file") {
			t.Errorf("%s: exit code %d, %s", c.line, code, stderr)
		}
	}
}

// TestEventsNumber: of the past the last ones are shown.
func TestEventsNumber(t *testing.T) {
	_, address := startFake(t, "")
	stdout, _, _ := ask(t, address, "events -n 1")
	if strings.Count(stdout, "\n") != 1 || !strings.Contains(stdout, "ejected") {
		t.Errorf("the last one is %q", stdout)
	}
}

// TestCompletion: pools and servers are completed from the running process, and nothing if there is none.
func TestCompletion(t *testing.T) {
	_, address := startFake(t, "")
	for _, c := range []struct {
		line string
		want []string
	}{
		{"eject ''", []string{"alpha", "b/ta"}},
		{"eject al", []string{"alpha"}},
		{"eject alpha ''", []string{"one", "/run/two:"}},
		{"readmit alpha /run", []string{"/run/two:"}},
		{"readmit gone ''", nil},
		{"pause ''", []string{"alpha", "b/ta"}},
		{"pause alpha ''", nil},
		{"clients ''", []string{"alpha", "b/ta"}},
		{"eject --admin /nowhere ''", nil},
	} {
		stdout, _, code := ask(t, address, "__complete "+c.line)
		lines := strings.Split(strings.TrimSpace(stdout), "\n")
		if got := lines[:len(lines)-1]; code != 0 || !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, exit code %d, want %q", c.line, got, code, c.want)
		}
	}
}
