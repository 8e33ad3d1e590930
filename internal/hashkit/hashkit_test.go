package hashkit

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"testing"
)

// golden is testdata/hash-vectors.json: results taken from twemproxy's own functions.
type golden struct {
	Functions []string
	Vectors   []struct {
		KeyHex string `json:"key_hex"`
		Hash   map[string]uint32
	}
}

func readGolden(t testing.TB) golden {
	t.Helper()
	data, err := os.ReadFile("testdata/hash-vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	var g golden
	if err := json.Unmarshal(data, &g); err != nil {
		t.Fatal(err)
	}
	if len(g.Vectors) < 300 || len(g.Functions) != 12 {
		t.Fatalf("only %d vectors of %d functions", len(g.Vectors), len(g.Functions))
	}
	return g
}

func TestEqualsTwemproxy(t *testing.T) {
	for _, v := range readGolden(t).Vectors {
		key, err := hex.DecodeString(v.KeyHex)
		if err != nil {
			t.Fatal(err)
		}
		if len(v.Hash) != len(table) {
			t.Fatalf("key %q has %d hashes, not %d", key, len(v.Hash), len(table))
		}
		for name, want := range v.Hash {
			f, ok := ByName(name)
			if !ok {
				t.Fatalf("no hash %q", name)
			}
			if got := f(key); got != want {
				t.Errorf("%s(%q) = %d, want %d", name, key, got, want)
			}
		}
	}
}

func TestNames(t *testing.T) {
	if got, want := Names(), readGolden(t).Functions; !slices.Equal(got, want) {
		t.Errorf("Names() = %v, want %v", got, want)
	}
	if _, ok := ByName(Default); !ok {
		t.Errorf("no hash for the default, %q", Default)
	}
	for _, name := range []string{"", "MD5", "fnv1a_64 ", "fnv"} {
		if _, ok := ByName(name); ok {
			t.Errorf("ByName(%q) found a hash", name)
		}
	}
}

func TestTagSlice(t *testing.T) {
	for _, c := range []struct{ tag, key, want string }{
		{"", "x{a}y", "x{a}y"},
		{"{}", "", ""},
		{"{}", "abc", "abc"},
		{"{}", "x{a}y", "a"},
		{"{}", "{a}", "a"},
		{"{}", "{}{a}", "{}{a}"},
		{"{}", "{{a}}", "{a"},
		{"{}", "}x{a}", "a"},
		{"{}", "foo{}{bar}", "foo{}{bar}"},
		{"{}", "{a", "{a"},
		{"{}", "a}", "a}"},
		{"{}", "{", "{"},
		{"{}", "{a}{b}", "a"},
		{"$$", "$a$b$", "a"},
		{"$$", "$$a$", "$$a$"},
		{"$$", "x$", "x$"},
		{"ab", "xaybz", "y"},
	} {
		var tag Tag
		if c.tag != "" {
			tag = Tag{Open: c.tag[0], Close: c.tag[1], Set: true}
		}
		if got := tag.Slice([]byte(c.key)); string(got) != c.want {
			t.Errorf("tag %q of %q = %q, want %q", c.tag, c.key, got, c.want)
		}
	}
}

func TestEmptyKeyIsZero(t *testing.T) {
	for _, name := range Names() {
		f, _ := ByName(name)
		if got := Hash(f, Tag{}, nil); got != 0 {
			t.Errorf("Hash(%s, empty) = %d", name, got)
		}
		if got, want := Hash(f, Tag{'{', '}', true}, []byte("{}")), f([]byte("{}")); got != want {
			t.Errorf("Hash(%s, empty tag) = %d, want that of the whole key, %d", name, got, want)
		}
	}
}

func TestNoAllocation(t *testing.T) {
	key := []byte("user:{1000}:profile")
	for _, name := range Names() {
		f, _ := ByName(name)
		if n := testing.AllocsPerRun(100, func() { sink += Hash(f, Tag{'{', '}', true}, key) }); n != 0 {
			t.Errorf("%s allocates %v times", name, n)
		}
	}
}

var sink uint32 // keeps the compiler from dropping what is measured

// BenchmarkDefault compares the hash called directly and through a Func: the indirect call is what
// special-casing the default hash would save.
func BenchmarkDefault(b *testing.B) {
	f, _ := ByName(Default)
	for _, size := range []int{8, 16, 32, 64} {
		key := make([]byte, size)
		b.Run(fmt.Sprintf("direct/%d", size), func(b *testing.B) {
			for b.Loop() {
				sink += FNV1a_64(key)
			}
		})
		b.Run(fmt.Sprintf("func/%d", size), func(b *testing.B) {
			for b.Loop() {
				sink += Hash(f, Tag{}, key)
			}
		})
	}
}

func BenchmarkAll(b *testing.B) {
	key := []byte("user:1000:profile:abcdef01234567")
	for _, name := range Names() {
		f, _ := ByName(name)
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				sink += Hash(f, Tag{}, key)
			}
		})
	}
}
