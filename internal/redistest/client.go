package redistest

import (
	"bufio"
	"fmt"
	"io"
	"strconv"
	"strings"
	"testing"

	"github.com/cashew-proxy/cashew/internal/servertest"
)

// Client is a connection that speaks RESP.
type Client struct{ *servertest.Client }

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
	c, err := servertest.TryDial(t, "redistest", addr, readReply)
	if err != nil {
		return nil, err
	}
	return &Client{c}, nil
}

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
	c.T.Helper()
	c.Write(Request(args...))
}

// Do sends a request and returns its reply as received.
func (c *Client) Do(args ...string) string {
	c.T.Helper()
	c.Send(args...)
	return c.Read()
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
