package config

import (
	"fmt"
	"math"
	"net"
	"net/netip"
	"strconv"
	"strings"
)

// maxUnixPath is what a sockaddr_un holds beside its terminating zero on Linux. Other systems have
// a few bytes less and say so themselves when the socket is opened.
const maxUnixPath = 107

// memcachedPort is the port that twemproxy leaves out of a ring name.
const memcachedPort = 11211

// maxWeight bounds the sum of a pool's weights: the rings compute in 32 bits.
const maxWeight = math.MaxInt32

const (
	listenForm = "allowed: host:port, /path or \"/path mode\""
	serverForm = "allowed: host:port:weight [name] or /path:weight [name]"
)

var asListen = form[Pool]{
	set:    setListen,
	show:   func(p *Pool) []string { return []string{p.Listen.String()} },
	schema: schema{"type": "string", "pattern": `^(/.+|.+:[0-9]+)$`},
}

func setListen(p *Pool, v value) string {
	listen, problem := parseListen(v.text)
	listen.Text = v.text
	p.Listen = listen
	return problem
}

// asAdmin has no address for "none".
var asAdmin = form[Process]{
	set: func(p *Process, v value) string {
		p.Admin = Listen{Text: v.text}
		if v.text == noAdmin {
			return ""
		}
		listen, problem := parseListen(v.text)
		listen.Text = v.text
		p.Admin = listen
		return problem
	},
	show: func(p *Process) []string {
		if p.Admin.Network == "" {
			return []string{noAdmin}
		}
		return []string{p.Admin.String()}
	},
	schema: schema{"type": "string", "pattern": `^(none|/.+|.+:[0-9]+)$`},
}

// Local says whether only this machine can connect.
func (l Listen) Local() bool {
	if l.Network == "unix" {
		return true
	}
	host, _, err := net.SplitHostPort(l.Address)
	ip := net.ParseIP(host)
	return err == nil && (host == "localhost" || ip != nil && ip.IsLoopback())
}

// String is what parseListen makes the same of. A path with a space has its mode, or what follows the
// space would be taken for one.
func (l Listen) String() string {
	if l.Network == "unix" && (l.Mode != 0 || strings.Contains(l.Address, " ")) {
		return fmt.Sprintf("%s %04o", l.Address, l.Mode)
	}
	return l.Address
}

func parseListen(text string) (Listen, string) {
	if strings.HasPrefix(text, "/") {
		return parseListenPath(text)
	}
	host, port, problem := splitHostPort(text, listenForm)
	if problem != "" {
		return Listen{}, problem
	}
	if host == "*" {
		// glibc resolves "*" to the loopback interface, so that is where twemproxy listens.
		host = "127.0.0.1"
	}
	return Listen{Network: "tcp", Address: net.JoinHostPort(host, port)}, ""
}

// parseListenPath takes what follows the last space as the mode, as twemproxy does.
func parseListenPath(text string) (Listen, string) {
	path, mode := text, uint64(0)
	if i := strings.LastIndexByte(text, ' '); i >= 0 {
		path = text[:i]
		var err error
		if mode, err = strconv.ParseUint(text[i+1:], 8, 32); err != nil || mode > 0o777 {
			return Listen{}, fmt.Sprintf("the mode %s of the socket is wrong; allowed: octal, 0 to 0777", quote(text[i+1:]))
		}
	}
	if problem := checkUnixPath(path); problem != "" {
		return Listen{}, problem
	}
	return Listen{Network: "unix", Address: path, Mode: uint32(mode)}, ""
}

func checkUnixPath(path string) string {
	switch {
	case len(path) > maxUnixPath:
		return fmt.Sprintf("the path of the socket has %d bytes; allowed: at most %d", len(path), maxUnixPath)
	case strings.ContainsRune(path, 0):
		return "the path of the socket has a zero byte"
	case path == "/":
		return "\"/\" is a directory; a socket needs a name"
	}
	return ""
}

// splitHostPort splits at the last colon, so that IPv6 needs no brackets, but may have them.
func splitHostPort(text, form string) (host, port, problem string) {
	i := strings.LastIndexByte(text, ':')
	if i < 0 {
		return "", "", fmt.Sprintf("%s has no port; %s", quote(text), form)
	}
	host, port = text[:i], text[i+1:]
	n, ok := digits(port)
	if !ok || n < 1 || n > 65535 {
		return "", "", fmt.Sprintf("the port %s is wrong; allowed: 1 to 65535", quote(port))
	}
	if strings.HasPrefix(host, "[") && strings.HasSuffix(host, "]") {
		host = host[1 : len(host)-1]
		if !strings.Contains(host, ":") {
			return "", "", fmt.Sprintf("%s is no IPv6 address; only those may have brackets", quote(host))
		}
	}
	return host, strconv.FormatInt(n, 10), checkHost(host, form)
}

func checkHost(host, form string) string {
	switch {
	case host == "":
		return "the host is missing; " + form
	case strings.ContainsFunc(host, func(r rune) bool { return r <= ' ' || r == 0x7f }):
		return fmt.Sprintf("the host %s has a space or a control character; %s", quote(host), form)
	case strings.Contains(host, ":"):
		if _, err := netip.ParseAddr(host); err != nil {
			return fmt.Sprintf("the host %s has a colon and is no IPv6 address; %s", quote(host), form)
		}
	case strings.ContainsAny(host, "[]/"):
		return fmt.Sprintf("%s is no host; %s", quote(host), form)
	}
	return ""
}

var asServers = form[Pool]{
	set: setServers,
	show: func(p *Pool) (lines []string) {
		for _, s := range p.Servers {
			lines = append(lines, s.String())
		}
		return lines
	},
	schema: oneOrMore(schema{"type": "string", "pattern": `^.+:[0-9]+( .*)?\n?$`}),
}

// setServers appends the servers in v, up to the first wrong one. The loader calls it once per line,
// so that each mistake has its own position.
func setServers(p *Pool, v value) string {
	for _, item := range v.items {
		s, problem := parseServer(item.text)
		if problem != "" {
			return problem
		}
		sum := s.Weight
		for _, other := range p.Servers {
			if other.Name == s.Name {
				return fmt.Sprintf("the name %s is taken by another server of the pool", quote(s.Name))
			}
			sum += other.Weight
		}
		if sum > maxWeight {
			return fmt.Sprintf("the weights add up to %d; allowed: at most %d", sum, maxWeight)
		}
		p.Servers = append(p.Servers, s)
	}
	return ""
}

// String is the line of s in a list of servers.
func (s Server) String() string {
	where := s.Address
	if host, port, err := net.SplitHostPort(s.Address); s.Network == "tcp" && !s.Named && err == nil && s.Name != ringName(host, port) {
		where = s.Name // the port is written in another way, and so hashed
	}
	if s.Named {
		return fmt.Sprintf("%s:%d %s", where, s.Weight, s.Name)
	}
	return fmt.Sprintf("%s:%d", where, s.Weight)
}

// parseServer reads a line from the right, as twemproxy does: the name after the last space, the
// weight after the last colon, the port after the one before.
func parseServer(text string) (Server, string) {
	address, name, named := text, "", false
	if i := strings.LastIndexByte(text, ' '); i >= 0 {
		address, name, named = text[:i], text[i+1:], true
	}
	i := strings.LastIndexByte(address, ':')
	if i < 0 {
		return Server{}, fmt.Sprintf("%s has no weight; %s", quote(text), serverForm)
	}
	where, weight := address[:i], address[i+1:]
	if strings.ContainsAny(weight, " \t") {
		return Server{}, fmt.Sprintf("%s has too many spaces; %s", quote(text), serverForm)
	}
	n, ok := digits(weight)
	if !ok || n < 1 || n > maxWeight {
		return Server{}, fmt.Sprintf("the weight %s is wrong; allowed: 1 to %d in %s", quote(weight), maxWeight, formOf(where))
	}
	if !strings.ContainsAny(where, ":/") {
		return Server{}, fmt.Sprintf("%s lacks the port or the weight; %s", quote(address), serverForm)
	}
	s := Server{Name: name, Named: named, Weight: int(n)}
	if problem := s.setAddress(where); problem != "" {
		return Server{}, problem
	}
	return s, ""
}

func formOf(where string) string {
	if strings.HasPrefix(where, "/") {
		return "/path:weight"
	}
	return "host:port:weight"
}

// setAddress also gives a server without a name its ring name: twemproxy hashes the text before the
// weight, without memcached's usual port, and of a unix socket with the colon.
func (s *Server) setAddress(where string) string {
	if strings.HasPrefix(where, "/") {
		if strings.Contains(where, ":") {
			return fmt.Sprintf("the path %s has a colon; %s", quote(where), serverForm)
		}
		s.Network, s.Address = "unix", where
		if !s.Named {
			s.Name = where + ":"
		}
		return checkUnixPath(where)
	}
	host, port, problem := splitHostPort(where, serverForm)
	if problem != "" {
		return problem
	}
	s.Network, s.Address = "tcp", net.JoinHostPort(host, port)
	if !s.Named {
		s.Name = ringName(host, where[strings.LastIndexByte(where, ':')+1:])
	}
	return ""
}

// ringName keeps the port as it is written: "06379" is another name than "6379". Brackets are left
// out, for they are a spelling that twemproxy cannot connect to.
func ringName(host, port string) string {
	if n, _ := digits(port); n == memcachedPort {
		return host
	}
	return host + ":" + port
}
