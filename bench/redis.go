package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"time"
)

// conn is a connection that speaks just enough of the Redis protocol to prepare and check the runs.
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
func fill(port int, k keyspace) error {
	c, err := dial(port)
	if err != nil {
		return err
	}
	defer c.Close()
	value := string(bytes.Repeat([]byte("x"), k.valueSize))
	const batch = 64
	var out []byte
	for first := 0; first < k.keys; first += batch {
		out = out[:0]
		end := min(first+batch, k.keys)
		for i := first; i < end; i++ {
			out = appendCommand(out, "SET", fmt.Sprintf("%s%012d", k.prefix, i), value)
		}
		if _, err := c.Write(out); err != nil {
			return err
		}
		for range end - first {
			if _, err := c.reply(); err != nil {
				return err
			}
		}
	}
	return nil
}

// keysOf returns how many keys a server has.
func keysOf(port int) (int, error) {
	c, err := dial(port)
	if err != nil {
		return 0, err
	}
	defer c.Close()
	s, err := c.do("DBSIZE")
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(s)
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
