package upstream

import (
	"github.com/cashew-proxy/cashew/internal/memcached"
	"github.com/cashew-proxy/cashew/internal/message"
	"github.com/cashew-proxy/cashew/internal/resp"
	"github.com/cashew-proxy/cashew/internal/topology"
)

// replyParser finds where replies end, in the protocol of the pool. It is all in which the protocols
// differ for a connection, the handshake apart.
type replyParser struct {
	protocol  topology.Protocol
	redis     resp.ReplyParser
	memcached memcached.ReplyParser
}

// configure takes settings; a reply that was begun goes on.
func (p *replyParser) configure(set *topology.Settings, l message.Lane) {
	p.protocol, p.redis.Nesting, p.redis.Version = set.Protocol, set.Nesting, 2
	if l.RESP3 {
		p.redis.Version = 3
	}
}

// reset forgets a reply that was begun.
func (p *replyParser) reset(set *topology.Settings, l message.Lane) {
	*p = replyParser{}
	p.configure(set, l)
}

// begun says that part of a reply has been seen.
func (p *replyParser) begun() bool {
	if p.protocol == topology.Memcached {
		return p.memcached.Begun()
	}
	return p.redis.Begun()
}

// bulk is how many bytes are still to come of the value being read, its CRLF included; 0 for none.
func (p *replyParser) bulk() int {
	if p.protocol == topology.Memcached {
		return p.memcached.Bulk()
	}
	return p.redis.Bulk()
}

// next returns how many bytes of b belong to the reply, and whether it ends with them.
func (p *replyParser) next(b []byte) (n int, done bool, err error) {
	if p.protocol == topology.Memcached {
		return p.memcached.Next(b)
	}
	return p.redis.Next(b)
}

// short is the length of the reply at the front of b if it is one of the usual short ones, else 0.
func (p *replyParser) short(b []byte) int {
	if p.protocol == topology.Memcached {
		return memcached.Short(b)
	}
	return p.redis.Short(b)
}
