package metrics

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/cashew-proxy/cashew/internal/eventloop"
	"github.com/cashew-proxy/cashew/internal/topology"
)

// What a reader gets: time and memory.
const (
	// firstByte is how long a reader may keep silent before it is taken for one of twemproxy's, which
	// say nothing. Those that speak HTTP do it at once.
	firstByte = 50 * time.Millisecond
	// forRequest is the time for the rest of an HTTP request, forReply that for taking the reply.
	forRequest = 2 * time.Second
	forReply   = 10 * time.Second
	// forGoodbye is how long the reader may take to close: bytes of its that arrive after our close would
	// reset the connection, and the reply with it.
	forGoodbye = time.Second

	maxRequest = 16 << 10
	maxReaders = 32 // at once, because each takes a descriptor; more wait for their turn
	// patience is how long a reader may take while others wait: several times what those need that are not stuck.
	patience = 150 * time.Millisecond
)

// Port is where the statistics are served.
type Port struct {
	socket   *eventloop.Listener
	listener net.Listener

	mu      sync.Mutex
	readers []reader // the one that is there longest first
	closed  bool
	done    sync.WaitGroup
}

type reader struct {
	net.Conn
	since time.Time
}

// Listen opens the port: an address and a port, or the absolute path of a unix socket.
func Listen(address string, port int) (*Port, error) {
	t := topology.Listen{Network: "tcp", Address: net.JoinHostPort(address, strconv.Itoa(port))}
	if filepath.IsAbs(address) {
		t.Network, t.Address = "unix", address
	}
	socket, err := eventloop.Listen(t)
	if err != nil {
		return nil, fmt.Errorf("statistics (-a, -s): %w", err)
	}
	listener, err := socket.Net()
	if err != nil {
		socket.Close()
		return nil, fmt.Errorf("statistics (-a, -s): %w", err)
	}
	return &Port{socket: socket, listener: listener}, nil
}

// Address is where the port can be reached.
func (p *Port) Address() string { return p.socket.Address() }

// Serve answers every reader with what report says at that moment, until Close. report is called in
// many goroutines.
func (p *Port) Serve(report func() []byte) {
	p.done.Add(1)
	go func() {
		defer p.done.Done()
		for {
			c, err := p.listener.Accept()
			switch {
			case errors.Is(err, net.ErrClosed):
				return
			case err != nil:
				// No descriptors are left, most likely: asking again at once would only spin.
				time.Sleep(100 * time.Millisecond)
				continue
			}
			if !p.enter(c) {
				c.Close()
				return
			}
			go func() {
				defer p.leave(c)
				answer(c, report)
			}()
		}
	}()
}

// enter notes a reader, so that Close can end it. It says no after Close. If there are too many already it waits until
// one is done; one that is stuck has to go.
func (p *Port) enter(c net.Conn) bool {
	for {
		wait, ok := p.tryEnter(c)
		if wait == 0 {
			return ok
		}
		time.Sleep(min(wait, 5*time.Millisecond))
	}
}

// tryEnter says how long to wait at most if there is no place.
func (p *Port) tryEnter(c net.Conn) (wait time.Duration, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return 0, false
	}
	if len(p.readers) == maxReaders {
		if left := patience - time.Since(p.readers[0].since); left > 0 {
			return left, false
		}
		p.readers[0].Close()
		p.readers = p.readers[1:]
	}
	p.readers = append(p.readers, reader{c, time.Now()})
	p.done.Add(1)
	return 0, true
}

func (p *Port) leave(c net.Conn) {
	c.Close()
	p.mu.Lock()
	p.readers = slices.DeleteFunc(p.readers, func(r reader) bool { return r.Conn == c })
	p.mu.Unlock()
	p.done.Done()
}

// Close ends the port and its readers, and returns when they are gone.
func (p *Port) Close() {
	p.listener.Close()
	p.socket.Close()
	p.mu.Lock()
	for _, r := range p.readers {
		r.Close()
	}
	p.closed = true
	p.mu.Unlock()
	p.done.Wait()
}

// answer serves one reader. Errors are the reader's own: it has gone, or it is too slow.
func answer(c net.Conn, report func() []byte) {
	request, spoke := readRequest(c)
	_ = c.SetDeadline(time.Now().Add(forReply))
	var err error
	if request == nil {
		_, err = c.Write(report())
	} else {
		err = reply(c, request, report)
	}
	if half, ok := c.(interface{ CloseWrite() error }); ok && err == nil && spoke {
		if half.CloseWrite() == nil {
			_ = c.SetReadDeadline(time.Now().Add(forGoodbye))
			_, _ = io.Copy(io.Discard, io.LimitReader(c, maxRequest))
		}
	}
}

// readRequest returns the reader's HTTP request, nil if it says nothing or something else; and whether
// it said anything.
func readRequest(c net.Conn) (request *http.Request, spoke bool) {
	_ = c.SetReadDeadline(time.Now().Add(firstByte))
	r := bufio.NewReader(io.LimitReader(c, maxRequest))
	first, err := r.Peek(1)
	if err != nil {
		return nil, false
	}
	if first[0] < 'A' || first[0] > 'Z' {
		return nil, true // no method of HTTP
	}
	_ = c.SetReadDeadline(time.Now().Add(forRequest))
	request, err = http.ReadRequest(r)
	if err != nil {
		return nil, true
	}
	return request, true
}

func reply(c net.Conn, request *http.Request, report func() []byte) error {
	r := &http.Response{
		StatusCode: http.StatusOK, ProtoMajor: 1, ProtoMinor: 1, Request: request, Close: true,
		Header: http.Header{"Content-Type": {"application/json"}, "Cache-Control": {"no-store"}},
	}
	body := []byte(nil)
	if request.Method == http.MethodGet || request.Method == http.MethodHead {
		body = report()
	} else {
		r.StatusCode = http.StatusMethodNotAllowed
		r.Header.Set("Allow", "GET, HEAD")
	}
	r.ContentLength, r.Body = int64(len(body)), io.NopCloser(bytes.NewReader(body))
	return r.Write(c)
}
