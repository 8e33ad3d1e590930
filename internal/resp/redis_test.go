package resp_test

import (
	"bufio"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/cashew-proxy/cashew/internal/redistest"
	"github.com/cashew-proxy/cashew/internal/resp"
)

// ask sends a malformed request to a server and returns the first line of its answer, and whether the
// server then closed the connection.
func ask(t *testing.T, addr, request string) (line string, closed bool) {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(conn, request); err != nil {
		t.Fatal(err)
	}
	r := bufio.NewReader(conn)
	if line, err = r.ReadString('\n'); err != nil {
		t.Fatalf("%.60q: no answer: %v", request, err)
	}
	_, err = r.ReadByte()
	var timeout net.Error
	return line, err != nil && !(errors.As(err, &timeout) && timeout.Timeout())
}

// refusal is our answer to the same.
func refusal(t *testing.T, request string, guest bool) string {
	t.Helper()
	lim := resp.Limits{Bytes: 512 << 20, Arguments: 1<<31 - 1, Inline: 64 << 10, Unauthenticated: guest}
	var p resp.RequestParser
	n, err := p.Next([]byte(request), &lim)
	if err == nil && n > 0 && p.Inline {
		_, err = resp.AppendInline(nil, []byte(request)[:n])
	}
	if err == nil {
		return "none"
	}
	return string(resp.AppendError(nil, "ERR "+err.Error()))
}

// What a server refuses, we refuse in the same words, and both close the connection.
//
// Different on purpose: a value is checked to end in CRLF, where Redis skips two bytes whatever they
// are; a header line must end in CRLF, where Redis looks for CR only; a header is refused at its first
// wrong byte, where Redis waits for the end of the line; unprintable bytes in "got 'x'" are shown as
// '?'; and an inline line ends at LF where Redis, which reads C strings, stops at NUL.
func TestRefusalsAreRedis(t *testing.T) {
	open := redistest.StartServer(t)
	locked := redistest.StartServer(t, "--requirepass", "secret")
	for _, c := range []struct {
		request string
		guest   bool
	}{
		{request: "*x\r\n"},
		{request: "*\r\n"},
		{request: "*+1\r\n"},
		{request: "*01\r\n"},
		{request: "*-0\r\n"},
		{request: "*2147483648\r\n"},
		{request: "*99999999999999999999\r\n"},
		{request: "*1\r\n$x\r\n"},
		{request: "*1\r\n$\r\n"},
		{request: "*1\r\n$-1\r\n"},
		{request: "*1\r\n$05\r\n"},
		{request: "*1\r\n$536870913\r\n"},
		{request: "*1\r\nPING\r\n"},
		{request: "*1\r\n:4\r\n"},
		{request: "*2\r\n$3\r\nGET\r\n*1\r\n"},
		{request: "get \"a\r\n"},
		{request: "get 'a'b\r\n"},
		{request: "get \"a\"b\r\n"},
		{request: strings.Repeat("x", 64<<10+1)},
		{request: "*11\r\n", guest: true},
		{request: "*1\r\n$16385\r\n", guest: true},
		{request: "*2147483648\r\n", guest: true},
		{request: "*1\r\n$536870913\r\n", guest: true},
	} {
		addr := open
		if c.guest {
			addr = locked
		}
		line, closed := ask(t, addr, c.request)
		if ours := refusal(t, c.request, c.guest); ours != line {
			t.Errorf("%.40q (guest %v): Redis says %q, we say %q", c.request, c.guest, line, ours)
		}
		if !closed {
			t.Errorf("%.40q: Redis left the connection open", c.request)
		}
	}
}

// What a server accepts, we accept: it answers something else than a protocol error.
func TestAcceptedIsRedis(t *testing.T) {
	addr := redistest.StartServer(t)
	for _, request := range []string{
		"*1\r\n$4\r\nPING\r\n",
		"*-1\r\n*0\r\n*1\r\n$4\r\nPING\r\n", "*-9223372036854775808\r\nPING\r\n",
		"PING\r\n", "PING\n", "  PING  \r\n", "\r\n\nPING\r\n",
		"ECHO \"\\x41\\n\\q\"\r\n", "ECHO 'it\\'s'\r\n", "ECHO a\"b c\"\r\n", "ECHO \"\"\r\n",
		"ECHO " + strings.Repeat("x", 60<<10) + "\r\n",
	} {
		conn, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if _, err := io.WriteString(conn, request); err != nil {
			t.Fatal(err)
		}
		line, err := bufio.NewReader(conn).ReadString('\n')
		if err != nil || strings.HasPrefix(line, "-") {
			t.Errorf("%.40q: Redis says %q, %v", request, line, err)
		}
		if ours := refusalOfAny(t, request); ours != "" {
			t.Errorf("%.40q: we refuse it: %s", request, ours)
		}
	}
}

// refusalOfAny is our refusal of any request in a stream.
func refusalOfAny(t *testing.T, stream string) string {
	t.Helper()
	lim := resp.Limits{Bytes: 512 << 20, Arguments: 1 << 20, Inline: 64 << 10}
	var p resp.RequestParser
	for b := []byte(stream); len(b) > 0; {
		n, err := p.Next(b, &lim)
		if err == nil && p.Inline {
			_, err = resp.AppendInline(nil, b[:n])
		}
		if err != nil {
			return err.Error()
		}
		if n == 0 {
			return "it is not whole"
		}
		b = b[n:]
	}
	return ""
}
