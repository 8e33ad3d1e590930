package engine

import (
	"net/netip"
	"testing"

	"github.com/cashew-proxy/cashew/internal/downstream"
	"github.com/cashew-proxy/cashew/internal/message"
	"github.com/cashew-proxy/cashew/internal/topology"
	"github.com/cashew-proxy/cashew/internal/upstream"
)

// idle is a host and an observer to which nothing matters.
type idle struct{}

func (idle) Dial(message.ConnID, *topology.Server)                           {}
func (idle) Interest(message.ConnID, bool)                                   {}
func (idle) Finish(message.ConnID)                                           {}
func (idle) Close(message.ConnID)                                            {}
func (idle) Server(*topology.Pool, *topology.Server, upstream.Event, error)  {}
func (idle) Client(*topology.Pool, netip.AddrPort, downstream.Event, string) {}
func (idle) Failed(*topology.Pool, *topology.Server, upstream.Failure)       {}
func (idle) Recovered(*topology.Pool, *topology.Server)                      {}
func (idle) Access(Access)                                                   {}

// A server that takes nothing is waited for by those who are there, not by all who ever were.
func TestWaitersThatHaveGoneAreForgotten(t *testing.T) {
	p := &topology.Pool{Name: "pool", Servers: []*topology.Server{{Pool: "pool", Name: "s"}}}
	e := New(idle{}, idle{}, &topology.Snapshot{Pools: []*topology.Pool{p}}, 1)
	c := e.pools[0].servers[0].lanes[0][0]
	wait := func() message.ConnID {
		id := e.Accept(1, 0, netip.AddrPort{})
		e.holdForServer(e.find(id).client, c)
		return id
	}
	stays := wait()
	for range 10_000 {
		id := wait()
		e.closeClient(id, e.find(id))
	}
	if n := cap(c.Waiters); n > 16 {
		t.Errorf("the list of waiters has grown to %d for two", n)
	}
	e.resume(c)
	if e.find(stays).client.HeldForServer() {
		t.Error("the client that stayed was forgotten")
	}
}
