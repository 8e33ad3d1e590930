package memcached

import (
	"math"

	"github.com/cashew-proxy/cashew/internal/stats"
)

// Op is a command of the protocol.
type Op uint8

// The commands. Several that a proxy treats alike share an Op: those of Refused administer one server.
const (
	Unknown Op = iota
	Get
	Gets
	Gat
	Gats
	Set
	Add
	Replace
	Append
	Prepend
	CAS
	Delete
	Incr
	Decr
	Touch
	MetaGet
	MetaSet
	MetaDelete
	MetaArithmetic
	MetaDebug
	MetaNoop
	Version
	Verbosity
	FlushAll
	Stats
	Quit    // never to be forwarded: the server closes the connection
	Refused // shutdown, watch, lru_crawler and the like
	Binary  // a request of the binary protocol
	ops
)

// shape is what a command's line looks like.
type shape struct {
	min, max  int    // words, the name included
	wrong     string // the reply to any other number of words
	key, keys int    // where keys begin, and how many; keys is 0 for commands without and many for lists
	noreply   bool   // a last word "noreply" is an order
}

const many = math.MaxInt

var shapes = [ops]shape{
	Get:            {min: 2, max: many, wrong: plainError, key: 1, keys: many},
	Gets:           {min: 2, max: many, wrong: plainError, key: 1, keys: many},
	Gat:            {min: 2, max: many, wrong: plainError, key: 2, keys: many},
	Gats:           {min: 2, max: many, wrong: plainError, key: 2, keys: many},
	Set:            {min: 5, max: 6, wrong: plainError, key: 1, keys: 1, noreply: true},
	Add:            {min: 5, max: 6, wrong: plainError, key: 1, keys: 1, noreply: true},
	Replace:        {min: 5, max: 6, wrong: plainError, key: 1, keys: 1, noreply: true},
	Append:         {min: 5, max: 6, wrong: plainError, key: 1, keys: 1, noreply: true},
	Prepend:        {min: 5, max: 6, wrong: plainError, key: 1, keys: 1, noreply: true},
	CAS:            {min: 6, max: 7, wrong: plainError, key: 1, keys: 1, noreply: true},
	Delete:         {min: 2, max: 4, wrong: plainError, key: 1, keys: 1, noreply: true},
	Incr:           {min: 3, max: 4, wrong: plainError, key: 1, keys: 1, noreply: true},
	Decr:           {min: 3, max: 4, wrong: plainError, key: 1, keys: 1, noreply: true},
	Touch:          {min: 3, max: 4, wrong: plainError, key: 1, keys: 1, noreply: true},
	MetaGet:        {min: 2, max: many, wrong: plainError, key: 1, keys: 1},
	MetaSet:        {min: 2, max: many, wrong: plainError, key: 1, keys: 1},
	MetaDelete:     {min: 2, max: many, wrong: plainError, key: 1, keys: 1},
	MetaArithmetic: {min: 2, max: many, wrong: plainError, key: 1, keys: 1},
	MetaDebug:      {min: 2, max: many, wrong: badFormat, key: 1, keys: 1},
	MetaNoop:       {min: 1, max: many},
	Version:        {min: 1, max: many},
	Verbosity:      {min: 2, max: 3, wrong: plainError, noreply: true},
	FlushAll:       {min: 1, max: 3, wrong: plainError, noreply: true},
	Stats:          {min: 1, max: many},
	Quit:           {min: 1, max: many},
}

// lookup returns the command of a name. problem is not empty if there is none, or none for clients of a
// proxy; the words are then those in which the server refuses what is switched off.
func lookup(name []byte) (op Op, problem string) {
	switch string(name) {
	case "get":
		return Get, ""
	case "gets":
		return Gets, ""
	case "gat":
		return Gat, ""
	case "gats":
		return Gats, ""
	case "set":
		return Set, ""
	case "add":
		return Add, ""
	case "replace":
		return Replace, ""
	case "append":
		return Append, ""
	case "prepend":
		return Prepend, ""
	case "cas":
		return CAS, ""
	case "delete":
		return Delete, ""
	case "incr":
		return Incr, ""
	case "decr":
		return Decr, ""
	case "touch":
		return Touch, ""
	case "mg":
		return MetaGet, ""
	case "ms":
		return MetaSet, ""
	case "md":
		return MetaDelete, ""
	case "ma":
		return MetaArithmetic, ""
	case "me":
		return MetaDebug, ""
	case "mn":
		return MetaNoop, ""
	case "version":
		return Version, ""
	case "verbosity":
		return Verbosity, ""
	case "flush_all":
		return FlushAll, ""
	case "stats":
		return Stats, ""
	case "quit":
		return Quit, ""
	}
	return administration(name)
}

// administration returns Refused for a command that administers one server, else Unknown.
func administration(name []byte) (op Op, problem string) {
	switch string(name) {
	case "shutdown":
		return Refused, "CLIENT_ERROR shutdown not allowed"
	case "watch":
		return Refused, "CLIENT_ERROR watch commands not allowed"
	case "lru":
		return Refused, "CLIENT_ERROR lru not allowed"
	case "lru_crawler":
		return Refused, "CLIENT_ERROR lru_crawler not allowed"
	case "slabs":
		return Refused, "CLIENT_ERROR slabs not allowed"
	case "cache_memlimit":
		return Refused, "CLIENT_ERROR cache_memlimit not allowed"
	case "extstore":
		return Refused, "CLIENT_ERROR extstore not allowed"
	case "misbehave":
		return Refused, "CLIENT_ERROR misbehave not allowed"
	case "debugtime":
		return Refused, "CLIENT_ERROR debugtime not allowed"
	case "refresh_certs":
		return Refused, "CLIENT_ERROR refresh_certs not allowed"
	}
	return Unknown, plainError
}

// classes are what the commands count as; those that are not named are stats.Other.
var classes = [ops]stats.Class{
	Get: stats.Read, Gets: stats.Read, MetaGet: stats.Read, MetaDebug: stats.Read,
	Gat: stats.Write, Gats: stats.Write, Touch: stats.Write,
	Set: stats.Write, Add: stats.Write, Replace: stats.Write, Append: stats.Write, Prepend: stats.Write, CAS: stats.Write,
	Delete: stats.Write, Incr: stats.Write, Decr: stats.Write, FlushAll: stats.Write,
	MetaSet: stats.Write, MetaDelete: stats.Write, MetaArithmetic: stats.Write,
}

// Class is what the command counts as.
func (op Op) Class() stats.Class { return classes[op] }

// Hushes says whether a client that made a request of this command Silent does not see this reply, of
// which the first two bytes are enough.
//
// The server shows a quiet ma the reply of a counter that it had to create, which looks like any other;
// here both are hidden, as the protocol's description has it.
func (op Op) Hushes(reply []byte) bool {
	if len(reply) < 2 {
		return false
	}
	status := string(reply[:2])
	switch op {
	case MetaGet:
		return status == "EN"
	case MetaSet, MetaDelete:
		return status == "HD"
	case MetaArithmetic:
		return status == "HD" || status == "VA"
	}
	return true
}

// Miss is the reply of a server that lacks what the command reads; "" for commands that write or read no
// value.
func (op Op) Miss() string {
	switch op {
	case Get, Gets, Gat, Gats:
		return noValues + "\r\n"
	case MetaGet:
		return "EN\r\n"
	}
	return ""
}

// Echoes says that a server repeats words of the request even if it lacks what the request reads.
func (r *Request) Echoes(b []byte) bool {
	if r.Op != MetaGet {
		return false
	}
	for _, flag := range r.Tokens[2:] {
		if c := b[flag.Off]; c == 'O' || c == 'k' || c == 'b' {
			return true
		}
	}
	return false
}

// AppendMiss appends the reply of a server that lacks what a MetaGet reads, with the words that it repeats in
// the order of the request b.
func (r *Request) AppendMiss(dst, b []byte) []byte {
	dst = append(dst, "EN"...)
	for _, flag := range r.Tokens[2:] {
		word := b[flag.Off : flag.Off+flag.Len]
		switch word[0] {
		case 'O':
			dst = append(append(dst, ' '), word...)
		case 'k':
			key := r.Tokens[1]
			dst = append(append(dst, " k"...), b[key.Off:key.Off+key.Len]...)
			if r.Base64 {
				dst = append(dst, " b"...)
			}
		}
	}
	return append(dst, "\r\n"...)
}
