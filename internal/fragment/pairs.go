package fragment

// pairsShape is MSET: keys with their values, every server answers +OK, and so does the client's
// reply. As with every proxy that splits, the whole is not atomic.
var pairsShape = shape{step: 2, accept: acceptOK, append: appendOK, refusal: redisError}

func acceptOK(_ *Group, f *Fragment) bool { return len(f.reply) > 0 && f.reply[0] == '+' }

func appendOK(_ *Group, dst []byte) []byte { return append(dst, "+OK\r\n"...) }
