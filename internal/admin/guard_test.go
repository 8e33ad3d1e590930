package admin

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/cashew-proxy/cashew/internal/config"
)

// With a token everything asks for it, but for what tells whether the process lives and is ready.
func TestToken(t *testing.T) {
	g := newGuard(config.Listen{Network: "tcp", Address: "0.0.0.0:1"}, "open sesame")
	s := serve(t, newFake(t), g)
	open := map[string]bool{pathHealth: true, pathReady: true}
	for i := range routes {
		o := &routes[i]
		status, text := ask(t, s, o.method, o.example, "")
		if want := map[bool]int{true: 200, false: 401}[open[o.path]]; status != want {
			t.Errorf("%s without a token: %d %s", o.id(), status, text)
		}
	}
	if status, _ := ask(t, s, "GET", "/nothing", ""); status != 401 {
		t.Errorf("it tells what there is: %d", status)
	}
	for header, want := range map[string]int{
		"Bearer open sesame": 200, "bearer open sesame": 200, "Bearer open sesam": 401, "Bearer open sesame ": 200, // net/http trims
		"Bearer  open sesame": 401, "Bearer": 401, "Bearer ": 401, "Basic open sesame": 401, "open sesame": 401,
	} {
		// A browser's page does not know the token, wherever it comes from.
		if status, _ := ask(t, s, "GET", "/api/pools", "", "Authorization", header, "Host", "cache.example.com"); status != want {
			t.Errorf("%q: %d, want %d", header, status, want)
		}
	}
	answer, err := http.Get(s.URL + "/api/pools")
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	if answer.Header.Get("WWW-Authenticate") == "" || answer.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("headers: %v", answer.Header)
	}
}

// Without a token a browser of this machine could be made to ask by the page of a stranger.
func TestStrangers(t *testing.T) {
	s := serve(t, newFake(t), newGuard(config.Listen{Network: "tcp", Address: "cache7:22223"}, ""))
	for _, c := range []struct {
		host, origin string
		want         int
	}{
		{"localhost", "", 200},
		{"LocalHost:22223", "", 200},
		{"127.0.0.1:8080", "", 200},
		{"127.1.2.3", "", 200},
		{"[::1]:22223", "", 200},
		{"cache7:22223", "", 200},
		{"evil.example.com", "", 403},
		{"localhost.example.com:22223", "", 403},
		{"127.0.0.1.example.com", "", 403},
		{"10.0.0.1:22223", "", 403},
		{"localhost:22223", "http://localhost:22223", 200},
		{"localhost:22223", "http://localhost:8080", 403},
		{"localhost:22223", "https://evil.example.com", 403},
		{"localhost:22223", "null", 403},
		{"evil.example.com", "http://evil.example.com", 403},
	} {
		headers := []string{"Host", c.host}
		if c.origin != "" {
			headers = append(headers, "Origin", c.origin)
		}
		if status, text := ask(t, s, "POST", "/api/pools/beta/resume", "", headers...); status != c.want {
			t.Errorf("%q, %q: %d %s", c.host, c.origin, status, text)
		}
		if status, _ := ask(t, s, "GET", pathReady, "", headers...); status != 200 {
			t.Errorf("%q may not ask whether it is ready", c.host)
		}
	}
	// No name leads to a unix socket, and libraries put anything there.
	unix := serve(t, newFake(t), newGuard(config.Listen{Network: "unix", Address: "/run/x.sock"}, ""))
	if status, _ := ask(t, unix, "GET", "/api/pools", "", "Host", "whatever"); status != 200 {
		t.Error(status)
	}
	if status, _ := ask(t, unix, "GET", "/api/pools", "", "Origin", "http://evil.example.com"); status != 403 {
		t.Error(status)
	}
}

// A body has to say that it is JSON, which no form of a page can, and is bounded.
func TestBodies(t *testing.T) {
	f := newFake(t)
	s := serve(t, f, local)
	for _, kind := range []string{"text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "", "application/jsonp"} {
		if status, text := ask(t, s, "POST", "/api/reload", "{}", "Content-Type", kind); status != 415 {
			t.Errorf("%q: %d %s", kind, status, text)
		}
	}
	if status, text := ask(t, s, "POST", "/api/reload", "{}", "Content-Type", "application/json; charset=utf-8"); status != 200 {
		t.Errorf("%d %s", status, text)
	}
	for _, size := range []int{maxBody, maxBody + 1} {
		want := map[bool]int{true: 413, false: 200}[size > maxBody]
		body := `{"dry_run": true` + strings.Repeat(" ", size-len(`{"dry_run": true`)-1) + "}"
		if status, text := ask(t, s, "POST", "/api/reload", body); status != want {
			t.Errorf("%d bytes: %d %s", size, status, text)
		}
		// Of a body whose length is not told, too.
		r, err := http.NewRequestWithContext(t.Context(), "POST", s.URL+"/api/reload", io.MultiReader(strings.NewReader(body)))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/json")
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		if answer.StatusCode != want {
			t.Errorf("%d bytes of unknown length: %d", size, answer.StatusCode)
		}
	}
	if want := []string{"reload wet", "reload dry", "reload dry"}; strings.Join(f.told, ",") != strings.Join(want, ",") {
		t.Errorf("%q", f.told)
	}
}
