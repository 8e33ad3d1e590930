package chaos

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"syscall"
)

// settings are what reloads change.
type settings struct {
	threads     string
	timeout     int
	connections int
	movers      int  // servers of the pool that moves keys
	spare       bool // one more pool
	mistake     bool
}

var usual = settings{threads: "2", timeout: 300, connections: 2, movers: 3}

// write puts the configuration in its place, at once as an editor does.
func (w *world) write(s settings) {
	var b strings.Builder
	fmt.Fprintf(&b, "cashew: {threads: %s, admin: %s, shutdown_timeout: 2000}\n", s.threads, w.path("admin"))
	for _, p := range w.pools {
		fmt.Fprintf(&b, "%s:\n  listen: %s\n  redis: %v\n  timeout: %d\n  connect_timeout: 1000\n  client_output_timeout: 4000\n", p.name, p.addr, p.redis, s.timeout)
		servers := p.servers
		switch {
		case p.moves:
			fmt.Fprintf(&b, "  redis_db: 1\n  auto_eject_hosts: true\n  server_retry_timeout: 200\n")
			servers = servers[:s.movers]
		case p.redis:
			fmt.Fprintf(&b, "  server_connections: %d\n  request_size_limit: 4mb\n", s.connections)
		}
		fmt.Fprintf(&b, "  servers:\n")
		for _, v := range servers {
			fmt.Fprintf(&b, "    - %s:1 %s\n", v.addr, v.name)
		}
	}
	if s.spare {
		fmt.Fprintf(&b, "spare: {listen: %s, redis: true, servers: [\"%s:1\"]}\n", w.spare, w.servers[0].addr)
	}
	if s.mistake {
		fmt.Fprintf(&b, "spare: {listen: %s, redis: perhaps}\n", w.spare)
	}
	next := w.path("next.yml")
	if err := os.WriteFile(next, []byte(b.String()), 0o600); err != nil {
		w.violation("%v", err)
	}
	if err := os.Rename(next, w.path("cashew.yml")); err != nil {
		w.violation("%v", err)
	}
}

// reload puts settings in force, by the admin API or a signal, which does not tell the outcome.
func (w *world) reload(s settings, bySignal bool) {
	w.write(s)
	if !s.mistake {
		w.set = s
	}
	if bySignal {
		w.proxy.Signal(w.t, syscall.SIGUSR1)
		return
	}
	want := http.StatusOK
	if s.mistake {
		want = http.StatusUnprocessableEntity
	}
	r, err := w.admin.Post("http://cashew/api/reload", "application/json", strings.NewReader("{}"))
	if err != nil {
		w.violation("reload: %v", err)
		return
	}
	defer r.Body.Close()
	if body, _ := io.ReadAll(r.Body); r.StatusCode != want {
		w.violation("reload: %s: %.500s", r.Status, body)
	}
}
