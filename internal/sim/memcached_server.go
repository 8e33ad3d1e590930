package sim

import "strings"

// fewestWords is how many words a memcached wants of a command that has keys; for storage commands, the
// data counts as one.
func fewestWords(name string) int {
	switch name {
	case "get", "gets", "delete", "mg", "md", "ma", "me":
		return 2
	case "incr", "decr", "touch", "gat", "gats":
		return 3
	case "ms":
		return 4
	case "set", "add", "replace", "append", "prepend":
		return 6
	case "cas":
		return 7
	}
	return 0
}

// execute answers like a memcached, which says nothing to a request that wants silence: if one is let
// through to it, what is paired with its place is the next one's reply.
func (memcached) execute(s *server, l *link, args []string) []byte {
	i, silence := silencer(args)
	if i >= 0 {
		args = append(args[:i:i], args[i+1:]...)
	}
	reply := s.executeMemcached(l, args[0], args)
	if silence == never || silence == unlessNews && hushed(args[0], reply) {
		return nil
	}
	return reply
}

func (s *server) executeMemcached(l *link, name string, args []string) []byte {
	few := fewestWords(name)
	switch {
	case name == badChunk:
		return []byte("CLIENT_ERROR bad data chunk\r\n")
	case name == badLine:
		return []byte("CLIENT_ERROR bad command line format\r\n")
	case len(args) < few:
		return []byte("ERROR\r\n")
	case s.w.now < s.loading:
		return []byte(memcached{}.loading())
	case few == 0:
		return s.keyless(name)
	}
	first, get := valuesOf(name)
	if !get {
		key := args[1]
		if len(name) == 2 {
			key = plainKey(key, metaFlags(args))
		}
		s.checkOwner(l, key, args)
		reply, v := memcached{}.exec(false, name, s.keys[0][key], args, nil)
		s.put(key, v)
		return reply
	}
	var reply []byte
	for _, key := range args[first:] {
		s.checkOwner(l, key, args)
		v := s.keys[0][key]
		if first == 2 {
			s.put(key, v.touched(args[1]))
		}
		if v.kind != absent && !strings.HasPrefix(key, "shared") && s.w.sabotage(LoseValue) {
			continue
		}
		if name == "get" && s.w.sabotage(StaleReply) {
			v = item("what another key holds", "0", "0")
		}
		reply = appendBlock(reply, key, v, strings.HasSuffix(name, "s"))
	}
	return append(reply, "END\r\n"...)
}

func (s *server) put(key string, v value) {
	if old := s.keys[0][key]; old.text != v.text {
		s.w.replaced(0, key, old.text)
	}
	if v.kind == absent {
		delete(s.keys[0], key)
	} else {
		s.keys[0][key] = v
	}
}

// keyless answers what concerns the connection or the whole server.
func (s *server) keyless(name string) []byte {
	switch name {
	case "flush_all":
		s.keys[0] = map[string]value{}
		return []byte("OK\r\n")
	case "stats":
		return []byte("STAT pid " + itoa(s.index) + "\r\nSTAT version 1.6.18\r\nEND\r\n")
	case "version":
		return []byte("VERSION 1.6.18\r\n")
	case "verbosity":
		return []byte("OK\r\n")
	case "mn":
		return []byte("MN\r\n")
	}
	return []byte("ERROR\r\n")
}

// valuesOf says whether a command is for values of many keys, and which word is the first of them.
func valuesOf(name string) (first int, ok bool) {
	switch name {
	case "get", "gets":
		return 1, true
	case "gat", "gats":
		return 2, true
	}
	return 0, false
}

// telling: text gets cannot be silent, and the others may be.
func (memcached) telling(args []string) bool {
	first, ok := valuesOf(args[0])
	return ok && !strings.HasPrefix(args[first], "shared")
}

func (memcached) loading() string { return "SERVER_ERROR out of memory storing object\r\n" }

func (memcached) surplus() string { return "SERVER_ERROR surplus\r\n" }

func (memcached) nonsense() []string {
	return []string{"!\r\n", "VALUE a\r\n", "VALUE a 0 x\r\n", "VA x\r\n", "VA 3\r\nabcde\r\n", "+OK\r\n", "\r\n", "HELLO\r\n", "END \r\n", "STORED\n"}
}
