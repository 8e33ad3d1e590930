package downstream

import (
	"crypto/subtle"
	"strconv"
	"strings"

	"github.com/cashew-proxy/cashew/internal/command"
	"github.com/cashew-proxy/cashew/internal/message"
	"github.com/cashew-proxy/cashew/internal/resp"
	"github.com/cashew-proxy/cashew/internal/stats"
)

// local answers the commands that concern the connection, not the data.
func (s *Session) local(spec *command.Spec, r *request) {
	d := s.desk
	s.counters.Inc(stats.LocalReplies)
	if !s.learn(askedBy(spec)) {
		return
	}
	switch spec.Name {
	case "ping":
		s.ping(spec, r)
	case "hello":
		s.hello(r)
	case "echo":
		s.answerLocally(resp.AppendBulk(d.scratch[:0], r.arg(1)))
	case "quit":
		s.answerLocally(append(d.scratch[:0], "+OK\r\n"...))
		s.leave()
	case "auth":
		s.answerLocally(append(d.scratch[:0], s.authenticate(r)...))
	case "reset":
		s.reset()
	case "info":
		s.info(r)
	case "select":
		s.selectDatabase(r.arg(1))
	case "config|get":
		s.configGet(r)
	case "config|help":
		s.answerLocally(appendHelp(d.scratch[:0], configHelp))
	case "acl|help":
		s.answerLocally(appendHelp(d.scratch[:0], aclHelp))
	case "acl|whoami":
		s.answerLocally(resp.AppendBulkString(d.scratch[:0], userOf(s.Pool)))
	case "role":
		s.answerLocally(append(d.scratch[:0], "*3\r\n$6\r\nmaster\r\n:0\r\n*0\r\n"...))
	default:
		s.container(spec, r)
	}
	d.view = View{}
}

// container answers the subcommands of CLIENT, and those of other containers that have the same answer each.
// READONLY and its like belong to CLUSTER.
func (s *Session) container(spec *command.Spec, r *request) {
	switch name, _, _ := strings.Cut(spec.Name, "|"); name {
	case "client":
		s.client(spec, r)
	case "cluster", "readonly", "readwrite", "asking":
		s.answerLocally(append(s.desk.scratch[:0], "-ERR This instance has cluster support disabled\r\n"...))
	default:
		panic("downstream: the command table names a local command that has no answer: " + spec.Name)
	}
}

// reset answers RESET: the client is as if it had just come, but for what it has told of itself. As in Redis
// its answer is heard after CLIENT REPLY OFF, and not after SKIP.
func (s *Session) reset() {
	if s.replies == repliesOff {
		s.hear(repliesOn)
	}
	s.setAuthed(s.Pool.Auth == "")
	s.note(&s.name, "")
	s.noEvict, s.noTouch = false, false
	s.answerLocally(append(s.desk.scratch[:0], "+RESET\r\n"...))
	s.changeLane(message.Lane{Database: s.Pool.Database}) // which is always there
}

func (s *Session) ping(spec *command.Spec, r *request) {
	d := s.desk
	switch len(r.args) {
	case 1:
		s.answerLocally(append(d.scratch[:0], "+PONG\r\n"...))
	case 2:
		s.answerLocally(resp.AppendBulk(d.scratch[:0], r.arg(1)))
	default:
		s.refuse(command.AppendArity(d.scratch[:0], spec))
	}
}

// authenticate checks AUTH [user] password against the pool's own. The texts are twemproxy's for its
// form of the command, and Redis' for the form with a user. Who fails stays what it was, as in Redis.
func (s *Session) authenticate(r *request) string {
	ok, reply := false, wrongPassword
	switch {
	case len(r.args) > 3:
		return syntaxError
	case len(r.args) == 3:
		ok = s.mayPass(r.arg(1), r.arg(2))
	case s.Pool.Auth == "":
		return "-ERR Client sent AUTH, but no password is set\r\n"
	default:
		ok = subtle.ConstantTimeCompare(r.arg(1), []byte(s.Pool.Auth)) == 1
		reply = "-ERR invalid password\r\n"
	}
	if !ok {
		s.counters.Inc(stats.Unauthenticated)
		return reply
	}
	s.setAuthed(true)
	return okay
}

const notInteger = "-ERR value is not an integer or out of range\r\n"

// integer reads a number as Redis does: without zeros in front, a plus or a negative zero.
func integer(b []byte) (n int64, ok bool) {
	n, err := strconv.ParseInt(string(b), 10, 64)
	return n, err == nil && string(strconv.AppendInt(nil, n, 10)) == string(b)
}

// selectDatabase has what follows go to another database.
func (s *Session) selectDatabase(arg []byte) {
	n, ok := integer(arg)
	reply := okay
	switch {
	case !ok:
		reply = notInteger
	case n != int64(int32(n)):
		reply = "-ERR value is out of range, value must between -2147483648 and 2147483647\r\n"
	case n < 0 || n >= int64(s.Pool.Databases):
		reply = "-ERR DB index is out of range\r\n"
	}
	if reply == okay && !s.changeLane(message.Lane{Database: int(n), RESP3: s.lane.RESP3}) {
		reply = tooManyLanes
	}
	s.answerLocally(append(s.desk.scratch[:0], reply...))
}
