package downstream

import (
	"github.com/cashew-proxy/cashew/internal/resp"
)

// redisDialect is the Redis protocol. Its requests are dispatched in dispatch.go and local.go.
type redisDialect struct{}

// redisLimits are the parser's, for the session as it is now.
func (s *Session) redisLimits() resp.Limits {
	return resp.Limits{
		Bytes:           s.Pool.RequestBytes,
		Arguments:       s.Pool.Arguments,
		Inline:          s.Pool.InlineBytes,
		Unauthenticated: !s.authed,
	}
}

func (redisDialect) requests(s *Session, b []byte) []byte {
	d := s.desk
	p, lim := &d.redis, s.redisLimits()
	for len(b) > 0 && !s.ending {
		n, err := p.Next(b, &lim)
		if err != nil {
			p.Reset()
			s.protocolError(err)
			return nil
		}
		if n == 0 {
			return b
		}
		switch {
		case s.forward(b[:n], p.Args):
		case p.Inline:
			s.inlineRequest(b[:n])
		default:
			s.dispatch(&request{bytes: b[:n], args: p.Args})
		}
		if s.Stalled() {
			return s.kept(b, n)
		}
		lim.Unauthenticated = !s.authed
		b = b[n:]
	}
	return nil
}

func (redisDialect) takeOver(d *Desk, p *partial) { p.redis, d.redis = d.redis, p.redis }

func (redisDialect) resume(s *Session, p *partial) (int, error) {
	lim := s.redisLimits()
	return p.redis.Next(p.buf, &lim)
}

func (redisDialect) missing(p *partial, come int) int { return p.redis.Missing(come) }

func (redisDialect) stored(s *Session, p *partial) {
	if p.redis.Inline {
		s.inlineRequest(p.buf)
		return
	}
	r := request{bytes: p.buf, args: p.redis.Args, owned: true}
	s.dispatch(&r)
	if !r.owned {
		p.buf = nil // it was taken
	}
}

func (redisDialect) appendError(dst []byte, err error) []byte {
	return resp.AppendError(dst, "ERR "+err.Error())
}

func (redisDialect) full() string { return "-ERR max number of clients reached\r\n" }
