package parity

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"regexp"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/cashew-proxy/cashew/test/harness"
)

// Sessions are streams of requests, whole ones and nearly whole ones, which one client sends in pieces of any size:
// to cashew before one server, and to another such server itself. All bytes that come back must be the same, and so
// must be the end: where the server closes the connection the proxy does so, after the same last words.
//
// A long run: go test ./test/parity -run TestSessions -sessions 20000. One alone, with what it says:
// go test ./test/parity -run TestSessions/redis -session N -v.
var (
	sessionsFlag = flag.Int("sessions", 0, "how many sessions of each kind TestSessions holds; 0 is a number for every day")
	sessionFlag  = flag.Uint64("session", 0, "hold this one session only, from its seed")
)

const sessionsPerKind = 250

// session is what one client says. The server is told direct, which is the same but for what the proxy
// keeps to itself on purpose; both end with a request whose reply is farewell, if they get there.
type session struct{ proxied, direct, farewell string }

// sessionKind is one kind of sessions.
type sessionKind struct {
	name string
	// start returns the addresses of the proxy and of the server to compare with, and what is done after a
	// session: it empties the servers, and if they were answered the same it tells a difference in what they had.
	start func(t *testing.T) (proxied, direct string, after func(same bool) error)
	make  func(r *rand.Rand, seed uint64) session
	// normal makes comparable what may differ; excused says that the proxy ended a session on purpose.
	normal  func([]byte) []byte
	excused func(proxied, direct []byte) bool
	leaves  bool // see hold
}

func TestSessions(t *testing.T) {
	for _, kind := range []sessionKind{redisSessions, lockedSessions, memcachedSessions} {
		t.Run(kind.name, func(t *testing.T) {
			proxied, direct, after := kind.start(t)
			first, n := uint64(1), max(*sessionsFlag, sessionsPerKind)
			if *sessionFlag > 0 {
				first, n = *sessionFlag, 1
			}
			var ends, excused, failed int
			for seed := first; seed < first+uint64(n) && failed < 5; seed++ {
				s := kind.make(rand.New(rand.NewPCG(seed, 11)), seed)
				if n == 1 {
					t.Logf("it says %q", s.proxied)
				}
				got, err := hold(proxied, s.proxied, s.farewell, seed, false)
				want, errDirect := hold(direct, s.direct, s.farewell, seed, kind.leaves)
				if err != nil || errDirect != nil {
					t.Fatalf("session %d: proxied: %v, directly: %v", seed, err, errDirect)
				}
				if n == 1 {
					t.Logf("proxied  %q\ndirectly %q", got, want)
				}
				if !bytes.HasSuffix(want, []byte(s.farewell)) {
					ends++
				}
				a, b := kind.normal(got), kind.normal(want)
				same := bytes.Equal(a, b)
				told := after(same)
				switch {
				case same && told == nil:
				case !same && kind.excused(a, b):
					excused++
				default:
					failed++
					t.Errorf("session %d: %s\n%v", seed, parting(a, b), told)
				}
			}
			t.Logf("%d sessions, %d closed by the server, %d by the proxy for a reason of its own", n, ends, excused)
			if n >= sessionsPerKind && (ends > n*4/5 || excused > n/4) {
				t.Errorf("%d and %d of %d sessions end early: they do not do much", ends, excused, n)
			}
		})
	}
}

// parting shows where two streams part.
func parting(got, want []byte) string {
	i := 0
	for i < min(len(got), len(want)) && got[i] == want[i] {
		i++
	}
	show := func(b []byte) string { return fmt.Sprintf("%q", b[max(i-150, 0):min(i+200, len(b))]) }
	return fmt.Sprintf("at byte %d:\nproxied  %s\ndirectly %s", i, show(got), show(want))
}

// hold sends a stream in pieces and returns what comes back, up to the farewell or the end of the connection. If it leaves, it
// closes its side behind the last byte: Redis does not close a client after an error that this client does not
// want to hear. The proxy has to.
func hold(addr, stream, farewell string, seed uint64, leaves bool) ([]byte, error) {
	c, err := net.DialTimeout("tcp", addr, harness.Limit)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(harness.Limit)); err != nil {
		return nil, err
	}
	go func() { // an error of a write is one of the reads, too
		r := rand.New(rand.NewPCG(seed, 12))
		most := []int{1 << 20, 1000, 100, 12}[r.IntN(4)]
		for len(stream) > 0 {
			n := min(1+r.IntN(most), len(stream))
			if _, err := io.WriteString(c, stream[:n]); err != nil {
				return
			}
			stream = stream[n:]
			if r.IntN(4) == 0 {
				runtime.Gosched()
			}
		}
		if leaves {
			_ = c.(*net.TCPConn).CloseWrite()
		}
	}()
	var all []byte
	buf := make([]byte, 64<<10)
	for !bytes.HasSuffix(all, []byte(farewell)) {
		n, err := c.Read(buf)
		all = append(all, buf[:n]...)
		if err == io.EOF || errors.Is(err, syscall.ECONNRESET) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w after %d bytes, the last %q", addr, err, len(all), all[max(0, len(all)-200):])
		}
	}
	return all, nil
}

// edges are where numbers go wrong.
var edges = []string{
	"-1", "0", "00", "-0", "+5", "05", "", "x", "1e3", "0x10", "5x", "9223372036854775807", "9223372036854775808",
	"-9223372036854775808", "-9223372036854775809", "18446744073709551615", "18446744073709551616", "99999999999999999999",
}

func oneOf[T any](r *rand.Rand, from ...T) T { return from[r.IntN(len(from))] }

// mixed writes a name in a mixture of cases.
func mixed(r *rand.Rand, name string) string {
	b := []byte(strings.ToLower(name))
	for i := range b {
		if r.IntN(2) == 0 {
			b[i] = bytes.ToUpper(b[i : i+1])[0]
		}
	}
	return string(b)
}

var integer = regexp.MustCompile(`^-?\d{1,12}$`)

// spoil gets the words of a request wrong, or nearly so: their number, a number among them, the case of the first.
func spoil(r *rand.Rand, words, numbers []string) []string {
	words = append([]string(nil), words...)
	for range 1 + r.IntN(2) {
		at := r.IntN(len(words))
		switch r.IntN(6) {
		case 0:
			words = words[:max(1, len(words)-1)]
		case 1:
			words = append(words, oneOf(r, words[at], "extra", "0"))
		case 2:
			words = append(words[:at+1:at+1], words[at:]...)
		case 3:
			words[0] = mixed(r, words[0])
		default:
			for i, w := range words[1:] {
				if integer.MatchString(w) && r.IntN(2) == 0 {
					words[i+1] = oneOf(r, numbers...)
				}
			}
		}
	}
	return words
}
