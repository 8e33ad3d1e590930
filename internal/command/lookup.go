package command

import (
	"encoding/binary"
	"math/bits"

	"github.com/cashew-proxy/cashew/internal/stats"
)

const (
	slotBits   = 10 // four slots per command, so that nearly every one sits in its own
	multiplier = 0x9e3779b97f4a7c15
)

// slot is a place of the open-addressed table of names. A name is compared as two words: its first
// eight bytes and its last eight, which overlap if it has less than sixteen.
type slot struct {
	head, tail uint64
	spec       *Spec // nil if free
}

var (
	specs      = build()
	slots      = fill(specs)
	longestLen = longest(specs)
)

// Lookup returns the command that name names, whatever its case, or nil if there is none.
func Lookup(name []byte) *Spec {
	n := len(name)
	if n == 0 || n > longestLen {
		return nil
	}
	head, tail := words(name)
	for at := place(head, tail, n); ; at = (at + 1) % uint64(len(slots)) {
		s := &slots[at]
		if s.spec == nil {
			return nil
		}
		if s.head == head && s.tail == tail && len(s.spec.Name) == n {
			if n <= 16 || equalFold(name[8:n-8], s.spec.Name[8:n-8]) {
				return s.spec
			}
		}
	}
}

// All calls yield for every command of the table, subcommands excepted, until yield returns false.
func All(yield func(*Spec) bool) {
	for i := range specs {
		if !yield(&specs[i]) {
			return
		}
	}
}

// words folds name to lower case and returns its first and its last eight bytes. Names of less than
// eight bytes make one word, which differs from any other of the same length.
func words(name []byte) (head, tail uint64) {
	n := len(name)
	switch {
	case n >= 8:
		return fold(binary.LittleEndian.Uint64(name)), fold(binary.LittleEndian.Uint64(name[n-8:]))
	case n >= 4:
		low, high := binary.LittleEndian.Uint32(name), binary.LittleEndian.Uint32(name[n-4:])
		return fold(uint64(low) | uint64(high)<<32), 0
	default: // 1 to 3; the byte in the middle may be one of the others
		return fold(uint64(name[0]) | uint64(name[n/2])<<8 | uint64(name[n-1])<<16), 0
	}
}

// fold changes the ASCII capitals among the eight bytes of w to small letters, all at once. Adding
// to the low seven bits of each byte sets the eighth exactly if they reach a bound.
func fold(w uint64) uint64 {
	const (
		ones = 0x0101010101010101
		high = 0x80 * ones
	)
	low := w &^ high
	fromA := low + (0x80-'A')*ones
	aboveZ := low + (0x80-'Z'-1)*ones
	capital := fromA &^ aboveZ &^ w & high
	return w | capital>>2
}

func place(head, tail uint64, n int) uint64 {
	return (head ^ bits.RotateLeft64(tail, 29) ^ uint64(n)) * multiplier >> (64 - slotBits)
}

// equalFold reports whether b is lower, but for ASCII capitals in b; lower has none.
func equalFold(b []byte, lower string) bool {
	if len(b) != len(lower) {
		return false
	}
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			c |= 0x20
		}
		if c != lower[i] {
			return false
		}
	}
	return true
}

// build makes the specs from the rows of the table.
func build() []Spec {
	var all []Spec
	for _, rows := range [][]row{keyspaceRows, listAndSetRows, sortedRows, serverRows} {
		for _, r := range rows {
			s := r.spec("")
			for _, sub := range subcommandRows[r.name] {
				s.subs = append(s.subs, sub.spec(r.name+"|"))
			}
			all = append(all, s)
		}
	}
	return all
}

func fill(specs []Spec) *[1 << slotBits]slot {
	var table [1 << slotBits]slot
	for i := range specs {
		s := &specs[i]
		head, tail := words([]byte(s.Name))
		at := place(head, tail, len(s.Name))
		for table[at].spec != nil {
			at = (at + 1) % uint64(len(table))
		}
		table[at] = slot{head, tail, s}
	}
	return &table
}

func longest(specs []Spec) int {
	n := 0
	for i := range specs {
		n = max(n, len(specs[i].Name))
	}
	return n
}

// row is a line of the table.
type row struct {
	name  string
	arity int
	flags Flags
	shape Shape
	keys  KeySpec
}

func (r row) spec(prefix string) Spec {
	simple := r.shape == OneKey && !r.keys.dynamic() && r.keys.FirstKey == r.keys.LastKey
	return Spec{
		Class:    r.class(),
		Name:     prefix + r.name,
		Arity:    r.arity,
		Flags:    r.flags,
		Shape:    r.shape,
		Simple:   simple,
		Joinable: simple && r.flags == ReadOnly && !alone[r.name],
		KeySpec:  r.keys,
	}
}

// alone are the commands whose reply is for one request only although they read one key: it is drawn at random, or
// depends on other keys, which patterns name.
var alone = map[string]bool{"hrandfield": true, "srandmember": true, "zrandmember": true, "sort_ro": true}

func (r row) class() stats.Class {
	switch {
	case r.flags&Write != 0:
		return stats.Write
	case r.flags&ReadOnly != 0:
		return stats.Read
	}
	return stats.Other
}
