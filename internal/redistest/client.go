package redistest

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

// Dial connects to "host:port", or to the socket at a path. The connection is closed with the test.
func Dial(t testing.TB, addr string) *Client {
	t.Helper()
	c, err := TryDial(t, addr)
	if err != nil {
		t.Fatalf("redistest: %v", err)
	}
	return c
}

// TryDial is Dial for addresses where perhaps nobody listens.
func TryDial(t testing.TB, addr string) (*Client, error) {
	network := "tcp"
	if strings.HasPrefix(addr, "/") {
		network = "unix"
	}
	conn, err := net.DialTimeout(network, addr, callLimit)
	if err != nil {
		return nil, err
	}
	t.Cleanup(func() { conn.Close() })
	return &Client{t: t, conn: conn, r: bufio.NewReaderSize(conn, 64<<10)}, nil
}

// Close closes the connection.
func (c *Client) Close() { c.conn.Close() }

// Conn is the connection itself, for what Client does not do.
func (c *Client) Conn() net.Conn { return c.conn }

// Request is the wire form of a request.
func Request(args ...string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "*%d\r\n", len(args))
	for _, a := range args {
		fmt.Fprintf(&b, "$%d\r\n%s\r\n", len(a), a)
	}
	return b.String()
}

// Send sends a request and does not wait for its reply.
func (c *Client) Send(args ...string) {
	c.t.Helper()
	c.Write(Request(args...))
}

// Write sends bytes as they are.
func (c *Client) Write(raw string) {
	c.t.Helper()
	if err := c.TryWrite(raw); err != nil {
		c.t.Fatalf("redistest: write to %s: %v", c.conn.RemoteAddr(), err)
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

// Do sends a request and returns its reply as received.
func (c *Client) Do(args ...string) string {
	c.t.Helper()
	c.Send(args...)
	return c.Read()
}

// Read returns the next reply as received.
func (c *Client) Read() string {
	c.t.Helper()
	reply, err := c.TryRead()
	if err != nil {
		c.t.Fatalf("redistest: read from %s: %v, after %q", c.conn.RemoteAddr(), err, reply)
	}
	return reply
}

// TryRead returns the next reply, or with an error as much as came of it. io.EOF means that the
// server closed the connection between two replies.
func (c *Client) TryRead() (string, error) {
	if err := c.conn.SetReadDeadline(time.Now().Add(callLimit)); err != nil {
		return "", err
	}
	var b strings.Builder
	err := readReply(c.r, &b)
	if errors.Is(err, io.EOF) && b.Len() > 0 {
		err = io.ErrUnexpectedEOF
	}
	return b.String(), err
}

func readReply(r *bufio.Reader, b *strings.Builder) error {
	line, err := r.ReadString('\n')
	b.WriteString(line)
	if err != nil {
		return err
	}
	if len(line) < 3 || line[len(line)-2] != '\r' {
		return fmt.Errorf("%q is no line of a reply", line)
	}
	switch line[0] {
	case '+', '-', ':', '_', '#', ',', '(':
		return nil
	case '$', '!', '=', '*', '~', '>', '%', '|':
	default:
		return fmt.Errorf("%q begins no reply", line)
	}
	n, err := strconv.Atoi(line[1 : len(line)-2])
	if err != nil || n < 0 {
		return err
	}
	switch line[0] {
	case '$', '!', '=':
		_, err = io.CopyN(b, r, int64(n)+2)
		return err
	case '%':
		n *= 2
	case '|': // attributes stand in front of the reply that they belong to
		n = 2*n + 1
	}
	for range n {
		if err := readReply(r, b); err != nil {
			return err
		}
	}
	return nil
}

// Info returns one field of INFO, for example "process_id".
func Info(t testing.TB, addr, field string) string {
	t.Helper()
	c := Dial(t, addr)
	defer c.Close()
	for line := range strings.Lines(c.Do("INFO", "everything")) {
		if v, ok := strings.CutPrefix(line, field+":"); ok {
			return strings.TrimSpace(v)
		}
	}
	t.Fatalf("redistest: INFO of %s has no %s", addr, field)
	return ""
}
