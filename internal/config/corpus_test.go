package config

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the expected texts instead of comparing")

// golden compares got with the file at path, or writes it there.
func golden(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s differs (-want +got):\n%s", path, diff)
	}
}

// corpus returns the files of a directory of testdata, of which there must be at least least.
func corpus(t testing.TB, dir string, least int) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("testdata", dir, "*.yml"))
	if err != nil {
		t.Fatal(err)
	}
	if len(files) < least {
		t.Fatalf("testdata/%s has %d files, not %d", dir, len(files), least)
	}
	return files
}

// baseless takes the directory out of messages, so that they read as a user would see them.
func baseless(text string) string {
	text = strings.ReplaceAll(text, "testdata/bad/", "")
	return strings.ReplaceAll(text, "testdata/good/", "")
}

func TestBadFiles(t *testing.T) {
	for _, file := range corpus(t, "bad", 70) {
		t.Run(filepath.Base(file), func(t *testing.T) {
			c, _, err := Load(file, Options{})
			if err == nil {
				t.Fatal("it loads")
			}
			if c != nil {
				t.Error("a Config came with the error")
			}
			if _, ok := err.(Mistakes); !ok {
				t.Errorf("the error is a %T", err)
			}
			golden(t, strings.TrimSuffix(file, ".yml")+".txt", baseless(err.Error())+"\n")
		})
	}
}

// TestGoodFiles compares everything that Load makes of a file, defaults included.
func TestGoodFiles(t *testing.T) {
	for _, file := range corpus(t, "good", 9) {
		t.Run(filepath.Base(file), func(t *testing.T) {
			var b strings.Builder
			for _, compat := range []bool{false, true} {
				c, warnings, err := Load(file, Options{Compat: compat})
				if err != nil {
					t.Fatal(err)
				}
				if compat {
					b.WriteString("as nutcracker:\n")
					for _, p := range c.Pools {
						b.WriteString(describeCompat(p))
					}
				} else {
					b.WriteString(asJSON(t, c))
				}
				for _, w := range warnings {
					b.WriteString(w.String() + "\n")
				}
			}
			golden(t, strings.TrimSuffix(file, ".yml")+".txt", baseless(b.String()))
		})
	}
}

// describeCompat shows what Options.Compat may change.
func describeCompat(p *Pool) string {
	b, _ := json.Marshal(map[string]any{"pool": p.Name, "first_key": p.FirstKey, "client_connections": p.ClientConnections})
	return string(b) + "\n"
}

func asJSON(t *testing.T, c *Config) string {
	t.Helper()
	b, err := json.MarshalIndent(c, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return string(b) + "\n"
}

func TestReference(t *testing.T) {
	golden(t, "../../docs/configuration.md", Reference())
}
