package memcachedtest

import (
	"bufio"
	"fmt"
	"io"
	"strconv"
	"strings"
	"testing"

	"github.com/cashew-proxy/cashew/internal/servertest"
)

// Client is a connection that speaks memcached's text and meta protocols.
type Client struct{ *servertest.Client }

// Dial connects to "host:port". The connection is closed with the test.
func Dial(t testing.TB, addr string) *Client {
	t.Helper()
	c, err := servertest.TryDial(t, "memcachedtest", addr, readReply)
	if err != nil {
		t.Fatalf("memcachedtest: %v", err)
	}
	return &Client{c}
}

// Send sends bytes as they are.
func (c *Client) Send(raw string) {
	c.T.Helper()
	c.Write(raw)
}

// Do sends bytes and returns one reply as received.
func (c *Client) Do(raw string) string {
	c.T.Helper()
	c.Send(raw)
	return c.Read()
}

// Line returns the next line, its line end included.
func (c *Client) Line() string {
	c.T.Helper()
	return c.ReadBy(readLine)
}

// TryLine is Line that returns its error with what came before it; io.EOF means that the server closed
// the connection between two lines.
func (c *Client) TryLine() (string, error) { return c.TryReadBy(readLine) }

func readLine(r *bufio.Reader, b *strings.Builder) error {
	line, err := r.ReadString('\n')
	b.WriteString(line)
	return err
}

func readReply(r *bufio.Reader, b *strings.Builder) error {
	for {
		line, err := r.ReadString('\n')
		b.WriteString(line)
		if err != nil {
			return err
		}
		words := strings.Fields(line)
		if len(words) == 0 || !strings.HasSuffix(line, "\r\n") {
			return fmt.Errorf("%q is no line of a reply", line)
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
			return err
		}
		if size >= 0 {
			if _, err := io.CopyN(b, r, int64(size)+2); err != nil {
				return err
			}
		}
		if words[0] != "VALUE" {
			return nil
		}
	}
}
