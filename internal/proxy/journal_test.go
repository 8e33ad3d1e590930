package proxy

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/cashew-proxy/cashew/internal/clock"
	"github.com/cashew-proxy/cashew/internal/downstream"
	"github.com/cashew-proxy/cashew/internal/engine"
	"github.com/cashew-proxy/cashew/internal/message"
	"github.com/cashew-proxy/cashew/internal/topology"
	"github.com/cashew-proxy/cashew/internal/upstream"
)

// logged is what a journal wrote, line by line and without times, when use has been called.
func logged(use func(*journal)) []string {
	var b bytes.Buffer
	j := newJournal(slog.New(slog.NewTextHandler(&b, &slog.HandlerOptions{
		ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey {
				return slog.Attr{}
			}
			return a
		},
	})))
	use(j)
	j.close() // it has written everything
	return strings.Split(strings.TrimSuffix(b.String(), "\n"), "\n")
}

func same(t *testing.T, got []string, want ...string) {
	t.Helper()
	if g, w := strings.Join(got, "\n"), strings.Join(want, "\n"); g != w {
		t.Errorf("got:\n%s\nwant:\n%s", g, w)
	}
}

var (
	testPool   = &topology.Pool{Name: "alpha"}
	testServer = &topology.Server{Name: "one", Address: "127.0.0.1:6379"}
)

func TestJournalNamesWhatHappened(t *testing.T) {
	peer := netip.MustParseAddrPort("127.0.0.1:5")
	same(t, logged(func(j *journal) {
		j.Server(testPool, testServer, upstream.Connected, nil)
		j.Server(testPool, testServer, upstream.ConnectionLost, message.ErrEOF)
		j.Server(testPool, testServer, upstream.ConnectFailed, errors.New("refused"))
		j.Server(testPool, testServer, upstream.ConnectionLost, message.ErrReply)
		j.Client(testPool, peer, downstream.Refused, "full")
	}),
		`level=INFO msg="connected to server" pool=alpha server=one address=127.0.0.1:6379`,
		`level=WARN msg="server connection lost" pool=alpha server=one address=127.0.0.1:6379 reason="closed by the server"`,
		`level=WARN msg="cannot connect to server" pool=alpha server=one address=127.0.0.1:6379 reason=refused`,
		`level=WARN msg="server connection lost" pool=alpha server=one address=127.0.0.1:6379 reason="a malformed reply, or one to no request"`,
		`level=WARN msg="client refused" pool=alpha client=127.0.0.1:5 reason=full`)
}

// A storm of one kind is two lines: the first at once, the rest as a number.
func TestJournalCountsRepetitions(t *testing.T) {
	same(t, logged(func(j *journal) {
		for range 10 {
			j.Server(testPool, testServer, upstream.ConnectFailed, errors.New("refused"))
		}
	}),
		`level=WARN msg="cannot connect to server" pool=alpha server=one address=127.0.0.1:6379 reason=refused`,
		`level=WARN msg="cannot connect to server" pool=alpha server=one address=127.0.0.1:6379 reason=refused repeated=9`)
}

// An orderly end closes every server connection; that is no reason for warnings.
func TestJournalIsQuietAtShutdown(t *testing.T) {
	same(t, logged(func(j *journal) {
		j.Server(testPool, testServer, upstream.ConnectionLost, message.ErrShutdown)
		j.Server(testPool, testServer, upstream.ConnectFailed, message.ErrShutdown)
	}), "")
}

// Each thing that happens to clients has words of its own.
func TestJournalNamesClientsEvents(t *testing.T) {
	same(t, logged(func(j *journal) {
		j.Client(testPool, netip.AddrPort{}, downstream.ProtocolError, "bad, got 'x'") // of a unix socket
		j.Client(testPool, netip.AddrPort{}, downstream.Stalled, "slow")
		j.Client(testPool, netip.AddrPort{}, downstream.Overflowed, "much")
		j.Client(testPool, netip.AddrPort{}, downstream.Overflowed, "more")
	}),
		`level=WARN msg="client closed: protocol error" pool=alpha client="unix socket" reason=bad`,
		`level=WARN msg="client closed: stalled" pool=alpha client="unix socket" reason=slow`,
		`level=WARN msg="client closed: limit reached" pool=alpha client="unix socket" reason=much`,
		`level=WARN msg="client closed: limit reached" pool=alpha client="unix socket" reason=more`)
}

// A log that does not keep up makes nobody wait: what does not fit is dropped and counted. What fits is
// written before close returns.
func TestJournalDropsAndCounts(t *testing.T) {
	r := &record{gate: make(chan struct{}), asked: make(chan struct{}, journalQueue+2)}
	j := newJournal(slog.New(r))
	j.Client(testPool, netip.AddrPort{}, downstream.Stalled, "first")
	<-r.asked // the writer is stuck with the first line, the queue is empty
	const more = 7
	for i := range journalQueue + more {
		j.Client(testPool, netip.AddrPort{}, downstream.Stalled, fmt.Sprint(i))
	}
	close(r.gate)
	j.close()
	got := r.all()
	if len(got) != journalQueue+2 || got[len(got)-1] != fmt.Sprintf("log lines dropped: too many at once count=%d", more) {
		t.Errorf("the log has %d lines, the last is %q", len(got), got[len(got)-1])
	}
	select {
	case <-j.done:
	default:
		t.Error("the writer goes on after close")
	}
}

// What repeats is summed up once per interval; what has been quiet for one is told at once the next time.
func TestJournalSumsUpEachInterval(t *testing.T) {
	quiet, busy, fresh := key{text: "quiet"}, key{text: "busy"}, key{text: "fresh"}
	got := logged(func(j *journal) {
		long := clock.System() - clock.Instant(2*journalInterval)
		seen := map[key]*repeats{
			quiet: {since: long}, busy: {since: long, count: 4, last: line{key: busy}},
			fresh: {since: clock.System(), count: 5, last: line{key: fresh}},
		}
		j.flush(seen, journalInterval)
		if seen[quiet] != nil || seen[busy].count != 0 || seen[fresh].count != 5 {
			t.Errorf("remembered are %+v", seen)
		}
	})
	same(t, got, `level=INFO msg=busy repeated=4`)
}

// Lines of the access log are each written, with whatever bytes are in a key made harmless.
func TestJournalWritesAccess(t *testing.T) {
	a := engine.Access{
		Pool: "alpha", Server: "one", Client: netip.MustParseAddrPort("127.0.0.1:5"), Command: "GET", Key: "a\n\x00\xffb",
		Waiting: time.Millisecond, Serving: 2 * time.Millisecond, Request: 20, Reply: 7,
	}
	failed := engine.Access{Pool: "alpha", Server: "one", Command: "get", Key: "k", Waiting: time.Second, Request: 5, Failure: "Connection refused"}
	line := `level=INFO msg=access pool=alpha client=127.0.0.1:5 command=get key=a\n\x00\xffb server=one waiting=1ms serving=2ms ` +
		`request_bytes=20 reply_bytes=7 outcome=ok`
	same(t, logged(func(j *journal) {
		j.Access(a)
		j.Access(a)
		j.Access(failed)
	}), line, line,
		`level=INFO msg=access pool=alpha client="" command=get key=k server=one waiting=1s serving=0s request_bytes=5 reply_bytes=0 `+
			`outcome="Connection refused"`)
}

// What control says is summed up as well, and a line that comes after the end is lost without harm.
func TestJournalNotesControl(t *testing.T) {
	same(t, logged(func(j *journal) {
		for range 3 {
			j.note(slog.LevelInfo, "probe of an ejected server failed", testPool, testServer, errors.New("refused"), false)
		}
		for range 2 { // of changes of state each one counts
			j.note(slog.LevelWarn, "server ejected", testPool, testServer, message.ErrEOF, true)
			j.note(slog.LevelWarn, "server readmitted", testPool, testServer, nil, true)
		}
	}),
		`level=INFO msg="probe of an ejected server failed" pool=alpha server=one address=127.0.0.1:6379 reason=refused`,
		`level=WARN msg="server ejected" pool=alpha server=one address=127.0.0.1:6379 reason="closed by the server"`,
		`level=WARN msg="server readmitted" pool=alpha server=one address=127.0.0.1:6379`,
		`level=WARN msg="server ejected" pool=alpha server=one address=127.0.0.1:6379 reason="closed by the server"`,
		`level=WARN msg="server readmitted" pool=alpha server=one address=127.0.0.1:6379`,
		`level=INFO msg="probe of an ejected server failed" pool=alpha server=one address=127.0.0.1:6379 reason=refused repeated=2`)
	j := newJournal(slog.New(slog.DiscardHandler))
	j.close()
	j.note(slog.LevelInfo, "server readmitted", testPool, testServer, nil, true)
}
