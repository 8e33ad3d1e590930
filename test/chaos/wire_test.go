package chaos

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// nonsense is a stream that no client may get. Other errors of reading are ends of connections.
type nonsense struct{ what string }

func (n *nonsense) Error() string { return n.what }

// appendRESP encodes a request.
func appendRESP[T string | []byte](dst []byte, args ...T) []byte {
	dst = fmt.Appendf(dst, "*%d\r\n", len(args))
	for _, a := range args {
		dst = fmt.Appendf(dst, "$%d\r\n", len(a))
		dst = append(append(dst, a...), "\r\n"...)
	}
	return dst
}

// appendRedis encodes an op for a Redis pool.
func (o *op) appendRedis(dst []byte) []byte {
	several := len(o.keys) > 1
	var args [][]byte
	add := func(s string) { args = append(args, []byte(s)) }
	switch o.kind {
	case opSet:
		add(map[bool]string{false: "SET", true: "MSET"}[several])
		for i, k := range o.keys {
			add(k.name)
			args = append(args, makeValue(k.name, k.owner, o.seqs[i], o.sizes[i]))
		}
	case opGet, opDel:
		add(map[bool]string{false: "GET", true: "MGET"}[several])
		if o.kind == opDel {
			args[0] = []byte("DEL")
		}
		for _, k := range o.keys {
			add(k.name)
		}
	case opEcho:
		add("ECHO")
		add(o.text)
	case opIncr:
		add("INCR")
		add(o.counter.name)
	case opShare:
		add("SET")
		add(o.register.name)
		args = append(args, makeValue(o.register.name, o.owner, o.seqs[0], o.sizes[0]))
	case opLook:
		add("GET")
		add(o.register.name)
	}
	return appendRESP(dst, args...)
}

// appendMemcached encodes an op for a memcached pool, where writes have one key.
func (o *op) appendMemcached(dst []byte) []byte {
	switch o.kind {
	case opSet:
		k := o.keys[0]
		v := makeValue(k.name, k.owner, o.seqs[0], o.sizes[0])
		dst = fmt.Appendf(dst, "set %s 0 0 %d\r\n", k.name, len(v))
		return append(append(dst, v...), "\r\n"...)
	case opDel:
		return fmt.Appendf(dst, "delete %s\r\n", o.keys[0].name)
	}
	dst = append(dst, "get"...)
	for _, k := range o.keys {
		dst = append(append(dst, ' '), k.name...)
	}
	return append(dst, "\r\n"...)
}

func readLine(r *bufio.Reader) (string, error) {
	line, err := r.ReadString('\n')
	if err != nil {
		if len(line) > 0 {
			err = io.ErrUnexpectedEOF
		}
		return "", err
	}
	if !strings.HasSuffix(line, "\r\n") || len(line) < 3 {
		return "", &nonsense{fmt.Sprintf("no line of a reply: %.60q", line)}
	}
	return line[:len(line)-2], nil
}

// readData reads data of a length that was announced, and the line end behind it.
func readData(r *bufio.Reader, n int) ([]byte, error) {
	b := make([]byte, n+2)
	if _, err := io.ReadFull(r, b); err != nil {
		return nil, io.ErrUnexpectedEOF
	}
	if !bytes.HasSuffix(b, []byte("\r\n")) {
		return nil, &nonsense{fmt.Sprintf("data of another length than %d: %.60q", n, b)}
	}
	return b[:n], nil
}

// readRedis reads a reply in RESP2 or RESP3; nothing may come in the other one's form.
func readRedis(r *bufio.Reader, resp3 bool) (reply, error) {
	line, err := readLine(r)
	if err != nil {
		return reply{}, err
	}
	n, numeric := strconv.ParseInt(line[1:], 10, 64)
	a := reply{kind: line[0], text: line[1:], n: n}
	switch {
	case line[0] == '+':
		return a, nil
	case line[0] == '-':
		a.text = strings.TrimPrefix(a.text, "ERR ")
		return a, nil
	case line[0] == ':' && numeric == nil:
		return a, nil
	case line == "_" && resp3, line == "$-1" && !resp3:
		return reply{kind: '$', values: [][]byte{nil}}, nil
	case line[0] == '$' && n >= 0 && numeric == nil:
		v, err := readData(r, int(n))
		return reply{kind: '$', values: [][]byte{v}}, err
	case line[0] == '*' && n >= 0 && numeric == nil, line[0] == '%' && resp3 && numeric == nil:
		if line[0] == '%' {
			n *= 2
		}
		for range n {
			part, err := readRedis(r, resp3)
			if err == io.EOF {
				err = io.ErrUnexpectedEOF
			}
			if err != nil {
				return reply{}, err
			}
			a.values = append(a.values, append(part.values, nil)[0])
		}
		return a, nil
	}
	return reply{}, &nonsense{fmt.Sprintf("no reply in the client's protocol (RESP3 %v): %.60q", resp3, line)}
}

// readMemcached reads the reply to an op, in the form of Redis'.
func readMemcached(r *bufio.Reader, o *op) (reply, error) {
	values := make([][]byte, len(o.keys))
	for at := 0; ; {
		line, err := readLine(r)
		if err == io.EOF && at > 0 {
			err = io.ErrUnexpectedEOF
		}
		if err != nil {
			return reply{}, err
		}
		words := strings.Fields(line)
		switch {
		case line == "STORED":
			return reply{kind: '+', text: "OK"}, nil
		case line == "DELETED":
			return reply{kind: ':', n: 1}, nil
		case line == "NOT_FOUND":
			return reply{kind: ':'}, nil
		case line == "END":
			return reply{kind: '*', values: values}, nil
		case len(words) == 4 && words[0] == "VALUE":
			// Values come in the order of their keys; those that are not there are left out.
			for at < len(o.keys) && o.keys[at].name != words[1] {
				at++
			}
			n, err := strconv.Atoi(words[3])
			if at == len(o.keys) || err != nil || n < 0 {
				return reply{}, &nonsense{fmt.Sprintf("a value that was not asked for: %.60q", line)}
			}
			if values[at], err = readData(r, n); err != nil {
				return reply{}, err
			}
			at++
		default:
			return reply{kind: '-', text: strings.TrimPrefix(strings.TrimPrefix(line, "SERVER_ERROR "), "ERROR ")}, nil
		}
	}
}
