package sim

import (
	"bytes"
	"strings"

	"github.com/cashew-proxy/cashew/internal/message"
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

// pick: every request has a reply, but those after CLIENT REPLY SKIP.
func (d redis) pick(c *client, reply []byte) int {
	first := 0
	for first < len(c.waiting) && c.waiting[first].silence == never {
		first++
	}
	if first == len(c.waiting) {
		if text, ok := d.failure(reply); !ok || c.w.cfg.MemoryLimit == 0 || text != message.ErrMemory.Text {
			c.fail("got a reply to nothing: %s", short(reply))
		}
		return -1 // a request that cannot be stored ends the connection, whatever it is
	}
	d.settle(c, first)
	return first
}

func (redis) settle(c *client, n int) {
	for i := range n {
		switch e := &c.waiting[i]; {
		case e.silence != never: // it is owed a reply, and somebody else sees that it does not come
		case !e.remote:
		case e.kind != single || c.w.mayFail(c.serverOf(e)) || c.w.mayLoad() || c.w.cfg.OldServer:
			c.doubt(e)
		default:
			if cells := c.cells(e, e.key); len(cells) != 1 || !cells[0].wild {
				c.advance(cells, e, func([]byte) bool { return true })
			}
		}
	}
	c.w.result.Answers += n
}

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
			for _, x := range c.cells(e, e.args[i]) {
				x.add(value{kind: text, text: e.args[i+1]})
			}
		}
	case sum:
		if e.name == "DEL" || e.name == "UNLINK" {
			for _, k := range e.args[1:] {
				for _, x := range c.cells(e, k) {
					x.add(value{})
				}
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

// owner is the server that a key belongs to now.
func (w *world) owner(key string) int {
	return w.ownerIn(w.eras[len(w.eras)-1], key)
}

// checkOwner sees to it that a key is where it belongs, or did at some time since the connection was made.
func (s *server) checkOwner(l *link, key string, args []string) {
	since := 0
	if l != nil {
		since = l.pipe.since
	}
	for _, r := range s.w.erasSince(since) {
		if s.w.ownerIn(r, key) == s.index {
			return
		}
	}
	s.w.fail("server %d got key %q, which belongs to server %d: %s", s.index, key, s.w.owner(key), short(strings.Join(args, " ")))
}
