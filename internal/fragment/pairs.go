package fragment

import "github.com/cashew-proxy/cashew/internal/bytebuf"

// pairsShape is MSET: keys with their values, every server answers +OK, and so does the client's
// reply. As with every proxy that splits, the whole is not atomic.
var pairsShape = shape{step: 2, accept: acceptOK, append: appendOK}

func acceptOK(_ *Group, f *Fragment) bool { return len(f.reply) > 0 && f.reply[0] == '+' }

func appendOK(_ *Group, out *bytebuf.Queue, pool *bytebuf.Pool) {
	out.Append(pool, []byte("+OK\r\n"))
}
