package chaos

import (
	"bufio"
	"errors"
	"io"
	"math"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// story is what has happened to a key before a reply is judged: letters, in order.
//
//	w a write is acknowledged        u a write is not answered      l a long time passes
//	d it is deleted                  k its server dies, and lives   s one more write is sent
func story(k *key, now *time.Time, text string) {
	for _, what := range text {
		*now = now.Add(time.Second)
		switch what {
		case 'w':
			k.sent++
			k.wrote(k.sent, *now)
		case 'u':
			k.sent++
			k.unanswered(k.sent, *now)
		case 's':
			k.sent++
		case 'd':
			k.wrote(nothing, *now)
		case 'k':
			k.server.forgotAt.Store(now.UnixNano())
		case 'l':
			*now = now.Add(2 * lateFor)
		}
	}
	*now = now.Add(time.Second)
}

// TestValues: a value is judged by what is known of its key. Of every story each number is tried, 0 is nothing.
func TestValues(t *testing.T) {
	for _, c := range []struct {
		story string
		right []uint64
		moves bool
	}{
		{"", []uint64{0}, false},
		{"w", []uint64{1}, false},   // nothing would be a lost write
		{"ww", []uint64{2}, false},  // 1 would be an overwritten value
		{"wss", []uint64{1}, false}, // 2 would be the value of a later request
		{"wd", []uint64{0}, false},
		{"wu", []uint64{1, 2}, false},
		{"wuw", []uint64{2, 3}, false}, // it may still lie in a socket
		{"wulw", []uint64{3}, false},   // not any more
		{"wul", []uint64{1, 2}, false},
		{"wuwl", []uint64{2, 3}, false},
		{"wk", []uint64{0, 1}, false},
		{"kw", []uint64{1}, false},
		{"wkw", []uint64{2}, false},
		{"wws", []uint64{0, 1, 2, 3}, true},
	} {
		for seq := range uint64(5) {
			k, now := newKey("k", 7, new(server)), time.Unix(1000, 0)
			story(k, &now, c.story)
			if c.moves {
				k.server = nil
			}
			want := false
			for _, r := range c.right {
				want = want || r == seq
			}
			var v []byte
			if seq != nothing {
				v = makeValue("k", 7, seq, 100)
			}
			if err := k.saw(v, now, now); (err == nil) != want {
				t.Errorf("after %q value %d: %v", c.story, seq, err)
			}
		}
	}
}

// TestReadingTells: what was read is known from then on.
func TestReadingTells(t *testing.T) {
	k, now := newKey("k", 7, new(server)), time.Unix(1000, 0)
	story(k, &now, "wul")
	if err := k.saw(makeValue("k", 7, 2, 64), now, now); err != nil {
		t.Fatal(err)
	}
	if err := k.saw(makeValue("k", 7, 1, 64), now, now); err == nil {
		t.Error("the value before the one that was read passes")
	}
}

// TestWrongReplies: each kind of request is given replies that it cannot have.
func TestWrongReplies(t *testing.T) {
	now := time.Unix(1000, 0)
	bulk := func(values ...[]byte) reply { return reply{kind: '$', values: values} }
	array := func(values ...[]byte) reply { return reply{kind: '*', values: values} }
	number := func(n int64) reply { return reply{kind: ':', n: n} }
	fail := func(text string) reply { return reply{kind: '-', text: text} }
	ok := reply{kind: '+', text: "OK"}
	value := func(name string, owner int, seq uint64) []byte { return makeValue(name, owner, seq, 200) }
	broken := value("a", 7, 1)
	broken[150] ^= 1
	var last int64 = 5
	var sent [3]uint64
	sent[1] = 4
	for _, c := range []struct {
		kind  kind
		name  string
		reply reply
		right bool
	}{
		{opGet, "its own", array(value("a", 7, 1), nil), true},
		{opGet, "values in another order", array(nil, value("a", 7, 1)), false},
		{opGet, "one value too few", array(value("a", 7, 1)), false},
		{opGet, "one value too many", array(value("a", 7, 1), nil, nil), false},
		{opGet, "another key's", array(value("b", 7, 1), nil), false},
		{opGet, "another client's, of its database", array(value("a", 8, 1), nil), false},
		{opGet, "a broken value", array(broken, nil), false},
		{opGet, "a value cut short", array(value("a", 7, 1)[:120], nil), false},
		{opGet, "foreign bytes", array([]byte("PONG"), nil), false},
		{opGet, "a status", ok, false},
		{opGet, "a documented error", fail("Connection timed out"), true},
		{opGet, "nonsense from a server", fail("Invalid argument"), false},
		{opGet, "a server's error", fail("WRONGTYPE Operation against a key"), false},
		{opSet, "done", ok, true},
		{opSet, "a value", bulk(value("a", 7, 1)), false},
		{opSet, "a number", number(1), false},
		{opSet, "another status", reply{kind: '+', text: "PONG"}, false},
		{opDel, "one was there", number(1), true},
		{opDel, "none was there", number(0), false},
		{opDel, "both were there", number(2), false},
		{opEcho, "the word", bulk([]byte("word")), true},
		{opEcho, "another word", bulk([]byte("drow")), false},
		{opIncr, "the next number", number(6), true},
		{opIncr, "its own number again", number(5), false},
		{opIncr, "another client's number", number(9), false},
		{opIncr, "a status", ok, false},
		{opShare, "done", ok, true},
		{opShare, "a value", bulk([]byte("word")), false},
		{opLook, "a value that was sent", bulk(value("r", 1, 4)), true},
		{opLook, "a value that was not sent", bulk(value("r", 1, 5)), false},
		{opLook, "a value of nobody", bulk(value("r", 9, 1)), false},
		{opLook, "another key's", bulk(value("a", 1, 1)), false},
	} {
		a, b := newKey("a", 7, new(server)), newKey("b", 7, new(server))
		story(a, &now, "w")
		o := &op{kind: c.kind, keys: []*key{a, b}, seqs: []uint64{2, 3}, text: "word", last: &last}
		o.counter = &counter{name: "c", given: map[uint64]uint64{0: 1 << 9}}
		o.register = &register{name: "r", sent: make([]atomic.Uint64, 3)}
		o.register.sent[1].Store(sent[1])
		if _, err := o.judge(c.reply, now, now); (err == nil) != c.right {
			t.Errorf("%s: %s: %v", o, c.name, err)
		}
		last = 5
	}
}

// TestErrorsOfWrites: after an error that says that nothing was sent the old value is there; after others either.
func TestErrorsOfWrites(t *testing.T) {
	for text, unsent := range mayRead {
		k, now := newKey("k", 7, new(server)), time.Unix(1000, 0)
		story(k, &now, "ws")
		o := &op{kind: opSet, keys: []*key{k}, seqs: []uint64{2}}
		if failed, err := o.judge(reply{kind: '-', text: text}, now, now); failed != text || err != nil {
			t.Errorf("%q: %q, %v", text, failed, err)
		}
		if got := k.allows(2, now); got == unsent {
			t.Errorf("after %q the new value is allowed: %v", text, got)
		}
		if !k.allows(1, now) || k.allows(nothing, now) {
			t.Errorf("after %q the old value is not allowed, or nothing is", text)
		}
	}
}

// TestErrorsAreDocumented: a client may read only what operations.md names.
func TestErrorsAreDocumented(t *testing.T) {
	page, err := os.ReadFile("../../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	for text := range mayRead {
		if short, _, _ := strings.Cut(text, ":"); !strings.Contains(string(page), "`"+short+"`") {
			t.Errorf("docs/operations.md does not name %q", short)
		}
	}
}

// TestCounters: in the end a counter has what was acknowledged, and perhaps what was not answered.
func TestCounters(t *testing.T) {
	for n, right := range map[int64]bool{1: false, 2: true, 3: true, 4: false} {
		c := &counter{given: map[uint64]uint64{}}
		if err := errors.Join(c.add(1, 0), c.add(2, 1)); err != nil {
			t.Fatal(err)
		}
		c.unanswered()
		if err := c.final(n); (err == nil) != right {
			t.Errorf("%d in the end: %v", n, err)
		}
	}
}

// TestStreams: what is no reply in the client's protocol is noticed, and so is the end within a reply.
func TestStreams(t *testing.T) {
	wrong := new(nonsense)
	for _, c := range []struct {
		text  string
		resp3 bool
		want  error // nil: it is a reply
	}{
		{"$-1\r\n", false, nil},
		{"$-1\r\n", true, wrong}, // a null of the other protocol
		{"_\r\n", true, nil},
		{"_\r\n", false, wrong},
		{"%1\r\n+a\r\n:1\r\n", true, nil},
		{"%1\r\n+a\r\n:1\r\n", false, wrong},
		{"*2\r\n$1\r\na\r\n$-1\r\n", false, nil},
		{"$1\r\nab\r\n", false, wrong},
		{"bytes\r\n", false, wrong},
		{"\r\n", false, wrong},
		{"", false, io.EOF},
		{"+O", false, io.ErrUnexpectedEOF},
		{"$5\r\nab", false, io.ErrUnexpectedEOF},
		{"*2\r\n:1\r\n", false, io.ErrUnexpectedEOF},
	} {
		_, err := readRedis(bufio.NewReader(strings.NewReader(c.text)), c.resp3)
		if !sameError(err, c.want) {
			t.Errorf("%q, RESP3 %v: %v", c.text, c.resp3, err)
		}
	}
	o := &op{kind: opGet, keys: []*key{newKey("a", 1, nil), newKey("b", 1, nil)}}
	for text, want := range map[string]error{
		"END\r\n": nil, "STORED\r\n": nil, "VALUE b 0 1\r\nx\r\nEND\r\n": nil, "SERVER_ERROR unknown\r\n": nil,
		"VALUE b 0 1\r\nx\r\nVALUE a 0 1\r\nx\r\nEND\r\n": wrong, // another order
		"VALUE c 0 1\r\nx\r\nEND\r\n":                     wrong, // another's key
		"VALUE a 0 1\r\nxy\r\nEND\r\n":                    wrong,
		"VALUE a 0 1\r\nx\r\n":                            io.ErrUnexpectedEOF,
		"":                                                io.EOF,
	} {
		if _, err := readMemcached(bufio.NewReader(strings.NewReader(text)), o); !sameError(err, want) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func sameError(got, want error) bool {
	var wrong *nonsense
	if errors.As(want, &wrong) {
		return errors.As(got, &wrong)
	}
	return got == want
}

// TestLeaks: a tenth or 16 MiB of memory may stay, and no descriptor beside allowed connections; and the log may complain of reloads only.
func TestLeaks(t *testing.T) {
	const mib = 1 << 20
	for _, c := range []struct {
		before, after resources
		right         bool
	}{
		{resources{20 * mib, 90, 50}, resources{36 * mib, 90, 50}, true},
		{resources{20 * mib, 90, 50}, resources{37 * mib, 90, 50}, false},
		{resources{400 * mib, 90, 50}, resources{440 * mib, 90, 50}, true},
		{resources{400 * mib, 90, 50}, resources{441 * mib, 90, 50}, false},
		{resources{20 * mib, 90, 50}, resources{20 * mib, 90, 51}, false},
		{resources{20 * mib, 90, 50}, resources{20 * mib, 100, 50}, true},
		{resources{20 * mib, 90, 50}, resources{20 * mib, 101, 50}, false},
		{resources{20 * mib, 90, 50}, resources{Bytes: math.MaxInt64}, false}, // the process is not there
	} {
		if err := leak(c.before, c.after, 100); (err == nil) != c.right {
			t.Errorf("%v, then %v: %v", c.before, c.after, err)
		}
	}
	for line, right := range map[string]bool{
		`level=WARN msg="connection to server lost"`:                              true,
		`level=ERROR msg="not reloaded, nothing has changed" because="admin API"`: true,
		`level=ERROR msg="panic in a worker: its connections are closed"`:         false,
		`level=ERROR msg="the proxy has ended by itself"`:                         false,
		"panic: runtime error":   false,
		"goroutine 1 [running]:": false,
	} {
		if bad := complaints("level=INFO msg=started\n" + line + "\n"); (len(bad) == 0) != right {
			t.Errorf("%s: %q", line, bad)
		}
	}
}
