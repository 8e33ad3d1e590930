package admin

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/cashew-proxy/cashew/internal/config"
	"github.com/cashew-proxy/cashew/internal/eventloop"
	"github.com/cashew-proxy/cashew/internal/topology"
)

// What a caller gets: time, memory and descriptors.
const (
	forHeader = 5 * time.Second
	forBody   = 10 * time.Second
	// forAnswer is enough for a profile of a minute, and for whoever waits for events.
	forAnswer  = 90 * time.Second
	forIdle    = 5 * time.Second // others may wait for their turn
	forGoodbye = time.Second     // for answers that are under way at the end

	maxHeader  = 64 << 10
	maxBody    = 64 << 10
	maxCallers = 16 // at once, because each takes a descriptor; more wait for their turn
)

// Server is the API's listener, and who answers there.
type Server struct {
	guard    guard
	socket   *eventloop.Listener
	listener *bounded
	http     *http.Server
	done     chan struct{} // closed when nobody is accepted any more; nil before Serve
}

// Listen opens the listener. Callers wait until Serve. A token is what they have to present; without one they have to
// come from this machine.
func Listen(l config.Listen, token string) (*Server, error) {
	socket, err := eventloop.Listen(topology.Listen{Network: l.Network, Address: l.Address, Mode: l.Mode})
	if err != nil {
		return nil, fmt.Errorf("admin: %w", err)
	}
	listener, err := socket.Net()
	if err != nil {
		socket.Close()
		return nil, fmt.Errorf("admin: %w", err)
	}
	return &Server{guard: newGuard(l, token), socket: socket, listener: newBounded(listener, maxCallers)}, nil
}

// Address is where the API can be reached.
func (s *Server) Address() string { return s.socket.Address() }

// Serve answers callers, in goroutines of its own, until Close.
func (s *Server) Serve(o Options) {
	s.done = make(chan struct{})
	ending, end := context.WithCancel(context.Background())
	s.http = &http.Server{
		Handler:           s.guard.protect(newHandler(o, ending)),
		ReadHeaderTimeout: forHeader, WriteTimeout: forAnswer, IdleTimeout: forIdle,
		MaxHeaderBytes: maxHeader,
		ErrorLog:       slog.NewLogLogger(o.Log.Handler(), slog.LevelError),
	}
	s.http.RegisterOnShutdown(end)
	go func() {
		defer close(s.done)
		_ = s.http.Serve(s.listener) // it ends by Close
	}()
}

// Close ends the API, and returns when it is over. Answers that are under way have a moment.
func (s *Server) Close() {
	if s.done != nil {
		ctx, cancel := context.WithTimeout(context.Background(), forGoodbye)
		defer cancel()
		if s.http.Shutdown(ctx) != nil {
			_ = s.http.Close() // whoever is still there has had a moment
		}
		<-s.done
	}
	_ = s.listener.Close()
	s.socket.Close()
}

// bounded is a listener that accepts so many at once.
type bounded struct {
	net.Listener
	turns  chan struct{}
	closed chan struct{}
	once   sync.Once
}

func newBounded(l net.Listener, most int) *bounded {
	return &bounded{Listener: l, turns: make(chan struct{}, most), closed: make(chan struct{})}
}

func (b *bounded) Accept() (net.Conn, error) {
	select {
	case b.turns <- struct{}{}:
	case <-b.closed:
		return nil, net.ErrClosed
	}
	c, err := b.Listener.Accept()
	if err != nil {
		<-b.turns
		return nil, err
	}
	return &turn{Conn: c, over: func() { <-b.turns }}, nil
}

func (b *bounded) Close() error {
	b.once.Do(func() { close(b.closed) })
	return b.Listener.Close()
}

// turn is a connection that has its turn.
type turn struct {
	net.Conn
	once sync.Once
	over func()
}

func (t *turn) Close() error {
	defer t.once.Do(t.over)
	return t.Conn.Close()
}
