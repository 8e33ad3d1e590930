package memcachedtest

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"
)

// callLimit bounds every call of a Client: a test that waits longer has failed.
const callLimit = 20 * time.Second

// Client is a connection whose replies are looked at byte for byte, which client libraries do not
// allow. It belongs to one goroutine. It parses with code of its own: what is tested must not judge
// itself.
type Client struct {
	t    testing.TB
	conn net.Conn
	r    *bufio.Reader
}

// Dial connects to "host:port". The connection is closed with the test.
func Dial(t testing.TB, addr string) *Client {
	t.Helper()
	conn, err := net.DialTimeout("tcp", addr, callLimit)
	if err != nil {
		t.Fatalf("memcachedtest: %v", err)
	}
	t.Cleanup(func() { conn.Close() })
	return &Client{t: t, conn: conn, r: bufio.NewReaderSize(conn, 64<<10)}
}

// Close closes the connection.
func (c *Client) Close() { c.conn.Close() }

// Conn is the connection itself, for what Client does not do.
func (c *Client) Conn() net.Conn { return c.conn }

// Send sends bytes as they are.
func (c *Client) Send(raw string) {
	c.t.Helper()
	err := c.conn.SetWriteDeadline(time.Now().Add(callLimit))
	if err == nil {
		_, err = io.WriteString(c.conn, raw)
	}
	if err != nil {
		c.t.Fatalf("memcachedtest: write to %s: %v", c.conn.RemoteAddr(), err)
	}
}

// Do sends bytes and returns one reply as received.
func (c *Client) Do(raw string) string {
	c.t.Helper()
	c.Send(raw)
	return c.Read()
}

// Line returns the next line, its line end included.
func (c *Client) Line() string {
	c.t.Helper()
	line, err := c.TryLine()
	if err != nil {
		c.t.Fatalf("memcachedtest: read from %s: %v, after %q", c.conn.RemoteAddr(), err, line)
	}
	return line
}

// TryLine is Line that returns its error with what came before it; io.EOF means that the server closed
// the connection between two lines.
func (c *Client) TryLine() (string, error) {
	if err := c.conn.SetReadDeadline(time.Now().Add(callLimit)); err != nil {
		return "", err
	}
	line, err := c.r.ReadString('\n')
	if errors.Is(err, io.EOF) && line != "" {
		err = io.ErrUnexpectedEOF
	}
	return line, err
}

// Read returns the next reply as received.
func (c *Client) Read() string {
	c.t.Helper()
	reply, err := c.TryRead()
	if err != nil {
		c.t.Fatalf("memcachedtest: read from %s: %v, after %q", c.conn.RemoteAddr(), err, reply)
	}
	return reply
}

// TryRead returns the next reply, or with an error as much as came of it. io.EOF means that the server
// closed the connection between two replies.
func (c *Client) TryRead() (string, error) {
	var reply strings.Builder
	for {
		line, err := c.TryLine()
		reply.WriteString(line)
		if err != nil {
			if errors.Is(err, io.EOF) && reply.Len() > 0 {
				err = io.ErrUnexpectedEOF
			}
			return reply.String(), err
		}
		words := strings.Fields(line)
		if len(words) == 0 || !strings.HasSuffix(line, "\r\n") {
			return reply.String(), fmt.Errorf("%q is no line of a reply", line)
		}
		size := -1
		switch {
		case words[0] == "VALUE" && len(words) >= 4:
			size, err = strconv.Atoi(words[3])
		case words[0] == "VA" && len(words) >= 2:
			size, err = strconv.Atoi(words[1])
		case words[0] == "STAT", words[0] == "ITEM", words[0] == "PREFIX":
			continue
		}
		if err != nil {
			return reply.String(), err
		}
		if size >= 0 {
			if _, err := io.CopyN(&reply, c.r, int64(size)+2); err != nil {
				return reply.String(), err
			}
		}
		if words[0] != "VALUE" {
			return reply.String(), nil
		}
	}
}
