package command

// KeySpec says where a command's keys are. Positions count from the command's name, which is 0.
type KeySpec struct {
	FirstKey int // 0 if there are no keys at fixed positions
	LastKey  int // negative counts from the end: -1 is the last argument
	KeyStep  int // distance from one key to the next

	numKeys int    // position of the argument that counts the keys behind it; 0 if there is none
	find    finder // the option that more keys hide behind
}

// finder names an option scanner of AppendKeys.
type finder uint8

const (
	findNothing finder = iota
	findStreams        // STREAMS key … id …
	findSort           // SORT … STORE destination
	findGeo            // GEORADIUS … STORE or STOREDIST destination
)

// The patterns of the table.
var (
	noKeys     = KeySpec{}
	key1       = KeySpec{FirstKey: 1, LastKey: 1, KeyStep: 1}
	key2       = KeySpec{FirstKey: 2, LastKey: 2, KeyStep: 1}
	key3       = KeySpec{FirstKey: 3, LastKey: 3, KeyStep: 1}
	keys1And2  = KeySpec{FirstKey: 1, LastKey: 2, KeyStep: 1}
	keysFrom1  = KeySpec{FirstKey: 1, LastKey: -1, KeyStep: 1}
	keysFrom2  = KeySpec{FirstKey: 2, LastKey: -1, KeyStep: 1}
	keysToTime = KeySpec{FirstKey: 1, LastKey: -2, KeyStep: 1} // the last argument is a timeout
	keyPairs   = KeySpec{FirstKey: 1, LastKey: -1, KeyStep: 2}
	counted1   = KeySpec{numKeys: 1}
	counted2   = KeySpec{numKeys: 2}
	key1Count2 = KeySpec{FirstKey: 1, LastKey: 1, KeyStep: 1, numKeys: 2}
	streamKeys = KeySpec{find: findStreams}
	sortKeys   = KeySpec{FirstKey: 1, LastKey: 1, KeyStep: 1, find: findSort}
	geoKeys    = KeySpec{FirstKey: 1, LastKey: 1, KeyStep: 1, find: findGeo}
)

// dynamic reports whether the positions depend on what the arguments say.
func (k *KeySpec) dynamic() bool { return k.numKeys != 0 || k.find != findNothing }

// AppendKeys appends the positions of a request's keys to dst. The request has argc arguments, which
// at returns; their number must be legal (Accepts). A count of keys that is no number, zero, or more
// than there are arguments yields no keys: the server will explain it. Options that the table does
// not know are stepped over, so that a newer server's do not hide keys.
func (k *KeySpec) AppendKeys(dst []int, argc int, at func(int) []byte) []int {
	if k.FirstKey > 0 {
		last := k.LastKey
		if last < 0 {
			last += argc
		}
		for i := k.FirstKey; i <= last && i < argc; i += k.KeyStep {
			dst = append(dst, i)
		}
	}
	if k.numKeys != 0 && k.numKeys < argc {
		first := k.numKeys + 1
		for i := range keyCount(at(k.numKeys), argc-first) {
			dst = append(dst, first+i)
		}
	}
	switch k.find {
	case findStreams:
		return appendStreams(dst, argc, at)
	case findSort:
		return appendSort(dst, argc, at)
	case findGeo:
		return appendGeo(dst, argc, at)
	}
	return dst
}

// First is the position of a request's first key as far as its first arguments tell, 0 if they do not, or there is
// none. It is for people who look at requests, not for serving them.
func (k *KeySpec) First(args [][]byte) int {
	first := k.FirstKey
	if first == 0 && k.numKeys != 0 && k.numKeys < len(args) && string(args[k.numKeys]) != "0" {
		first = k.numKeys + 1
	}
	if k.find == findStreams {
		if streams, _ := scanStreams(len(args), func(i int) []byte { return args[i] }); streams > 0 {
			first = streams + 1
		}
	}
	if first >= len(args) {
		return 0
	}
	return first
}

// keyCount is the number that b writes, or 0 if it writes none or more than limit. It takes what
// any version of Redis takes: a plus sign and leading zeros were once legal, and a server that
// rejects them says so itself.
func keyCount(b []byte, limit int) int {
	if len(b) > 1 && b[0] == '+' {
		b = b[1:]
	}
	n := 0
	for _, c := range b {
		if c < '0' || c > '9' {
			return 0
		}
		if n = n*10 + int(c-'0'); n > limit {
			return 0
		}
	}
	return n
}

// scanStreams reads the options of XREAD and XREADGROUP. It returns the position of STREAMS, 0 if
// there is none, and whether BLOCK stands before it. A word that is no known option is stepped over:
// it is either an error, or an option (with its value) of a newer server, which could still block.
func scanStreams(argc int, at func(int) []byte) (streams int, blocks bool) {
	for i := 1; i < argc; i++ {
		switch word := at(i); {
		case equalFold(word, "streams"):
			return i, blocks
		case equalFold(word, "block"):
			blocks = true
			i++
		case equalFold(word, "count"):
			i++
		case equalFold(word, "group"):
			i += 2
		}
	}
	return 0, blocks
}

func appendStreams(dst []int, argc int, at func(int) []byte) []int {
	streams, _ := scanStreams(argc, at)
	rest := argc - streams - 1 // keys, then as many ids
	if streams == 0 || rest%2 != 0 {
		return dst
	}
	for i := range rest / 2 {
		dst = append(dst, streams+1+i)
	}
	return dst
}

// appendSort finds the destination of SORT; if STORE is given twice, the last one counts.
func appendSort(dst []int, argc int, at func(int) []byte) []int {
	store := 0
	for i := 2; i < argc; i++ {
		switch word := at(i); {
		case equalFold(word, "limit"):
			i += 2
		case equalFold(word, "get"), equalFold(word, "by"):
			i++
		case equalFold(word, "store") && i+1 < argc:
			i++
			store = i
		}
	}
	if store != 0 {
		dst = append(dst, store)
	}
	return dst
}

// appendGeo finds the destination of GEORADIUS and GEORADIUSBYMEMBER; the last one counts. Options
// begin at 5 for the latter and at 6 for the former, whose argument 5 is a unit.
func appendGeo(dst []int, argc int, at func(int) []byte) []int {
	store := 0
	for i := 5; i+1 < argc; i++ {
		if word := at(i); equalFold(word, "store") || equalFold(word, "storedist") {
			i++
			store = i
		}
	}
	if store != 0 {
		dst = append(dst, store)
	}
	return dst
}
