package proxy

import (
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"testing"

	"github.com/cashew-proxy/cashew/internal/downstream"
	"github.com/cashew-proxy/cashew/internal/topology"
	"github.com/cashew-proxy/cashew/internal/upstream"
)

var (
	pool   = &topology.Pool{Name: "alpha"}
	server = &topology.Server{Pool: "alpha", Name: "s"}
)

func check(t *testing.T, r *record, want ...string) {
	t.Helper()
	if got := r.all(); !slices.Equal(got, want) {
		t.Errorf("the log has\n%q, want\n%q", got, want)
	}
}

// Every event has its line, with what is known of it.
func TestJournalNamesEvents(t *testing.T) {
	r := &record{}
	j := newJournal(slog.New(r))
	peer := netip.MustParseAddrPort("192.0.2.1:7")
	j.Server(pool, server, upstream.Connected, nil)
	j.Server(pool, server, upstream.ConnectFailed, errors.New("Connection refused"))
	j.Server(pool, server, upstream.ConnectionLost, errors.New("unknown"))
	j.Client(pool, peer, downstream.ProtocolError, "bad")
	j.Client(pool, peer, downstream.Stalled, "slow")
	j.Client(pool, peer, downstream.Overflowed, "much")
	j.Client(pool, netip.AddrPort{}, downstream.Refused, "full") // of a unix socket
	j.close()
	check(
		t, r,
		"connected to server pool=alpha server=s",
		"cannot connect to server pool=alpha server=s reason=Connection refused",
		"server connection lost pool=alpha server=s reason=unknown",
		"client closed: protocol error pool=alpha client=192.0.2.1:7 reason=bad",
		"client closed: stalled pool=alpha client=192.0.2.1:7 reason=slow",
		"client closed: limit reached pool=alpha client=192.0.2.1:7 reason=much",
		"client refused pool=alpha reason=full",
	)
}

// The first of equal lines is written at once, the others with their number; what is queued when the
// journal is closed is written before close returns, and nothing after.
func TestJournalSumsUpRepeats(t *testing.T) {
	r := &record{}
	j := newJournal(slog.New(r))
	for i := range 10 {
		j.Client(pool, netip.AddrPortFrom(netip.IPv4Unspecified(), uint16(i+1)), downstream.Refused, "full")
	}
	j.Client(pool, netip.AddrPort{}, downstream.Refused, "other")
	j.close()
	want := []string{
		"client refused pool=alpha client=0.0.0.0:1 reason=full",
		"client refused pool=alpha reason=other",
		"client refused pool=alpha client=0.0.0.0:10 reason=full repeated=9",
	}
	check(t, r, want...)
	select {
	case <-j.done:
	default:
		t.Error("the writer goes on after close")
	}
}

// A log that does not keep up makes nobody wait: what does not fit is dropped and counted.
func TestJournalDropsAndCounts(t *testing.T) {
	r := &record{gate: make(chan struct{}), asked: make(chan struct{}, journalQueue+2)}
	j := newJournal(slog.New(r))
	j.Client(pool, netip.AddrPort{}, downstream.Stalled, "first")
	<-r.asked // the writer is stuck with the first line, the queue is empty
	const more = 7
	for i := range journalQueue + more {
		j.Client(pool, netip.AddrPort{}, downstream.Stalled, fmt.Sprint(i))
	}
	close(r.gate)
	j.close()
	got := r.all()
	if len(got) != journalQueue+2 || got[len(got)-1] != fmt.Sprintf("log lines dropped: too many at once count=%d", more) {
		t.Errorf("the log has %d lines, the last is %q", len(got), got[len(got)-1])
	}
}
