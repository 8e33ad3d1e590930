package parity

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cashew-proxy/cashew/internal/config"
	"github.com/cashew-proxy/cashew/internal/metrics"
	"github.com/cashew-proxy/cashew/internal/redistest"
	"github.com/cashew-proxy/cashew/test/harness"
)

// twoPools has a pool of live servers and one whose only server is down.
func twoPools(alpha, beta string, servers []string) string {
	return plain.config(alpha, servers) +
		fmt.Sprintf("beta:\n  listen: %s\n  redis: true\n  servers:\n    - %s:1\n", beta, "127.0.0.1:1")
}

// nutcracker runs twemproxy with both pools and returns their addresses and that of its statistics.
func nutcracker(t *testing.T, servers []string) (alpha, beta string, read func() string) {
	t.Helper()
	const attempts = 5 // somebody else may take one of the ports before it does
	for range attempts {
		alpha, beta = harness.FreeAddr(t), harness.FreeAddr(t)
		dir := t.TempDir()
		file := filepath.Join(dir, "nutcracker.yml")
		if err := os.WriteFile(file, []byte(twoPools(alpha, beta, servers)), 0o600); err != nil {
			t.Fatal(err)
		}
		_, port, _ := strings.Cut(harness.FreeAddr(t), ":")
		// It answers with counts that may be an interval old.
		p := harness.Run(t, "nutcracker", "-c", file, "-a", "127.0.0.1", "-s", port, "-i", "5", "-v", "4")
		up := func(addr string) bool {
			c, err := redistest.TryDial(t, addr)
			if err == nil {
				c.Close()
			}
			return err == nil
		}
		betaUp, alphaUp := false, false // each is visited once
		harness.Eventually(t, harness.Limit, "nutcracker listens or ends", func() bool {
			betaUp = betaUp || up(beta)
			alphaUp = alphaUp || up(alpha)
			return p.Ended() || betaUp && alphaUp
		})
		if !p.Ended() {
			return alpha, beta, func() string { return readAll(t, "127.0.0.1:"+port) }
		}
	}
	t.Fatal("nutcracker did not start")
	return "", "", nil
}

func readAll(t *testing.T, addr string) string {
	t.Helper()
	c, err := net.DialTimeout("tcp", addr, harness.Limit)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(harness.Limit)); err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(c)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// traffic is the same for both, and leaves one client of alpha connected. It has no MSET over several
// servers, of which twemproxy counts the bytes of some values twice.
func traffic(t *testing.T, alpha, beta string) {
	t.Helper()
	stays := redistest.Dial(t, alpha)
	for i := range 30 {
		key := fmt.Sprintf("key%d", i)
		if got := stays.Do("SET", key, strings.Repeat("v", i)); got != "+OK\r\n" {
			t.Fatalf("SET: %q", got)
		}
		stays.Do("GET", key)
	}
	stays.Do("MGET", "key1", "key2", "key3", "key4", "key5", "key6", "key7")
	stays.Do("DEL", "key1")
	until(t, alpha, request("GET key2"))
	until(t, alpha, request("QUIT"))
	until(t, alpha, "*x\r\n")
	down := redistest.Dial(t, beta)
	for range 2 {
		if got := down.Do("GET", "a"); got != "-ERR Connection refused\r\n" {
			t.Fatalf("the server that is down: %q", got)
		}
		down.Do("PING")
		time.Sleep(pause)
	}
	down.Close()
}

// pause is longer than cashew waits before it dials a server again that has refused once: so both dial
// for every request.
const pause = 100 * time.Millisecond

// apart are the fields that differ, by their path in the JSON.
var apart = map[string]string{
	"source": "", "uptime": "", "timestamp": "", // of the moment
	"alpha fragments": "always 0 in twemproxy",
}

// TestStatistics: the same traffic leads to the same JSON, field by field.
func TestStatistics(t *testing.T) {
	servers := startServers(t, 3)
	alpha, beta, theirs := nutcracker(t, servers)
	p := harness.Start(t, twoPools(harness.AnyPort, harness.OtherPort, servers), config.Options{Compat: true})
	ours := func() string {
		return string(metrics.AppendTwemproxy(nil, metrics.Head{Service: "nutcracker", Version: "0.5.0"}, p.Report()))
	}
	traffic(t, alpha, beta)
	flush(t, servers)
	addresses := p.Addresses() // beta's name is shorter, so it comes first
	for _, a := range addresses {
		redistest.Dial(t, a).Close() // nutcracker was visited, too, to see that it listens
	}
	traffic(t, addresses[1], addresses[0])
	// Neither has noticed yet that the last clients have gone. What is read is compared until nothing
	// differs that may differ for long.
	var want, got map[string]any
	settled := func() bool {
		var text string
		if text = theirs(); json.Unmarshal([]byte(text), &want) != nil {
			t.Fatalf("nutcracker: no JSON: %s", text)
		}
		if text = ours(); json.Unmarshal([]byte(text), &got) != nil {
			t.Fatalf("cashew: no JSON: %s", text)
		}
		return len(differing("", want, got)) == 0
	}
	deadline := time.Now().Add(harness.Limit)
	for !settled() {
		if time.Now().After(deadline) {
			t.Fatalf("they differ: %s\nnutcracker: %s\ncashew:     %s", differing("", want, got), theirs(), ours())
		}
		time.Sleep(10 * time.Millisecond)
	}
	if a, b := shapeOf(theirs()), shapeOf(ours()); a != b {
		t.Errorf("the text differs:\nnutcracker: %s\ncashew:     %s", a, b)
	}
	if got["alpha"].(map[string]any)["fragments"].(float64) == 0 {
		t.Error("cashew counted no fragments")
	}
}

// differing lists the fields that are not the same in both.
func differing(path string, want, got map[string]any) (fields []string) {
	for name := range got {
		if _, ok := want[name]; !ok {
			fields = append(fields, path+name+" is cashew's alone")
		}
	}
	for name, w := range want {
		if _, listed := apart[path+name]; listed {
			continue
		}
		g, ok := got[name]
		if sub, isObject := w.(map[string]any); isObject && ok {
			fields = append(fields, differing(path+name+" ", sub, g.(map[string]any))...)
		} else if w != g {
			fields = append(fields, fmt.Sprintf("%s%s: %v, cashew %v", path, name, w, g))
		}
	}
	return fields
}

// shapeOf is the text with every number and the host's name taken out: names, order, spaces remain.
func shapeOf(text string) string {
	var b strings.Builder
	inText, afterColon := false, false
	for i := 0; i < len(text); i++ {
		c := text[i]
		switch {
		case c == '"':
			inText = !inText
		case !inText && c >= '0' && c <= '9':
			if afterColon {
				b.WriteByte('0')
			}
			afterColon = false
			continue
		}
		afterColon = !inText && c == ':'
		b.WriteByte(c)
	}
	shape := b.String()
	before, rest, _ := strings.Cut(shape, `"source":"`)
	_, after, _ := strings.Cut(rest, `"`)
	return before + `"source":"` + after
}
