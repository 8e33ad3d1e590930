package memcachedtest

import (
	"errors"
	"io"
	"net"
	"strings"
	"testing"
)

func TestServerAnswersAndEnds(t *testing.T) {
	var addr string
	t.Run("one test", func(t *testing.T) {
		addr = StartServer(t)
		c := Dial(t, addr)
		for _, call := range [][2]string{
			{"set k 7 0 5\r\nhello\r\n", "STORED\r\n"},
			{"set l 0 0 0\r\n\r\n", "STORED\r\n"},
			{"get k missing l\r\n", "VALUE k 7 5\r\nhello\r\nVALUE l 0 0\r\n\r\nEND\r\n"},
			{"mg k v\r\n", "VA 5\r\nhello\r\n"},
			{"mg missing v\r\n", "EN\r\n"},
			{"nonsense\r\n", "ERROR\r\n"},
		} {
			if got := c.Do(call[0]); got != call[1] {
				t.Errorf("%q was answered %q, want %q", call[0], got, call[1])
			}
		}
		if got := c.Do("stats\r\n"); !strings.HasPrefix(got, "STAT ") || !strings.HasSuffix(got, "\r\nEND\r\n") {
			t.Errorf("stats were answered %q", got)
		}
		c.Send("quit\r\n")
		if got, err := c.TryRead(); got != "" || !errors.Is(err, io.EOF) {
			t.Errorf("quit was answered %q, %v", got, err)
		}
	})
	if conn, err := net.Dial("tcp", addr); err == nil {
		conn.Close()
		t.Errorf("the server at %s outlived its test", addr)
	}
}

func TestServerComesBackEmpty(t *testing.T) {
	var addr string
	t.Run("before", func(t *testing.T) {
		addr = StartServer(t)
		if got := Dial(t, addr).Do("set k 0 0 1\r\nx\r\n"); got != "STORED\r\n" {
			t.Fatalf("set was answered %q", got)
		}
	})
	StartServerAt(t, addr)
	if got := Dial(t, addr).Do("get k\r\n"); got != "END\r\n" {
		t.Errorf("get was answered %q", got)
	}
}

func TestArgumentsReachTheServer(t *testing.T) {
	addr := StartServer(t, "-F")
	if got := Dial(t, addr).Do("flush_all\r\n"); got != "CLIENT_ERROR flush_all not allowed\r\n" {
		t.Errorf("flush_all was answered %q", got)
	}
}

func TestTakenPortIsReported(t *testing.T) {
	addr := StartServer(t)
	if err := program.TryStartAt(t, addr, nil); err == nil {
		t.Errorf("a second server claims to have started at %s", addr)
	}
}
