package proxy

import (
	"bytes"
	"errors"
	"log/slog"
	"net/netip"
	"strings"
	"testing"

	"github.com/cashew-proxy/cashew/internal/downstream"
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
