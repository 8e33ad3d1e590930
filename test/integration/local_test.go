package integration

import (
	"strings"
	"testing"

	"github.com/cashew-proxy/cashew/internal/config"
	"github.com/cashew-proxy/cashew/internal/redistest"
	"github.com/cashew-proxy/cashew/test/harness"
)

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
