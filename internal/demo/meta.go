package demo

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/cashew-proxy/cashew/internal/memcached"
)

// meta answers mg, ms and md with the flags that everyday clients use. A flag that is not known here is
// refused: an answer that leaves out what was asked would be a wrong one.
func (s *items) meta(c call) string {
	first, known := 2, "bkqOfstvcT"
	switch c.op {
	case memcached.MetaSet:
		first, known = 3, "bkqOFTCM"
	case memcached.MetaDelete:
		known = "bkqOC"
	}
	flags := c.words[first:]
	for _, flag := range flags {
		if !strings.Contains(known, flag[:1]) {
			return "CLIENT_ERROR the flag " + flag[:1] + " is not part of this demonstration"
		}
	}
	m := metaCall{call: c, flags: flags}
	switch c.op {
	case memcached.MetaGet:
		return s.metaGet(m)
	case memcached.MetaSet:
		return s.metaSet(m)
	}
	return s.metaDelete(m)
}

// metaCall is a meta command and its flags.
type metaCall struct {
	call

	flags []string
}

// flag returns what follows a letter, and whether it was given.
func (m metaCall) flag(letter byte) (value string, ok bool) {
	for _, f := range m.flags {
		if f[0] == letter {
			return f[1:], true
		}
	}
	return "", false
}

// reply adds to a status what the flags ask for, in their order.
func (m metaCall) reply(status string, i *item, now int64) string {
	b := strings.Builder{}
	b.WriteString(status)
	for _, f := range m.flags {
		switch f[0] {
		case 'O':
			b.WriteString(" " + f)
		case 'k':
			b.WriteString(" k" + m.words[1])
			if m.base64 {
				b.WriteString(" b")
			}
		}
		if i == nil || m.op != memcached.MetaGet {
			continue
		}
		switch f[0] {
		case 'f':
			fmt.Fprintf(&b, " f%d", i.flags)
		case 's':
			fmt.Fprintf(&b, " s%d", len(i.value))
		case 'c':
			fmt.Fprintf(&b, " c%d", i.unique)
		case 't':
			left := int64(-1)
			if !i.expires.IsZero() {
				left = i.expires.Unix() - now
			}
			fmt.Fprintf(&b, " t%d", left)
		}
	}
	return b.String()
}

func (s *items) metaGet(m metaCall) string {
	i := s.find(m.keys[0])
	if i == nil {
		return "EN"
	}
	if ttl, ok := m.flag('T'); ok {
		i.expires = deadline(ttl, s.now())
	}
	if _, ok := m.flag('v'); ok {
		return m.reply("VA "+strconv.Itoa(len(i.value)), i, s.now().Unix()) + "\r\n" + i.value
	}
	return m.reply("HD", i, s.now().Unix())
}

func (s *items) metaSet(m metaCall) string {
	old := s.find(m.keys[0])
	status := s.metaStore(m, old)
	return m.reply(status, nil, 0)
}

// metaStore stores and returns the status.
func (s *items) metaStore(m metaCall, old *item) string {
	i := &item{value: m.data}
	if text, ok := m.flag('F'); ok {
		i.flags, _ = strconv.ParseUint(text, 10, 32)
	}
	if text, ok := m.flag('T'); ok {
		i.expires = deadline(text, s.now())
	}
	if text, ok := m.flag('C'); ok {
		if old == nil {
			return "NF"
		}
		if text != strconv.FormatUint(old.unique, 10) {
			return "EX"
		}
	}
	mode, _ := m.flag('M')
	switch strings.ToUpper(mode) {
	case "", "S", "SET":
	case "E", "ADD":
		if old != nil {
			return "NS"
		}
	case "R", "REPLACE":
		if old == nil {
			return "NS"
		}
	case "A", "APPEND", "P", "PREPEND":
		if old == nil {
			return "NS"
		}
		i = joined(strings.ToUpper(mode)[0] == 'P', old, m.data)
	default:
		return "CLIENT_ERROR invalid mode for ms M token"
	}
	s.put(m.keys[0], i)
	return "HD"
}

func (s *items) metaDelete(m metaCall) string {
	old := s.find(m.keys[0])
	if old == nil {
		return m.reply("NF", nil, 0)
	}
	if text, ok := m.flag('C'); ok && text != strconv.FormatUint(old.unique, 10) {
		return m.reply("EX", nil, 0)
	}
	delete(s.stored, m.keys[0])
	return m.reply("HD", nil, 0)
}
