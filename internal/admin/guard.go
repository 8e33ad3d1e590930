package admin

import (
	"bytes"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/cashew-proxy/cashew/internal/config"
)

// guard decides who is answered.
//
// With a token everybody has to present it. Without one whoever can connect is somebody of this machine, and may do
// all: but so is a browser that runs the page of a stranger. It is recognised by the Host that it asks for, if the
// stranger's name resolves to this machine, and by the Origin that it comes from.
type guard struct {
	token [sha256.Size]byte // the sum, so that comparing tells no length
	asks  bool              // there is a token
	unix  bool              // no browser can connect, and the Host means nothing
	host  string            // that was configured
}

func newGuard(l config.Listen, token string) guard {
	g := guard{token: sha256.Sum256([]byte(token)), asks: token != "", unix: l.Network == "unix"}
	if !g.unix {
		g.host, _, _ = net.SplitHostPort(l.Address)
	}
	return g
}

// protect has next answer who may ask. Whether the process lives and is ready is told to everybody.
func (g *guard) protect(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Cache-Control", "no-store")
		h.Set("X-Content-Type-Options", "nosniff")
		if r.URL.Path != pathHealth && r.URL.Path != pathReady {
			if f := g.refuses(r); f != nil {
				if f.status == http.StatusUnauthorized {
					h.Set("WWW-Authenticate", `Bearer realm="cashew"`)
				}
				writeFailure(w, f)
				return
			}
		}
		if f := takeBody(w, r); f != nil {
			writeFailure(w, f)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// refuses says why a caller is not answered; nil if he is.
func (g *guard) refuses(r *http.Request) *failure {
	if g.asks {
		scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
		sum := sha256.Sum256([]byte(token))
		if subtle.ConstantTimeCompare(sum[:], g.token[:]) != 1 || !strings.EqualFold(scheme, "Bearer") {
			return &failure{status: http.StatusUnauthorized, text: "the token is missing or wrong: send it as \"Authorization: Bearer TOKEN\""}
		}
		return nil
	}
	if !g.unix && !g.isOurs(r.Host) {
		return &failure{status: http.StatusForbidden, text: "the Host is not this machine: ask by localhost or a loopback address, or set admin_token"}
	}
	for _, origin := range r.Header.Values("Origin") {
		if u, err := url.Parse(origin); err != nil || u.Host == "" || !strings.EqualFold(u.Host, r.Host) {
			return &failure{status: http.StatusForbidden, text: "a page of another origin may not ask"}
		}
	}
	return nil
}

// isOurs says whether a Host, with or without a port, names this machine.
func (g *guard) isOurs(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback() || strings.EqualFold(host, "localhost") || host != "" && strings.EqualFold(host, g.host)
}

// takeBody reads the body, which is bounded in time and size, and refuses one that is not said to be JSON: a browser
// sends no such thing to a stranger without asking him first.
func takeBody(w http.ResponseWriter, r *http.Request) *failure {
	if r.ContentLength == 0 {
		return nil
	}
	if t, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || t != "application/json" {
		return &failure{status: http.StatusUnsupportedMediaType, text: "the body has to be JSON: send it with \"Content-Type: application/json\""}
	}
	// The server's own limit of time would hold for those who wait for events, too.
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(forBody)) // a ResponseWriter of a test has none
	text, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	_ = http.NewResponseController(w).SetReadDeadline(time.Time{})
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return &failure{status: http.StatusRequestEntityTooLarge, text: fmt.Sprintf("the body is longer than %d bytes", maxBody)}
	case err != nil:
		return &failure{status: http.StatusBadRequest, text: "the body did not come whole: " + err.Error()}
	}
	r.Body = io.NopCloser(bytes.NewReader(text))
	return nil
}
