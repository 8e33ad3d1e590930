package main

import (
	"flag"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the manual page instead of comparing")

// TestManPage: the page has the flags and commands that there are.
func TestManPage(t *testing.T) {
	const file = "../../packaging/cashew.1"
	page := manPage()
	if *update {
		if err := os.WriteFile(file, []byte(page), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(text), page); diff != "" {
		t.Errorf("%s is not current; go test ./cmd/cashew -run TestManPage -update writes it:\n%s", file, diff)
	}
	for _, f := range flags {
		if !strings.Contains(page, escaped("--"+f.long)) {
			t.Errorf("--%s is missing", f.long)
		}
	}
	for _, c := range newRoot().Commands() {
		if c.Name() != "help" && !strings.Contains(page, "\\fBcashew\\fR "+escaped(c.Name())) {
			t.Errorf("%s is missing", c.Name())
		}
	}
}

// TestManPageFormats: groff has nothing against the page.
func TestManPageFormats(t *testing.T) {
	groff, err := exec.LookPath("groff")
	if err != nil {
		t.Fatalf("this test needs groff: scripts/peers.sh groff installs it: %v", err)
	}
	cmd := exec.Command(groff, "-man", "-Tutf8", "-ww", "-rLL=78n")
	cmd.Stdin = strings.NewReader(manPage())
	var complaints strings.Builder
	cmd.Stderr = &complaints
	out, err := cmd.Output()
	if err != nil || complaints.Len() > 0 || !strings.Contains(string(out), "CASHEW_ADMIN") {
		t.Errorf("%v: %s", err, complaints.String())
	}
}
