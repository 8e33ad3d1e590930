package chaos

import (
	"fmt"
	"time"
)

type kind uint8

const (
	opSet kind = iota // of one key, or of several over all servers
	opGet
	opDel
	opEcho // answered by the proxy itself, in its place among the others
	opIncr
	opShare // a write that others overwrite
	opLook  // at such a value
)

// op is a request and what is known of its reply.
type op struct {
	kind     kind
	keys     []*key
	seqs     []uint64 // that a write sends, by key
	sizes    []int
	text     string // what ECHO says
	counter  *counter
	last     *int64 // the client's last number of the counter
	register *register
	owner    int
}

// reply is an answer of either protocol.
type reply struct {
	kind   byte // of RESP: + - : $ *
	text   string
	n      int64
	values [][]byte // nil is no value
}

// mayRead are the errors that docs/operations.md names and that may come up here. A value of true means that
// the request was not sent.
var mayRead = map[string]bool{
	"Connection refused":            true,
	"Too many open files":           true,
	"server queue is full":          true,
	"proxy memory limit reached":    true,
	"max number of clients reached": true,
	"Too many open connections":     true,
	"Connection timed out":          false,
	"Connection reset by peer":      false,
	"Broken pipe":                   false,
	"unknown":                       false,
	"server was removed":            false,
	"no open files left for a connection to this database: raise the limit (ulimit -n, LimitNOFILE)": true,
}

// refusals come before the proxy closes the connection.
var refusals = map[string]bool{"max number of clients reached": true, "Too many open connections": true}

// judge compares a reply with what is known. failed is the error's text if it is one that may come.
func (o *op) judge(r reply, asked, now time.Time) (failed string, err error) {
	if r.kind == '-' {
		unsent, ok := mayRead[r.text]
		if !ok {
			return "", fmt.Errorf("%s: an error that is not documented: %q", o, r.text)
		}
		// Of several keys some may have been written.
		if !unsent || len(o.keys) > 1 {
			o.unanswered(now)
		}
		return r.text, nil
	}
	if err := o.judgeGood(r, asked, now); err != nil {
		return "", fmt.Errorf("%s: %w", o, err)
	}
	return "", nil
}

func (o *op) judgeGood(r reply, asked, now time.Time) error {
	wrong := fmt.Errorf("a reply to something else: %c %.60q %d, %d values", r.kind, r.text, r.n, len(r.values))
	switch o.kind {
	case opSet, opShare:
		if r.kind != '+' || r.text != "OK" {
			return wrong
		}
		o.wrote(asked)
	case opGet:
		if r.kind != '*' && r.kind != '$' || len(r.values) != len(o.keys) {
			return wrong
		}
		for i, k := range o.keys {
			if err := k.saw(r.values[i], asked, now); err != nil {
				return err
			}
		}
	case opDel:
		least, most := o.present(now)
		if r.kind != ':' || r.n < least || r.n > most {
			return fmt.Errorf("%w, where %d to %d is right", wrong, least, most)
		}
		o.wrote(asked)
	case opEcho:
		if r.kind != '$' || string(r.values[0]) != o.text {
			return wrong
		}
	case opIncr:
		if r.kind != ':' {
			return wrong
		}
		if err := o.counter.add(r.n, *o.last); err != nil {
			return err
		}
		*o.last = r.n
	case opLook:
		if r.kind != '$' {
			return wrong
		}
		return o.register.saw(r.values[0])
	}
	return nil
}

func (o *op) wrote(asked time.Time) {
	for i, k := range o.keys {
		k.wrote(o.seqs[i], asked)
	}
}

// unanswered notes that a request may or may not have been executed, or may be later.
func (o *op) unanswered(now time.Time) {
	switch o.kind {
	case opSet, opDel:
		for i, k := range o.keys {
			k.unanswered(o.seqs[i], now)
		}
	case opIncr:
		o.counter.unanswered()
	}
}

// present is how many of the keys may be there.
func (o *op) present(now time.Time) (least, most int64) {
	for _, k := range o.keys {
		if !k.allows(nothing, now) {
			least++
		}
		if k.allowsAny(now) {
			most++
		}
	}
	return least, most
}

func (o *op) String() string {
	return fmt.Sprintf("%s of %d keys", [...]string{"SET", "GET", "DEL", "ECHO", "INCR", "shared SET", "shared GET"}[o.kind], len(o.keys))
}
