package memcached

import "testing"

func TestPeek(t *testing.T) {
	for _, c := range []struct{ b, name, key string }{
		{"get a b\r\n", "get", "a"},
		{"set  key 0 0 5\r\nvalue\r\n", "set", "key"},
		{"set cut", "set", "cut"},
		{"gat 100 key\r\n", "gat", "key"},
		{"gat 100\r\n", "gat", ""},
		{"mg key v\r\n", "mg", "key"},
		{"flush_all\r\n", "flush_all", ""},
		{"stats items\r\n", "stats", ""},
		{"\r\n", "", ""},
		{"", "", ""},
	} {
		if name, key := Peek([]byte(c.b)); string(name) != c.name || string(key) != c.key {
			t.Errorf("%q: %q %q", c.b, name, key)
		}
	}
}
