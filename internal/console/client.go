// Package console shows and steers a running process from a terminal: it is the other end of the admin API.
//
// A Client asks, Write… and Screen turn answers into text for people, and Top is the only part that knows a terminal.
// Names, events and whatever else others have chosen are made printable before they reach one.
package console

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/cashew-proxy/cashew/internal/admin"
)

// patience is how long an answer may take, and maxAnswer how long it may be: a thousand servers take about a
// megabyte.
const (
	patience  = 30 * time.Second
	maxAnswer = 64 << 20
)

// Client asks the admin API of one process. Any goroutine may use it.
type Client struct {
	address string // as people write it
	base    string
	token   string
	http    http.Client
}

// NewClient returns a client for host:port or the path of a unix socket. Nothing is connected yet; an empty token
// is none.
func NewClient(address, token string) (*Client, error) {
	c := &Client{address: address, token: token, base: "http://" + address}
	transport := &http.Transport{} // no proxy: the environment's is for other hosts than this one
	switch _, port, err := net.SplitHostPort(address); {
	case strings.HasPrefix(address, "/"):
		c.base = "http://localhost"
		transport.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, "unix", address)
		}
	case err != nil || port == "":
		return nil, fmt.Errorf("%q is no address of an admin port: it is host:port, or the path of a socket", address)
	}
	c.http.Transport = transport
	// A redirection would take the token elsewhere.
	c.http.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return c, nil
}

// Status is the process as it is.
func (c *Client) Status(ctx context.Context) (*admin.Status, error) {
	s := new(admin.Status)
	return s, c.Ask(ctx, s, StatusPath)
}

// Latest are the last events, as many as a number at most, and the oldest first.
func (c *Client) Latest(ctx context.Context, number int) (list []admin.Event, err error) {
	q := url.Values{"limit": {strconv.Itoa(number)}}
	return list, c.Ask(ctx, &list, withQuery("/api/events", q))
}

// Events are those after a number, the oldest first, and not more than a hundred. If there is none yet, one is waited
// for as long as wait, in whole seconds.
func (c *Client) Events(ctx context.Context, after uint64, wait time.Duration) (list []admin.Event, err error) {
	q := url.Values{"after": {strconv.FormatUint(after, 10)}}
	if wait > 0 {
		q.Set("wait", strconv.Itoa(int(wait/time.Second)))
	}
	return list, c.Ask(ctx, &list, withQuery("/api/events", q))
}

// Clients are those of a pool, or of all pools if it is empty. limit bounds each pool's; 0 leaves it to the process.
func (c *Client) Clients(ctx context.Context, pool string, limit int) ([]admin.Client, error) {
	pools, err := c.pools(ctx, pool)
	if err != nil {
		return nil, err
	}
	all := []admin.Client{}
	for _, name := range pools {
		q := url.Values{"pool": {name}}
		if limit > 0 {
			q.Set("limit", strconv.Itoa(limit))
		}
		var list []admin.Client
		if err := c.Ask(ctx, &list, withQuery("/api/clients", q)); err != nil {
			return nil, err
		}
		all = append(all, list...)
	}
	return all, nil
}

// Hot is what is known of the keys of a pool, or of all pools if it is empty.
func (c *Client) Hot(ctx context.Context, pool string) ([]admin.HotKeys, error) {
	pools, err := c.pools(ctx, pool)
	if err != nil {
		return nil, err
	}
	all := make([]admin.HotKeys, len(pools))
	for i, name := range pools {
		if err := c.Ask(ctx, &all[i], withQuery("/api/hot", url.Values{"pool": {name}})); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// pools is the pool that is named, or all.
func (c *Client) pools(ctx context.Context, pool string) (names []string, err error) {
	if pool != "" {
		return []string{pool}, nil
	}
	status, err := c.Status(ctx)
	if err != nil {
		return nil, err
	}
	for _, p := range status.Pools {
		names = append(names, p.Name)
	}
	return names, nil
}

// SlowLogPath is where the process tells of slow requests.
const SlowLogPath = "/api/slowlog"

// StatusPath is where the process tells of itself.
const StatusPath = "/api/status"

// PoolPath is where something is done to a pool, ServerPath to a server of it. Names may be anything.
func PoolPath(pool, what string) string {
	return "/api/pools/" + segment(pool) + "/" + what
}

// ServerPath is where something is done to a server.
func ServerPath(pool, server, what string) string {
	return PoolPath(pool, "servers/"+segment(server)+"/"+what)
}

// segment is a name as one segment of a path. Dots alone would be taken for directories.
func segment(name string) string {
	if name == "." || name == ".." {
		return strings.ReplaceAll(name, ".", "%2E")
	}
	return url.PathEscape(name)
}

func withQuery(path string, q url.Values) string {
	if len(q) > 0 {
		path += "?" + q.Encode()
	}
	return path
}

// Ask gets the JSON at a path.
func (c *Client) Ask(ctx context.Context, answer any, path string) error {
	b, err := c.Do(ctx, http.MethodGet, path, nil)
	if err != nil {
		return err
	}
	return c.Read(b, answer)
}

// Read reads what Do has returned.
func (c *Client) Read(b []byte, answer any) error {
	if err := json.Unmarshal(b, answer); err != nil {
		return fmt.Errorf("what answers at %s is not cashew's admin port, or of another version: %w", c.address, err)
	}
	return nil
}

// Do does a request, with a body as JSON if there is one, and returns what comes back. An answer that is no success
// is an error with the words of the process.
func (c *Client) Do(ctx context.Context, method, path string, body any) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var content io.Reader
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			return nil, err
		}
		content = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, content)
	if err != nil {
		return nil, err
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, c.unreachable(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return nil, c.unreachable(err)
	}
	if resp.StatusCode/100 != 2 {
		return nil, c.refused(resp.StatusCode, b)
	}
	return b, nil
}

// unreachable says what can be done about a process that does not answer.
func (c *Client) unreachable(err error) error {
	var failed *url.Error
	if errors.As(err, &failed) {
		err = failed.Err
	}
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("%s does not answer", c.address)
	case errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("nothing listens at %s: is cashew running, and with this \"admin:\" in its configuration? "+
			"Another place is named with --admin, or with -c and the configuration", c.address)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("the socket %s is not for this user: %w", c.address, err)
	}
	return fmt.Errorf("%s: %w", c.address, err)
}

func (c *Client) refused(code int, body []byte) error {
	var e admin.Error
	if json.Unmarshal(body, &e) != nil || e.Error == "" {
		return fmt.Errorf("what answers at %s is not cashew's admin port: it says %d %s", c.address, code, http.StatusText(code))
	}
	if code == http.StatusUnauthorized {
		e.Error += "; here it is taken from --token-file, or with -c from the configuration"
	}
	return errors.New(e.Error)
}
