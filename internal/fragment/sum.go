package fragment

import (
	"strconv"

	"github.com/cashew-proxy/cashew/internal/resp"
)

// sumShape is DEL, UNLINK, TOUCH and EXISTS: every server answers with a number, the client gets
// their sum.
var sumShape = shape{step: 1, accept: acceptNumber, append: appendSum, refusal: redisError}

func acceptNumber(g *Group, f *Fragment) bool {
	if len(f.reply) < 4 || f.reply[0] != ':' {
		return false
	}
	n, err := strconv.ParseInt(string(f.reply[1:len(f.reply)-2]), 10, 64)
	g.sum += n
	return err == nil
}

func appendSum(g *Group, dst []byte) []byte { return resp.AppendInt(dst, g.sum) }
