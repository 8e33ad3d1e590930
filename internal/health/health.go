// Package health asks servers whether they can serve, and what version they are.
//
// The control plane uses it, from goroutines that may block. A probe is a connection of its own, which
// is closed afterwards; it takes the way of a client's request: connect, AUTH and SELECT if the pool has
// them, PING, or version for a memcached.
package health

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/cashew-proxy/cashew/internal/resp"
	"github.com/cashew-proxy/cashew/internal/topology"
)

// within bounds connecting, and each answer, where the pool's connect_timeout and timeout do not: a server that
// takes longer to say that it is there cannot serve.
const within = 5 * time.Second

// longestLine bounds a line of a server's reply, in bytes.
const longestLine = 4096

// Checker asks. The zero value finds addresses of names the system's way.
type Checker struct {
	Lookup func(ctx context.Context, network, host string) ([]netip.Addr, error)
}

// Probe returns nil if the server answers as one that can serve. A Redis that is loading its data, or has
// lost its master, says so and cannot.
func (k Checker) Probe(ctx context.Context, s *topology.Server, set *topology.Settings) error {
	p, end, err := k.open(ctx, s, set)
	if err != nil {
		return err
	}
	defer end()
	if set.Protocol == topology.Memcached {
		return p.ask("version\r\n", "version", "VERSION ")
	}
	if err := p.greet(set); err != nil {
		return err
	}
	return p.ask(request([]string{"PING"}), "PING", "+PONG")
}

// Version asks a Redis what version it is, by the number that libraries parse. "" without an error is a server that
// is there and does not tell.
func (k Checker) Version(ctx context.Context, s *topology.Server, set *topology.Settings) (string, error) {
	p, end, err := k.open(ctx, s, set)
	if err != nil {
		return "", err
	}
	defer end()
	err = p.greet(set)
	version := ""
	if err == nil {
		version, err = p.version()
	}
	var refusal answeredWith
	if errors.As(err, &refusal) {
		return "", nil
	}
	return version, err
}

// open connects to a server. end closes the connection, and so does the end of ctx.
func (k Checker) open(ctx context.Context, s *topology.Server, set *topology.Settings) (p *prober, end func(), err error) {
	conn, err := k.dial(ctx, s, bound(set.ConnectTimeout))
	if err != nil {
		return nil, nil, err
	}
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	end = func() {
		stop()
		conn.Close()
	}
	return &prober{conn: conn, r: bufio.NewReaderSize(conn, longestLine), limit: bound(set.Timeout)}, end, nil
}

// greet does what a new connection of the pool to a Redis begins with.
func (p *prober) greet(set *topology.Settings) error {
	if set.Auth != "" {
		words := []string{"AUTH", set.User, set.Auth}
		if set.User == "" {
			words = []string{"AUTH", set.Auth}
		}
		if err := p.ask(request(words), "AUTH", "+"); err != nil {
			return err
		}
	}
	if set.Database != 0 {
		if err := p.ask(request([]string{"SELECT", strconv.Itoa(set.Database)}), "SELECT", "+"); err != nil {
			return err
		}
	}
	return nil
}

// dial connects to the first address of the server that can be connected to.
func (k Checker) dial(ctx context.Context, s *topology.Server, limit time.Duration) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	var dialer net.Dialer
	host, port, err := net.SplitHostPort(s.Address)
	if _, literal := netip.ParseAddr(host); s.Network != "tcp" || k.Lookup == nil || err != nil || literal == nil {
		return dialer.DialContext(ctx, s.Network, s.Address)
	}
	addrs, err := k.Lookup(ctx, "ip", host)
	if err != nil {
		return nil, err
	}
	err = fmt.Errorf("%s has no address", host)
	for _, a := range addrs {
		var conn net.Conn
		if conn, err = dialer.DialContext(ctx, s.Network, net.JoinHostPort(a.String(), port)); err == nil {
			return conn, nil
		}
	}
	return nil, err
}

// longestInfo bounds the lines of INFO that are read.
const longestInfo = 1000

// version reads what INFO says.
func (p *prober) version() (string, error) {
	const field = "redis_version:"
	if err := p.ask(request([]string{"INFO", "server"}), "INFO", "$"); err != nil {
		return "", err
	}
	for range longestInfo {
		line, err := p.r.ReadSlice('\n')
		if err != nil {
			return "", fmt.Errorf("no answer to INFO: %w", err)
		}
		if v, ok := strings.CutPrefix(string(line), field); ok {
			if v = strings.TrimSpace(v); !plain.MatchString(v) {
				v = ""
			}
			return v, nil
		}
		if len(line) == len("\r\n") {
			break // the end of the section
		}
	}
	return "", nil
}

// plain is what may be passed on to clients as a version.
var plain = regexp.MustCompile(`^[0-9]+(\.[0-9]+){0,3}$`)

// bound is a time that the pool allows, where it allows less than enough.
func bound(t time.Duration) time.Duration {
	if t == 0 {
		return within
	}
	return min(t, within)
}

// prober is the connection of one probe.
type prober struct {
	conn  net.Conn
	r     *bufio.Reader
	limit time.Duration // for each answer
}

// ask sends a request and wants a line that begins as it should. The error does not repeat the request:
// it may hold a password.
func (p *prober) ask(request, name, want string) error {
	if err := p.conn.SetDeadline(time.Now().Add(p.limit)); err != nil {
		return err
	}
	if _, err := p.conn.Write([]byte(request)); err != nil {
		return err
	}
	line, err := p.r.ReadSlice('\n')
	if err != nil {
		return fmt.Errorf("no answer to %s: %w", name, withoutPorts(err))
	}
	if !strings.HasPrefix(string(line), want) {
		text := strings.TrimRight(string(line), "\r\n")
		if name != "PING" { // what it repeats of others may be a password
			text, _, _ = strings.Cut(text, " ")
		}
		return answeredWith{name, text[:min(len(text), 100)]}
	}
	return nil
}

// answeredWith is an answer that is not the one that is wanted, as much of it as may be told.
type answeredWith struct{ name, text string }

func (e answeredWith) Error() string { return fmt.Sprintf("%s is answered with %q", e.name, e.text) }

// withoutPorts leaves out our own port, which is another in each probe: a line of the log that repeats is to look the
// same.
func withoutPorts(err error) error {
	var op *net.OpError
	if errors.As(err, &op) {
		return op.Err
	}
	return err
}

func request(words []string) string {
	b := resp.AppendArray(nil, len(words))
	for _, w := range words {
		b = resp.AppendBulk(b, []byte(w))
	}
	return string(b)
}
