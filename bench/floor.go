package main

import (
	"bytes"
	"errors"
	"fmt"
	"time"
)

// floorServer answers every GET with the same value and forwards nothing: it reads each client's socket
// once and writes it once, which any proxy has to do as well. What its process spends per request is
// therefore the kernel's price for talking to the clients, and no proxy can be below it.
type floorServer struct {
	poll     *poller
	listener int
	clients  []*floorClient // by descriptor
	scratch  []byte
	canned   []byte // as many replies as fit, one after the other
	reply    int    // length of one
}

type floorClient struct {
	in  []byte // the beginning of a request
	out []byte // what the kernel had no room for
}

// floorReplies is how many replies are written at a time.
const floorReplies = 1024

func newFloorServer(port int) (*floorServer, error) {
	one := fmt.Appendf(nil, "$%d\r\n%s\r\n", small.valueSize, small.appendValue(nil, 0))
	s := &floorServer{scratch: make([]byte, 64<<10), canned: bytes.Repeat(one, floorReplies), reply: len(one)}
	var err error
	if s.poll, err = newPoller(); err != nil {
		return nil, err
	}
	if s.listener, err = listenSocket(port); err != nil {
		s.poll.close()
		return nil, err
	}
	return s, s.poll.add(s.listener, s.listener)
}

// serve answers until something fails, which is not a client's leaving.
func (s *floorServer) serve() error {
	var events []ready
	for {
		var err error
		if events, err = s.poll.wait(events[:0], time.Minute); err != nil {
			return err
		}
		for _, ev := range events {
			if ev.id == s.listener {
				err = s.accept()
			} else {
				err = s.turn(ev)
			}
			if err != nil {
				return err
			}
		}
	}
}

func (s *floorServer) accept() error {
	for {
		fd, err := acceptSocket(s.listener)
		if err != nil || fd < 0 {
			return err
		}
		for len(s.clients) <= fd {
			s.clients = append(s.clients, nil)
		}
		s.clients[fd] = &floorClient{}
		if err := s.poll.add(fd, fd); err != nil {
			return err
		}
	}
}

// turn serves one client.
func (s *floorServer) turn(ev ready) error {
	fd, c := ev.id, s.clients[ev.id]
	if c == nil {
		return nil // closed, but a process that is being started still has a copy, and epoll goes by copies
	}
	err := s.flush(fd, c)
	if err == nil && ev.read {
		var n int
		if n, err = readSocket(fd, s.scratch); n < 0 {
			err = errGone
		} else if err == nil {
			err = s.answer(fd, c, s.scratch[:n])
		}
	}
	if errors.Is(err, errGone) {
		s.clients[fd] = nil
		closeSocket(fd)
		return nil
	}
	return err
}

// answer answers the requests in b.
func (s *floorServer) answer(fd int, c *floorClient, b []byte) error {
	if len(c.in) > 0 {
		c.in = append(c.in, b...)
		b = c.in
	}
	gets := 0
	for len(b) > 0 {
		n := getLength(b)
		if n > 0 {
			gets++
			b = b[n:]
			continue
		}
		n, other := otherCommand(b)
		if n == 0 {
			break
		}
		if err := errors.Join(s.values(fd, c, gets), s.write(fd, c, []byte(other))); err != nil {
			return err
		}
		gets = 0
		b = b[n:]
	}
	c.in = append(c.in[:0], b...)
	return s.values(fd, c, gets)
}

// values writes n replies.
func (s *floorServer) values(fd int, c *floorClient, n int) error {
	for n > 0 {
		some := min(n, floorReplies)
		if err := s.write(fd, c, s.canned[:some*s.reply]); err != nil {
			return err
		}
		n -= some
	}
	return nil
}

// write writes b now if there is room, and keeps what is left.
func (s *floorServer) write(fd int, c *floorClient, b []byte) error {
	if len(c.out) > 0 {
		c.out = append(c.out, b...)
		return nil
	}
	n, err := writeSocket(fd, b)
	switch {
	case err != nil:
		return err
	case n < 0:
		return errGone
	case n < len(b):
		c.out = append(c.out, b[n:]...)
		return s.poll.change(fd, fd, true)
	}
	return nil
}

// flush writes what is left from before.
func (s *floorServer) flush(fd int, c *floorClient) error {
	if len(c.out) == 0 {
		return nil
	}
	n, err := writeSocket(fd, c.out)
	if err != nil {
		return err
	}
	if n < 0 {
		return errGone
	}
	if c.out = append(c.out[:0], c.out[n:]...); len(c.out) > 0 {
		return nil
	}
	return s.poll.change(fd, fd, false)
}

// getHead is how every GET begins.
const getHead = "*2\r\n$3\r\nGET\r\n$"

// getLength returns the length of the GET at the beginning of b; 0 if there is none, or not all of it.
func getLength(b []byte) int {
	if len(b) < len(getHead) || string(b[:len(getHead)]) != getHead {
		return 0
	}
	size := 0
	for i := len(getHead); i < len(b); i++ {
		if b[i] == '\r' {
			if n := i + size + 4; n <= len(b) {
				return n
			}
			return 0
		}
		size = size*10 + int(b[i]-'0')
	}
	return 0
}

// otherCommand returns the length of the command at the beginning of b, 0 if it is not all there, and
// what it is answered: redis-benchmark asks for settings first, and does without.
func otherCommand(b []byte) (n int, reply string) {
	if bytes.HasPrefix([]byte(getHead), b[:min(len(b), len(getHead))]) {
		return 0, ""
	}
	words := 0
	for want := 1; words < want; words++ {
		i := bytes.IndexByte(b[n:], '\n')
		if i < 0 {
			return 0, ""
		}
		line := bytes.TrimSuffix(b[n:n+i], []byte("\r"))
		n += i + 1
		size := 0
		if len(line) > 1 {
			size = max(number(line[1:]), 0)
		}
		if words == 0 {
			want += size
			continue
		}
		if n += size + 2; n > len(b) {
			return 0, ""
		}
	}
	if bytes.Contains(b[:n], []byte("PING")) {
		return n, "+PONG\r\n"
	}
	return n, "-ERR only GET is answered here\r\n"
}
