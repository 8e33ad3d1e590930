package command

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cashew-proxy/cashew/internal/redistest"
)

// peer is a connection to a real Redis server, the judge of the table.
type peer struct {
	t    testing.TB
	conn net.Conn
	in   *bufio.Reader
}

func dialPeer(t testing.TB) *peer {
	t.Helper()
	conn, err := net.Dial("tcp", redistest.StartServer(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	return &peer{t: t, conn: conn, in: bufio.NewReader(conn)}
}

// failure is an error reply, without its minus sign and line end.
type failure string

// do sends a request and returns the reply: string, failure, int, []any or nil.
func (p *peer) do(args ...string) any {
	p.t.Helper()
	var out strings.Builder
	fmt.Fprintf(&out, "*%d\r\n", len(args))
	for _, a := range args {
		fmt.Fprintf(&out, "$%d\r\n%s\r\n", len(a), a)
	}
	if _, err := io.WriteString(p.conn, out.String()); err != nil {
		p.t.Fatal(err)
	}
	reply, err := p.read()
	if err != nil {
		p.t.Fatalf("reading the reply to %q: %v", args, err)
	}
	return reply
}

func (p *peer) read() (any, error) {
	line, err := p.in.ReadString('\n')
	if err != nil {
		return nil, err
	}
	line = strings.TrimSuffix(line, "\r\n")
	switch line[0] {
	case '+':
		return line[1:], nil
	case '-':
		return failure(line[1:]), nil
	}
	n, err := strconv.Atoi(line[1:])
	if err != nil || line[0] == ':' {
		return n, err
	}
	if n < 0 {
		return nil, nil
	}
	if line[0] == '$' {
		b := make([]byte, n+2)
		_, err := io.ReadFull(p.in, b)
		return string(b[:n]), err
	}
	list := make([]any, n)
	for i := range list {
		if list[i], err = p.read(); err != nil {
			return nil, err
		}
	}
	return list, nil
}

// accessor is a request as the functions of this package want it.
func accessor(request []string) (argc int, at func(int) []byte) {
	return len(request), func(i int) []byte { return []byte(request[i]) }
}
