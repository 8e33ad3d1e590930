package sim

import (
	"bytes"
	"strings"

	"github.com/cashew-proxy/cashew/internal/hashkit"
)

// dialect is all in which the protocols differ for a fleet. The network, the pace of clients and
// servers, faults and the bookkeeping of the oracle are the same for both. A dialect has no state.
type dialect interface {
	// request makes a client ask something.
	request(c *client)
	// scanReply finds the end of the reply at the front of b, as a client reads it. While it is
	// unfinished, end is the least length of b with which it is worth trying again.
	scanReply(b []byte) (end int, v verdict)
	// pick returns which of a client's requests a reply belongs to, having settled those before it; -1 if
	// nothing is to be judged.
	pick(c *client, reply []byte) int
	// settle judges the silence of a client's first n requests.
	settle(c *client, n int)
	// judge judges replies of the kinds that are the protocol's own, see client.judge.
	judge(c *client, e *expect, reply []byte) string
	// doubt doubts them, see client.doubt.
	doubt(c *client, e *expect)
	// exec runs a command with one key on what the key holds, appends its reply to dst and returns what the
	// key holds afterwards.
	exec(resp3 bool, name string, v value, args []string, dst []byte) ([]byte, value)
	// overwrites says that a command with one key leaves the same there, whatever was there.
	overwrites(e *expect) bool
	// isError says that a reply is an error that no value of a key explains.
	isError(reply []byte) bool
	// missed says that a reply to one key tells of a miss, which a server that failed may stand behind.
	missed(reply []byte) bool
	// failure is the reason in an error of the proxy's own.
	failure(reply []byte) (text string, ok bool)

	// scanRequest reads a request as a server gets it from the proxy.
	scanRequest(b []byte) (args []string, end int, v verdict)
	// execute does what a request asks of a server and returns the reply, nil for none.
	execute(s *server, l *link, args []string) []byte
	// telling says that a request has one right answer only, which its client is sure to see.
	telling(args []string) bool
	// loading is what a server answers that cannot serve for now, surplus a reply too many, and nonsense
	// has what is no reply.
	loading() string
	surplus() string
	nonsense() []string
}

// redis is the dialect of Redis.
type redis struct{}

func (redis) request(c *client) { c.request() }

func (redis) scanReply(b []byte) (int, verdict) { return scanReply(b, 0) }

// pick: every request has a reply.
func (redis) pick(c *client, reply []byte) int {
	if len(c.waiting) == 0 {
		c.fail("got a reply to nothing: %s", short(reply))
		return -1
	}
	return 0
}

func (redis) settle(*client, int) {}

func (redis) judge(c *client, e *expect, reply []byte) string {
	switch e.kind {
	case array:
		return c.judgeArray(e, reply)
	case sum:
		return c.judgeSum(e, reply)
	case common:
		return c.judgeCommon(e, reply)
	}
	return c.judgePairs(e, reply)
}

func (redis) doubt(c *client, e *expect) {
	switch e.kind {
	case pairs:
		for i := 1; i+1 < len(e.args); i += 2 {
			c.cell(e, e.args[i]).add(value{kind: text, text: e.args[i+1]})
		}
	case sum:
		if e.name == "DEL" || e.name == "UNLINK" {
			for _, k := range e.args[1:] {
				c.cell(e, k).add(value{})
			}
		}
	}
}

func (redis) exec(resp3 bool, name string, v value, args []string, dst []byte) ([]byte, value) {
	return exec(resp3, name, v, args, dst)
}

func (redis) overwrites(e *expect) bool { return e.name == "SET" }

func (redis) isError(reply []byte) bool {
	return reply[0] == '-' && string(reply) != wrongType && string(reply) != notInteger
}

func (redis) missed([]byte) bool { return false }

func (redis) failure(reply []byte) (string, bool) { return between(reply, "-ERR ") }

// between returns what stands between a line's beginning and its end.
func between(line []byte, prefix string) (string, bool) {
	rest, ok := bytes.CutPrefix(line, []byte(prefix))
	return string(bytes.TrimSuffix(rest, []byte("\r\n"))), ok
}

func (redis) scanRequest(b []byte) ([]string, int, verdict) { return scanRequest(b) }

func (redis) execute(s *server, l *link, args []string) []byte { return s.execute(l, args) }

func (redis) telling(args []string) bool {
	switch args[0] {
	case "HELLO", "AUTH", "SELECT":
		return false // they are the proxy's own
	}
	return len(args) > 1 && !strings.HasPrefix(args[1], "shared")
}

func (redis) loading() string { return "-LOADING Redis is loading the dataset in memory\r\n" }

func (redis) surplus() string { return "+surplus\r\n" }

func (redis) nonsense() []string {
	return []string{"!\r\n", "*2\r\n+a\r\nb\r\n", "$-5\r\n\r\n", "$3\r\nabcde\r\n", "*1\r\n*1\r\n:1:\r\n", "PONG\r\n", "\r\n"}
}

// owner is the server that a key belongs to.
func (w *world) owner(key string) int {
	p := w.snapshot.Pools[0]
	return p.Ring.Pick(hashkit.Hash(p.Hash, p.HashTag, []byte(key)))
}

// checkOwner sees to it that a key is where it belongs.
func (s *server) checkOwner(key string, args []string) {
	if owner := s.w.owner(key); owner != s.index {
		s.w.fail("server %d got key %q, which belongs to server %d: %s", s.index, key, owner, short(strings.Join(args, " ")))
	}
}
