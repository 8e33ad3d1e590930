package packaging

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestDockerfile: it builds with the Go that the module asks for, of files that are there, by a target of
// make, and nobody runs it as root. Whether a registry can be reached is not for a test to depend on.
func TestDockerfile(t *testing.T) {
	read := func(name string) string {
		b, err := os.ReadFile(filepath.Join(repository, name))
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	text := read("Dockerfile")
	version := regexp.MustCompile(`(?m)^go (\d+\.\d+)`).FindStringSubmatch(read("go.mod"))
	if len(version) != 2 || !strings.Contains(text, "\nFROM golang:"+version[1]+" AS build\n") {
		t.Errorf("the module wants Go %v", version)
	}
	sources := regexp.MustCompile(`(?m)^COPY ([^-\n].*) \S+$`).FindAllStringSubmatch(text, -1)
	if len(sources) != 3 {
		t.Errorf("it copies %q", sources)
	}
	for _, m := range sources {
		for _, name := range strings.Fields(m[1]) {
			if _, err := os.Stat(filepath.Join(repository, name)); err != nil {
				t.Error(err)
			}
		}
	}
	if !strings.Contains(read("Makefile"), "\nbuild: ") || !strings.Contains(text, "\nRUN make build ") {
		t.Error("it is not built by make")
	}
	_, last, _ := strings.Cut(text, "\nFROM scratch\n")
	if !regexp.MustCompile(`(?m)^USER [1-9]\d*:[1-9]\d*$`).MatchString(last) {
		t.Error("it runs as root")
	}
}
