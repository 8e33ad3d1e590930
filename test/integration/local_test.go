package integration

import (
	"strings"
	"testing"
	"time"

	"github.com/cashew-proxy/cashew/internal/config"
	"github.com/cashew-proxy/cashew/internal/redistest"
	"github.com/cashew-proxy/cashew/test/harness"
)

// CLIENT PAUSE holds every client of the pool until the time is over, and nobody of another.
func TestPauseEnds(t *testing.T) {
	server := redistest.StartServer(t)
	text := pool([]string{server}) + strings.Replace(strings.Replace(pool([]string{server}), "a:\n", "bb:\n", 1), harness.AnyPort, harness.OtherPort, 1)
	p := harness.Start(t, text, config.Options{})
	operator, client, stranger := redistest.Dial(t, p.Addr), redistest.Dial(t, p.Addr), redistest.Dial(t, p.Addresses()[1])
	if got := client.Do("SET", "k", "v"); got != "+OK\r\n" {
		t.Fatal(got)
	}
	begin := time.Now()
	if got := operator.Do("CLIENT", "PAUSE", "300"); got != "+OK\r\n" {
		t.Fatal(got)
	}
	client.Send("GET", "k")
	if got := stranger.Do("GET", "k"); got != "$1\r\nv\r\n" {
		t.Errorf("another pool: %q", got)
	}
	if got := client.Read(); got != "$1\r\nv\r\n" {
		t.Errorf("after the pause: %q", got)
	}
	if d := time.Since(begin); d < 300*time.Millisecond {
		t.Errorf("the pause was over after %v", d)
	}
}

// The version that clients are told is the servers' own, also when the first of them is not there.
func TestVersionIsTheServers(t *testing.T) {
	server := redistest.StartServer(t, "--requirepass", "secret")
	p := harness.Start(t, pool([]string{"127.0.0.1:1", server}, "redis_auth: secret", "redis_db: 3"), config.Options{})
	s := redistest.Dial(t, server)
	if got := s.Do("AUTH", "secret"); got != "+OK\r\n" {
		t.Fatal(got)
	}
	field := func(c *redistest.Client) string {
		_, rest, _ := strings.Cut(c.Do("INFO", "server"), "redis_version:")
		version, _, _ := strings.Cut(rest, "\r\n")
		return version
	}
	want := field(s)
	c := redistest.Dial(t, p.Addr)
	if got := c.Do("AUTH", "secret"); got != "+OK\r\n" {
		t.Fatal(got)
	}
	harness.Eventually(t, harness.Limit, "INFO has the server's version", func() bool { return field(c) == want })
	if got := c.Do("HELLO"); !strings.Contains(got, "$7\r\nversion\r\n"+"$6\r\n"+want+"\r\n") {
		t.Errorf("HELLO: %q, want version %s", got, want)
	}
	if got := c.Do("INFO"); !strings.Contains(got, "\r\nloading:0\r\n") || !strings.Contains(got, "\r\nrole:master\r\n") {
		t.Errorf("INFO: %q", got)
	}
}
