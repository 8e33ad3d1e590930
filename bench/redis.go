package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"time"
)

// conn is a connection that speaks just enough of the protocols to prepare and check the runs.
type conn struct {
	net.Conn
	r *bufio.Reader
}

func dial(port int) (*conn, error) {
	c, err := net.DialTimeout("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)), time.Second)
	if err != nil {
		return nil, err
	}
	if err := c.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return &conn{c, bufio.NewReader(c)}, nil
}

// do sends one command and returns its reply: the text of a line, or a bulk string.
func (c *conn) do(args ...string) (string, error) {
	if _, err := c.Write(appendCommand(nil, args...)); err != nil {
		return "", err
	}
	return c.reply()
}

func (c *conn) reply() (string, error) {
	line, err := c.r.ReadString('\n')
	if err != nil {
		return "", err
	}
	line = strings.TrimSuffix(line, "\r\n")
	if line == "" {
		return "", errors.New("an empty reply")
	}
	switch line[0] {
	case '+', ':':
		return line[1:], nil
	case '$':
		n, err := strconv.Atoi(line[1:])
		if err != nil || n < 0 {
			return "", fmt.Errorf("reply %q", line)
		}
		b := make([]byte, n+2)
		if _, err := io.ReadFull(c.r, b); err != nil {
			return "", err
		}
		return string(b[:n]), nil
	}
	return "", fmt.Errorf("reply %q", line)
}

func appendCommand(b []byte, args ...string) []byte {
	b = fmt.Appendf(b, "*%d\r\n", len(args))
	for _, a := range args {
		b = fmt.Appendf(b, "$%d\r\n%s\r\n", len(a), a)
	}
	return b
}

// fill sets every key of a keyspace through the port, some at a time.
func fill(port int, protocol string, k keyspace) error {
	r, err := generate(plan{
		Port: port, Protocol: protocol, Verb: "set", Keys: 1, Clients: 1,
		Pipeline: min(64, max(1, 4<<20/k.valueSize)), Requests: k.keys, space: k, inOrder: true,
	})
	if err == nil && r.Wrong > 0 {
		err = errors.New(r.FirstWrong)
	}
	return err
}

// ping returns nil if something that speaks the protocol answers on the port.
func ping(port int, protocol string) error {
	c, err := dial(port)
	if err != nil {
		return err
	}
	defer c.Close()
	if protocol == redis {
		_, err = c.do("PING")
		return err
	}
	if _, err := io.WriteString(c, "get nothing\r\n"); err != nil { // not every proxy has version
		return err
	}
	line, err := c.r.ReadString('\n')
	if err == nil && line != lastLine {
		err = fmt.Errorf("get was answered %q", line)
	}
	return err
}

// keysOf returns how many keys a server has.
func keysOf(port int, protocol string) (int, error) {
	c, err := dial(port)
	if err != nil {
		return 0, err
	}
	defer c.Close()
	if protocol == memcached {
		return c.statistic("curr_items")
	}
	s, err := c.do("DBSIZE")
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(s)
}

// statistic returns one of memcached's statistics.
func (c *conn) statistic(name string) (int, error) {
	if _, err := io.WriteString(c, "stats\r\n"); err != nil {
		return 0, err
	}
	for {
		line, err := c.r.ReadString('\n')
		if err != nil {
			return 0, err
		}
		words := strings.Fields(line)
		switch {
		case len(words) == 3 && words[1] == name:
			return strconv.Atoi(words[2])
		case len(words) < 3:
			return 0, fmt.Errorf("stats without %s, but %q", name, line)
		}
	}
}

// misses returns how many keys were ever looked up in vain in these servers.
func misses(servers []*process) (int, error) {
	total := 0
	for _, s := range servers {
		c, err := dial(s.port)
		if err != nil {
			return 0, err
		}
		info, err := c.do("INFO", "stats")
		c.Close()
		if err != nil {
			return 0, err
		}
		_, rest, found := strings.Cut(info, "keyspace_misses:")
		digits, _, _ := strings.Cut(rest, "\r\n")
		n, err := strconv.Atoi(digits)
		if !found || err != nil {
			return 0, errors.New("INFO without keyspace_misses")
		}
		total += n
	}
	return total, nil
}
