package downstream

import (
	"bytes"
	"strconv"
	"strings"
	"time"

	"github.com/cashew-proxy/cashew/internal/resp"
	"github.com/cashew-proxy/cashew/internal/stats"
)

// sections are what INFO has, in Redis' order, with our own at the end. Fields are named as in Redis, and say
// what is true of the proxy: it is a master that holds no data and is never loading. What would be invented
// is left out.
var sections = []struct {
	name  string
	write func(*Session, *report)
}{
	{"Server", (*Session).serverSection},
	{"Clients", (*Session).clientsSection},
	{"Memory", (*Session).memorySection},
	{"Persistence", func(_ *Session, w *report) {
		for _, name := range []string{
			"loading", "async_loading", "rdb_changes_since_last_save", "rdb_bgsave_in_progress",
			"aof_enabled", "aof_rewrite_in_progress",
		} {
			w.number(name, 0)
		}
	}},
	{"Stats", (*Session).statsSection},
	{"Replication", func(_ *Session, w *report) {
		w.text("role", "master")
		w.number("connected_slaves", 0)
		w.text("master_failover_state", "no-failover")
	}},
	{"Cluster", func(_ *Session, w *report) { w.number("cluster_enabled", 0) }},
	{"Keyspace", func(*Session, *report) {}},
	{"Cashew", (*Session).ownSection},
}

// report is the text of INFO as it grows.
type report struct{ strings.Builder }

func (w *report) text(name, value string) { w.WriteString(name + ":" + value + "\r\n") }

func (w *report) number(name string, n uint64) { w.text(name, strconv.FormatUint(n, 10)) }

// info answers INFO [section …]. Without any, and with "all" and its like, there are all.
func (s *Session) info(r *request) {
	var w report
	for _, section := range sections {
		if !wanted(r, section.name) {
			continue
		}
		if w.Len() > 0 {
			w.WriteString("\r\n")
		}
		w.WriteString("# " + section.name + "\r\n")
		section.write(s, &w)
	}
	s.answerLocally(resp.AppendVerbatim(s.desk.scratch[:0], w.String(), s.lane.RESP3))
}

func wanted(r *request, section string) bool {
	for i := 1; i < len(r.args); i++ {
		switch name := r.arg(i); {
		case bytes.EqualFold(name, []byte("all")), bytes.EqualFold(name, []byte("default")),
			bytes.EqualFold(name, []byte("everything")), bytes.EqualFold(name, []byte(section)):
			return true
		}
	}
	return len(r.args) == 1
}

func (s *Session) serverSection(w *report) {
	d := s.desk
	w.text("redis_version", s.Pool.ServerVersion())
	w.text("redis_mode", "standalone")
	if d.Process.System != "" {
		w.text("os", d.Process.System)
	}
	w.number("arch_bits", strconv.IntSize)
	if d.Process.ID != 0 {
		w.number("process_id", uint64(d.Process.ID))
	}
	w.text("tcp_port", tcpPort(s.Pool.Listen))
	up := d.Now.Sub(d.Started)
	w.number("uptime_in_seconds", uint64(up/time.Second))
	w.number("uptime_in_days", uint64(up/(24*time.Hour)))
}

func (s *Session) clientsSection(w *report) {
	c := &s.desk.view.Counts
	w.number("connected_clients", c[stats.ClientsAccepted]-c[stats.ClientsClosed])
	w.number("cluster_connections", 0)
	w.number("maxclients", uint64(s.maxClients()))
	w.number("blocked_clients", 0)
	w.number("tracking_clients", 0)
}

func (s *Session) memorySection(w *report) {
	used, limit := s.desk.InUse(), s.desk.MemoryLimit
	w.number("used_memory", uint64(used))
	w.text("used_memory_human", human(used))
	w.number("maxmemory", uint64(limit))
	w.text("maxmemory_human", human(limit))
	w.text("maxmemory_policy", "noeviction")
}

// human is a number of bytes as Redis writes it for people.
func human(n int64) string {
	units := "BKMGTP"
	x, unit := float64(n), 0
	for x >= 1024 && unit < len(units)-1 {
		x /= 1024
		unit++
	}
	if unit == 0 {
		return strconv.FormatInt(n, 10) + "B"
	}
	return strconv.FormatFloat(x, 'f', 2, 64) + units[unit:unit+1]
}

func (s *Session) statsSection(w *report) {
	c := &s.desk.view.Counts
	w.number("total_connections_received", c[stats.ClientsAccepted])
	w.number("total_commands_processed", c[stats.Requests])
	w.number("rejected_connections", c[stats.ClientsRefused])
}

// ownSection has what Redis has no word for: the pool's counters, under their names everywhere, and its servers.
func (s *Session) ownSection(w *report) {
	if v := s.desk.Process.Version; v != "" {
		w.text("cashew_version", v)
	}
	w.text("pool", s.Pool.Name)
	for i, row := range stats.PoolTable {
		w.number(row.Name, s.desk.view.Counts[i])
	}
	w.number("servers", uint64(len(s.Pool.Servers)))
	counters, ejections := s.desk.view.Servers, s.desk.Owner.Ejections(s.Pool)
	for i, server := range s.Pool.Servers {
		state := "live"
		if server.Ejected {
			state = "ejected"
		}
		line := "name=" + server.Name + ",address=" + server.Address + ",state=" + state
		line += ",ejections=" + strconv.FormatUint(ejections[i].Number(), 10) +
			",spared=" + strconv.FormatUint(ejections[i].Spared(), 10)
		for k, row := range stats.GaugeTable {
			line += "," + row.Name + "=" + strconv.FormatUint(counters[i][int(stats.ServerConnections)+k], 10)
		}
		w.text("server"+strconv.Itoa(i), line)
	}
}
