package demo

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"sync"

	"github.com/cashew-proxy/cashew/internal/memcached"
)

// cache is a small memcached server. It speaks the text protocol, and of the meta protocol what is
// needed to look around; it knows no bound of its memory. A goroutine accepts and each connection has
// one; close waits for all.
type cache struct {
	items    items
	listener net.Listener
	serving  sync.WaitGroup

	mu     sync.Mutex
	closed bool
	conns  map[net.Conn]bool
}

// cacheLimits are those of a memcached with its defaults.
var cacheLimits = memcached.Limits{Bytes: 1 << 20, Arguments: 1 << 16, Line: 2048}

// startCache starts a server on a port of the kernel's choice.
func startCache() (*cache, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	c := &cache{listener: l, conns: map[net.Conn]bool{}}
	c.items.clear()
	c.serving.Go(c.accept)
	return c, nil
}

func (c *cache) addr() string { return c.listener.Addr().String() }

// close ends every connection, and the server.
func (c *cache) close() {
	c.mu.Lock()
	c.closed = true
	c.listener.Close()
	for conn := range c.conns {
		conn.Close()
	}
	c.mu.Unlock()
	c.serving.Wait()
}

func (c *cache) accept() {
	for {
		conn, err := c.listener.Accept()
		if err != nil {
			return // closed; or out of descriptors, and then the demonstration has other problems
		}
		c.mu.Lock()
		if c.closed {
			conn.Close()
		} else {
			c.conns[conn] = true
			c.serving.Go(func() { c.serve(conn) })
		}
		c.mu.Unlock()
	}
}

// serve answers a client until it goes, or says something after which nothing can be understood.
func (c *cache) serve(conn net.Conn) {
	defer func() {
		c.mu.Lock()
		delete(c.conns, conn)
		c.mu.Unlock()
		conn.Close()
	}()
	w := bufio.NewWriter(conn)
	if err := c.converse(conn, w); err != nil {
		fmt.Fprintf(w, "%s\r\n", err)
	}
	_ = w.Flush() // who does not read any more misses nothing
}

// converse returns what the client did wrong, or nil when it has gone.
func (c *cache) converse(conn net.Conn, w *bufio.Writer) error {
	var p memcached.RequestParser
	var in []byte
	var skip int64
	chunk := make([]byte, 16<<10)
	for {
		dropped := min(int64(len(in)), skip)
		in, skip = in[dropped:], skip-dropped
		n, err := p.Next(in, &cacheLimits)
		if err != nil {
			return err
		}
		if n == 0 {
			// Nothing more to answer for now: what was answered goes out in one piece.
			if w.Flush() != nil {
				return nil
			}
			n, err := conn.Read(chunk)
			if n == 0 && err != nil {
				return nil
			}
			in = append(in, chunk[:n]...)
			continue
		}
		if p.Op == memcached.Quit {
			return nil
		}
		c.answer(&p.Request, in[:n], w)
		in, skip = in[n:], p.Skip
	}
}

// answer writes the reply to a request, unless its client does not want to see it.
func (c *cache) answer(r *memcached.Request, request []byte, w io.Writer) {
	if r.Op == memcached.Binary {
		_, _ = w.Write(memcached.AppendBinaryError(nil, request)) // Flush reports errors
		return
	}
	reply := r.Problem
	if reply == "" {
		reply = c.items.do(parse(r, request))
	}
	if r.Silent && r.Op.Hushes([]byte(reply)) {
		return
	}
	_, _ = io.WriteString(w, reply+"\r\n") // Flush reports errors
}
