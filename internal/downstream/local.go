package downstream

import (
	"crypto/subtle"
	"strconv"

	"github.com/cashew-proxy/cashew/internal/command"
	"github.com/cashew-proxy/cashew/internal/resp"
	"github.com/cashew-proxy/cashew/internal/stats"
)

// local answers the commands that concern the connection, not the data.
func (s *Session) local(spec *command.Spec, r *request) {
	d := s.desk
	s.counters.Inc(stats.LocalReplies)
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
	case "select":
		s.selectDatabase(r.arg(1))
	default:
		panic("downstream: the command table names a local command that has no answer: " + spec.Name)
	}
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
// form of the command, and Redis' for the form with a user.
func (s *Session) authenticate(r *request) string {
	if len(r.args) > 3 {
		return "-ERR syntax error\r\n"
	}
	if s.Pool.Auth == "" {
		return "-ERR Client sent AUTH, but no password is set\r\n"
	}
	ok := subtle.ConstantTimeCompare(r.arg(len(r.args)-1), []byte(s.Pool.Auth)) == 1
	if len(r.args) == 3 {
		user := s.Pool.User
		if user == "" {
			user = "default"
		}
		if !ok || string(r.arg(1)) != user {
			s.counters.Inc(stats.Unauthenticated)
			return "-WRONGPASS invalid username-password pair or user is disabled.\r\n"
		}
	}
	s.authed = ok
	if !ok {
		s.counters.Inc(stats.Unauthenticated)
		return "-ERR invalid password\r\n"
	}
	return "+OK\r\n"
}

// selectDatabase has what follows go to another database.
func (s *Session) selectDatabase(arg []byte) {
	n, err := strconv.Atoi(string(arg))
	reply := "+OK\r\n"
	switch {
	case err != nil:
		reply = "-ERR value is not an integer or out of range\r\n"
	case n < 0 || n >= s.Pool.Databases:
		reply = "-ERR DB index is out of range\r\n"
	}
	s.answerLocally(append(s.desk.scratch[:0], reply...))
	if reply[0] == '+' {
		to := s.lane
		to.Database = n
		s.changeLane(to)
	}
}
