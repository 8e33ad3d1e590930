package servertest

import (
	"net"
	"sync"
	"testing"
)

// Fake runs a server that exists in the test only, until the test ends, and returns its address. serve has a goroutine
// for each connection, which is closed when serve returns, or when the test ends.
func Fake(t testing.TB, serve func(c *net.TCPConn)) (addr string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	over := make(chan struct{})
	all.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			all.Go(func() {
				served := make(chan struct{})
				all.Go(func() {
					select {
					case <-over:
					case <-served:
					}
					c.Close()
				})
				defer close(served)
				serve(c.(*net.TCPConn))
			})
		}
	})
	t.Cleanup(func() { close(over); l.Close(); all.Wait() })
	return l.Addr().String()
}
