// Package archtest has no code, only tests: they prove that the tree keeps the laws of the design.
//
// Which room may import which, where the wall clock, goroutines and libraries may appear, and how long
// files and functions may be stands in table_test.go. A change there is a change of the architecture.
package archtest

import (
	"encoding/json"
	"os"
	"os/exec"
	"strings"
	"testing"
	"testing/fstest"
)

// TestHouse holds the whole repository against every rule.
func TestHouse(t *testing.T) {
	tr, err := load(os.DirFS("../.."))
	if err != nil {
		t.Fatal(err)
	}
	if len(tr.goFiles) < 5 || tr.texts["go.mod"] == nil {
		t.Fatalf("found only %d Go files: this is not the repository", len(tr.goFiles))
	}
	for name, r := range rules {
		t.Run(name, func(t *testing.T) {
			for _, b := range r(tr) {
				t.Error(b)
			}
		})
	}
}

// TestDirectDependencies: go.mod asks for reviewed modules only.
func TestDirectDependencies(t *testing.T) {
	cmd := exec.Command("go", "mod", "edit", "-json")
	cmd.Dir = "../.."
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var mod struct {
		Module  struct{ Path string }
		Require []struct {
			Path     string
			Indirect bool
		}
		Replace []struct{ Old struct{ Path string } }
	}
	if err := json.Unmarshal(out, &mod); err != nil {
		t.Fatal(err)
	}
	if mod.Module.Path != module {
		t.Errorf("the module is %s; the rules are written for %s", mod.Module.Path, module)
	}
	for _, r := range mod.Require {
		_, reviewed := libraries[r.Path]
		if reviewed && r.Indirect {
			t.Errorf("go.mod: %s is marked as indirect: run go mod tidy", r.Path)
		}
		if !reviewed && !r.Indirect {
			t.Errorf("go.mod: %s is not a reviewed library: it needs a decision record and a line in internal/archtest/table_test.go", r.Path)
		}
	}
	for _, r := range mod.Replace {
		t.Errorf("go.mod: replaces %s; users who install with the go command would get something else", r.Old.Path)
	}
}

// TestRulesCatch breaks each law once, and once comes close without breaking it.
func TestRulesCatch(t *testing.T) {
	long := strings.Repeat("\t_ = 0\n", maxFuncLines)
	cases := []struct {
		rule, path, text string
		want             string // part of the only breach; "" if there is none
	}{
		{"order of rooms", "internal/resp/a.go", `package resp; import _ "` + module + `/internal/engine"`, "resp imports engine"},
		{"order of rooms", "internal/engine/a.go", `package engine; import _ "` + module + `/internal/resp"`, ""},
		{"order of rooms", "internal/resp/a_test.go", `package resp; import _ "` + module + `/internal/engine"`, ""},
		{"order of rooms", "internal/resp/deep/a.go", `package deep; import _ "` + module + `/internal/resp"`, ""},
		{"order of rooms", "internal/downstream/a.go", `package downstream; import _ "` + module + `/internal/upstream"`, "must not import upstream"},
		{"order of rooms", "internal/attic/a.go", `package attic`, `room "attic" is not in the table`},
		{"test rooms", "internal/daemon/a.go", `package daemon; import _ "` + module + `/internal/redistest"`, "tests only"},
		{"test rooms", "internal/sim/a.go", `package sim; import _ "` + module + `/internal/redistest"`, ""},
		{"engine imports", "internal/route/a_windows.go", `package route; import _ "net"`, "imports net"},
		{"engine imports", "internal/route/a.go", `package route; import _ "net/netip"`, ""},
		{"engine imports", "internal/route/a.go", `package route; import _ "log/slog"`, "imports log/slog"},
		{"engine imports", "internal/stats/a.go", `package stats; import _ "sync/atomic"`, ""},
		{"engine imports", "internal/route/a.go", `package route; import _ "sync/atomic"`, "imports sync/atomic"},
		{"engine imports", "internal/route/a.go", `package route; import _ "golang.org/x/sys/unix"`, "imports golang.org"},
		{"engine imports", "internal/proxy/a.go", `package proxy; import _ "net"`, ""},
		{"engine statements", "internal/route/a.go", "package route\nfunc f() { go f() }", "a.go:2: engine room route starts a goroutine"},
		{"engine statements", "internal/route/a.go", "package route\nvar c chan int", "uses a channel"},
		{"engine statements", "internal/health/a.go", "package health\nfunc f() { go f() }", ""},
		{"wall clock", "internal/route/a.go", "package route\nimport \"time\"\nvar n = time.Now", "time.Now"},
		{"wall clock", "internal/route/a.go", "package route\nimport x \"time\"\nvar n = x.Since", "time.Since"},
		{"wall clock", "internal/route/a.go", "package route\nimport \"time\"\nvar n = time.Second", ""},
		{"wall clock", "internal/sim/a.go", "package sim\nimport \"time\"\nvar n = time.Now", "time.Now"},
		{"wall clock", "internal/clock/a.go", "package clock\nimport \"time\"\nvar n = time.Now", ""},
		{"libraries", "internal/route/a.go", `package route; import _ "example.com/leftpad"`, "not a reviewed library"},
		{"libraries", "internal/daemon/a.go", `package daemon; import _ "go.uber.org/goleak"`, "which is for tests"},
		{"libraries", "internal/daemon/a_test.go", `package daemon; import _ "go.uber.org/goleak"`, ""},
		{"libraries", "internal/config/a.go", `package config; import _ "github.com/goccy/go-yaml/ast"`, ""},
		{"package comments", "internal/route/a.go", "package route", "internal/route: no package comment"},
		{"package comments", "internal/route/a.go", "// Package route routes.\npackage route", ""},
		{"package comments", "cmd/cashew/a.go", "// Command cashew proxies.\npackage main", ""},
		{"sizes", "internal/route/a.go", "package route\nfunc f() {\n" + long + "}", "f has 102 lines"},
		{"sizes", "internal/route/a.go", "package route\nfunc f() {}\n" + strings.Repeat("\n", maxFileLines), "602 lines"},
		{"sizes", "internal/route/a.go", "package route\nfunc f() {\n" + long[:7] + "}", ""},
		{"words", "docs/a.md", "first\n" + "TO" + "DO: second", "docs/a.md:2"},
		{"words", "docs/a.md", "see /ro" + "ot/x", "docs/a.md:1"},
		{"words", "docs/a.md", "net/http.Header and mastodon", ""},
		{"race list", "internal/attic/a.go", `package attic; import _ "sync"`, "lacks attic"},
		{"race list", "internal/health/a.go", `package health; import _ "sync"`, ""},
	}
	for _, c := range cases {
		tr, err := load(fstest.MapFS{
			c.path:     {Data: []byte(c.text)},
			"Makefile": {Data: []byte("RACE_ROOMS := proxy health\n")},
		})
		if err != nil {
			t.Errorf("%s: %v", c.text, err)
			continue
		}
		got := rules[c.rule](tr)
		switch {
		case c.want == "" && len(got) > 0:
			t.Errorf("%s, %s: %s\nwant no breach, have %q", c.rule, c.path, c.text, got)
		case c.want != "" && (len(got) != 1 || !strings.Contains(got[0], c.want)):
			t.Errorf("%s, %s: %s\nwant %q, have %q", c.rule, c.path, c.text, c.want, got)
		}
	}
}
