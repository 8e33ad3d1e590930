package main

import (
	"bytes"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
)

// marker is the key with which programs begin.
const marker = "compat:start"

// tap passes connections on to a server and remembers what each sent first.
type tap struct {
	listener net.Listener
	target   string
	mu       sync.Mutex
	heads    []*bytes.Buffer // one per connection, at most headLimit bytes
}

const headLimit = 8 << 10

func newTap(target string) (*tap, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	t := &tap{listener: l, target: target}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return // closed
			}
			head := new(bytes.Buffer)
			t.mu.Lock()
			t.heads = append(t.heads, head)
			t.mu.Unlock()
			go t.pass(c, head)
		}
	}()
	return t, nil
}

func (t *tap) pass(client net.Conn, head *bytes.Buffer) {
	defer client.Close()
	server, err := net.Dial("tcp", t.target)
	if err != nil {
		return
	}
	defer server.Close()
	go func() {
		_, _ = io.Copy(client, server)
		// Whichever side ends first ends both.
		client.Close()
		server.Close()
	}()
	buffer := make([]byte, 64<<10)
	for {
		n, err := client.Read(buffer)
		t.mu.Lock()
		head.Write(buffer[:min(n, headLimit-head.Len())])
		t.mu.Unlock()
		if _, werr := server.Write(buffer[:n]); err != nil || werr != nil {
			return
		}
	}
}

// opens tells what was sent before the program's first command, by the connection that sent it.
func (t *tap) opens(protocol string) (commands []string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, head := range t.heads {
		text := head.String()
		if !strings.Contains(text, marker) {
			continue
		}
		for {
			var command string
			if command, text = next(text, protocol); command == "" || strings.Contains(command, marker) {
				return commands
			}
			commands = append(commands, command)
		}
	}
	return nil
}

// next is the first command of a text as people write it, and what comes after it.
func next(text, protocol string) (command, rest string) {
	line, rest, _ := strings.Cut(text, "\r\n")
	n, err := strconv.Atoi(strings.TrimPrefix(line, "*"))
	if protocol != "Redis" || !strings.HasPrefix(line, "*") || err != nil {
		return line, rest
	}
	var words []string
	for range n {
		var size, word string
		size, rest, _ = strings.Cut(rest, "\r\n")
		length, err := strconv.Atoi(strings.TrimPrefix(size, "$"))
		if err != nil || length > len(rest) {
			return strings.Join(words, " "), ""
		}
		word, rest = rest[:length], strings.TrimPrefix(rest[length:], "\r\n")
		words = append(words, word)
	}
	return strings.Join(words, " "), rest
}
