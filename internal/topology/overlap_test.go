package topology

import "testing"

// Addresses are in each other's way whichever comes first.
func TestOverlaps(t *testing.T) {
	tcp := func(a string) Listen { return Listen{Network: "tcp", Address: a} }
	unix := func(a string) Listen { return Listen{Network: "unix", Address: a} }
	shared := func(a string) Listen { return Listen{Network: "tcp", Address: a, ReusePort: true} }
	for _, c := range []struct {
		a, b Listen
		want bool
	}{
		{tcp("127.0.0.1:1"), tcp("127.0.0.1:1"), true},
		{tcp("127.0.0.1:1"), tcp("127.0.0.1:2"), false},
		{tcp("127.0.0.1:1"), tcp("127.0.0.2:1"), false},
		{tcp("0.0.0.0:1"), tcp("127.0.0.1:1"), true},
		{tcp("0.0.0.0:1"), tcp("[::1]:1"), false},
		{tcp("0.0.0.0:1"), tcp("[::ffff:10.0.0.1]:1"), true},
		{tcp("[::]:1"), tcp("127.0.0.1:1"), true},
		{tcp("[::]:1"), tcp("[fe80::1%eth0]:1"), true},
		{tcp("[::]:1"), tcp("0.0.0.0:1"), true},
		{tcp(":1"), tcp("10.0.0.1:1"), true},
		{tcp("[::]:1"), tcp("localhost:1"), true},
		{tcp("0.0.0.0:1"), tcp("localhost:1"), false}, // nobody knows
		{tcp("localhost:1"), tcp("localhost:1"), true},
		{tcp("localhost:1"), tcp("127.0.0.1:1"), false},
		{tcp("127.0.0.1:0"), tcp("127.0.0.1:0"), false}, // the system chooses
		{shared("0.0.0.0:1"), shared("127.0.0.1:1"), false},
		{shared("0.0.0.0:1"), tcp("127.0.0.1:1"), true},
		{unix("/run/a"), unix("/run//b/../a"), true},
		{unix("/run/a"), unix("/run/b"), false},
		{unix("/run/a"), tcp("127.0.0.1:1"), false},
	} {
		if c.a.Overlaps(c.b) != c.want || c.b.Overlaps(c.a) != c.want {
			t.Errorf("%s and %s: not %v", c.a.Address, c.b.Address, c.want)
		}
	}
}
