package main

import (
	"errors"
	"io"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"
)

// floorPort starts a floor server in this process, which serves until the tests end: it has nothing to
// clean up.
func floorPort(t *testing.T) int {
	t.Helper()
	s, err := newFloorServer(0)
	if err != nil {
		t.Fatal(err)
	}
	port, err := localPort(s.listener)
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		if err := s.serve(); err != nil {
			panic(err)
		}
	}()
	return port
}

func TestFloorAnswers(t *testing.T) {
	port := floorPort(t)
	value := string(small.appendValue(nil, 0))
	get := string(appendCommand(nil, "GET", "key:000000000001"))
	hit := "$32\r\n" + value + "\r\n"
	longer := string(appendCommand(nil, "GET", strings.Repeat("k", 1000)))
	config := string(appendCommand(nil, "CONFIG", "GET", "save"))
	request := get + longer + config + get + string(appendCommand(nil, "PING")) + get
	want := hit + hit + "-ERR only GET is answered here\r\n" + hit + "+PONG\r\n" + hit
	for _, piece := range []int{1, 7, 40, len(request)} {
		c, err := net.Dial("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		if err != nil {
			t.Fatal(err)
		}
		if err := c.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
			t.Fatal(err)
		}
		for rest := request; rest != ""; {
			n := min(piece, len(rest))
			if _, err := io.WriteString(c, rest[:n]); err != nil {
				t.Fatal(err)
			}
			rest = rest[n:]
		}
		if err := c.(*net.TCPConn).CloseWrite(); err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(c)
		if err != nil && !errors.Is(err, net.ErrClosed) || string(got) != want {
			t.Errorf("in pieces of %d: %q, %v; want %q", piece, got, err, want)
		}
		c.Close()
	}
}

// TestFloorHoldsWhatDoesNotFit: a client that reads late still gets every reply.
func TestFloorHoldsWhatDoesNotFit(t *testing.T) {
	port := floorPort(t)
	c, err := dial(port)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	const n = 200_000 // 8 MB of replies, more than sockets hold
	go func() {
		request := strings.Repeat(string(appendCommand(nil, "GET", "key:000000000001")), 100)
		for range n / 100 {
			if _, err := io.WriteString(c, request); err != nil {
				return // the reader finds out
			}
		}
	}()
	time.Sleep(100 * time.Millisecond) // so that replies pile up
	for i := range n {
		if s, err := c.reply(); err != nil || len(s) != small.valueSize {
			t.Fatalf("reply %d: %q, %v", i, s, err)
		}
	}
}
