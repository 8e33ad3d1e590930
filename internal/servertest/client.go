package servertest

import (
	"bufio"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"
)

// callLimit bounds every call of a Client: a test that waits longer has failed.
const callLimit = 20 * time.Second

// Parse moves one reply, or a part of one, from r to b, and fails if it is none.
type Parse func(r *bufio.Reader, b *strings.Builder) error

// Client is a connection whose replies are looked at byte for byte, which client libraries do not
// allow. It belongs to one goroutine. Its room tells it how a reply is parsed, with code of its own: what
// is tested must not judge itself.
type Client struct {
	T     testing.TB // the test that it belongs to
	room  string
	reply Parse
	conn  net.Conn
	r     *bufio.Reader
}

// TryDial connects to "host:port", or to the socket at a path. The connection is closed with the test.
// room begins what failures say.
func TryDial(t testing.TB, room, addr string, reply Parse) (*Client, error) {
	network := "tcp"
	if strings.HasPrefix(addr, "/") {
		network = "unix"
	}
	conn, err := net.DialTimeout(network, addr, callLimit)
	if err != nil {
		return nil, err
	}
	t.Cleanup(func() { conn.Close() })
	return &Client{T: t, room: room, reply: reply, conn: conn, r: bufio.NewReaderSize(conn, 64<<10)}, nil
}

// Close closes the connection.
func (c *Client) Close() { c.conn.Close() }

// Conn is the connection itself, for what Client does not do.
func (c *Client) Conn() net.Conn { return c.conn }

// Write sends bytes as they are.
func (c *Client) Write(raw string) {
	c.T.Helper()
	if err := c.TryWrite(raw); err != nil {
		c.T.Fatalf("%s: write to %s: %v", c.room, c.conn.RemoteAddr(), err)
	}
}

// TryWrite is Write that returns its error.
func (c *Client) TryWrite(raw string) error {
	if err := c.conn.SetWriteDeadline(time.Now().Add(callLimit)); err != nil {
		return err
	}
	_, err := io.WriteString(c.conn, raw)
	return err
}

// Read returns the next reply as received.
func (c *Client) Read() string {
	c.T.Helper()
	return c.ReadBy(c.reply)
}

// TryRead is TryReadBy for a reply.
func (c *Client) TryRead() (string, error) { return c.TryReadBy(c.reply) }

// ReadBy returns what parse takes, as received.
func (c *Client) ReadBy(parse Parse) string {
	c.T.Helper()
	reply, err := c.TryReadBy(parse)
	if err != nil {
		c.T.Fatalf("%s: read from %s: %v, after %q", c.room, c.conn.RemoteAddr(), err, reply)
	}
	return reply
}

// TryReadBy returns what parse takes, or with an error as much as came of it. io.EOF means that the server
// closed the connection before the first byte.
func (c *Client) TryReadBy(parse Parse) (string, error) {
	if err := c.conn.SetReadDeadline(time.Now().Add(callLimit)); err != nil {
		return "", err
	}
	var b strings.Builder
	err := parse(c.r, &b)
	if errors.Is(err, io.EOF) && b.Len() > 0 {
		err = io.ErrUnexpectedEOF
	}
	return b.String(), err
}
