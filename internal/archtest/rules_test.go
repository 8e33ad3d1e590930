package archtest

import (
	"fmt"
	"go/ast"
	"regexp"
	"slices"
	"sort"
	"strings"
)

// rule finds the breaches of one law; each is a message for whoever made it.
type rule func(*tree) []string

var rules = map[string]rule{
	"order of rooms":    order,
	"test rooms":        testRooms,
	"engine imports":    engineImports,
	"engine statements": engineStatements,
	"wall clock":        wallClock,
	"libraries":         librariesUsed,
	"package comments":  packageComments,
	"sizes":             sizes,
	"words":             words,
	"race list":         raceList,
}

// order: a room imports only rooms above it, and every room is in the table.
func order(t *tree) (bad []string) {
	unknown := map[string]bool{}
	for _, s := range t.goFiles {
		if s.room == "" || s.room == "archtest" {
			continue
		}
		mine, ok := rank(s.room)
		if !ok && !unknown[s.room] {
			unknown[s.room] = true
			bad = append(bad, fmt.Sprintf("%s: room %q is not in the table: add it to rooms in internal/archtest/table_test.go, below all it imports, and to the table of rooms in the design", s.dir(), s.room))
		}
		if !ok || s.forTests() {
			continue // tests may look at any room
		}
		for _, p := range s.imports {
			other, own := roomImported(p)
			if !own || other == s.room {
				continue
			}
			if theirs, ok := rank(other); ok && theirs > mine {
				bad = append(bad, fmt.Sprintf("%s: %s imports %s, which is below it in the table of rooms", s.path, s.room, other))
			}
			if why, ok := strangers[[2]string{s.room, other}]; ok {
				bad = append(bad, fmt.Sprintf("%s: %s must not import %s: %s", s.path, s.room, other, why))
			}
		}
	}
	return bad
}

// testRooms: what exists for tests never reaches the binary.
func testRooms(t *tree) (bad []string) {
	for _, s := range t.goFiles {
		if s.forTests() {
			continue
		}
		for _, p := range s.imports {
			if other, own := roomImported(p); own && (is(other, simRoom) || is(other, fakeRoom)) {
				bad = append(bad, fmt.Sprintf("%s: imports %s, which is for tests only", s.path, other))
			}
		}
	}
	return bad
}

// engineImports: the data plane behind the seam has no I/O, no locks, no logging and no libraries.
func engineImports(t *tree) (bad []string) {
	for _, s := range t.goFiles {
		if !is(s.room, engineRoom) || s.test {
			continue
		}
		for _, p := range s.imports {
			if _, ok := engineMay[[2]string{s.room, p}]; !ok && refusedToEngine(p) {
				bad = append(bad, fmt.Sprintf("%s: engine room %s imports %s", s.path, s.room, p))
			}
		}
	}
	return bad
}

func refusedToEngine(p string) bool {
	if _, own := roomImported(p); own || p == "net/netip" {
		return false
	}
	first, _, _ := strings.Cut(p, "/")
	switch first {
	case "net", "os", "sync", "log", "syscall", "crypto", "context":
		return true
	}
	return strings.Contains(first, ".") // a module from outside
}

// engineStatements: the data plane starts no goroutine and uses no channel.
func engineStatements(t *tree) (bad []string) {
	for _, s := range t.goFiles {
		if !is(s.room, engineRoom) || s.test {
			continue
		}
		ast.Inspect(s.ast, func(n ast.Node) bool {
			what := ""
			switch n.(type) {
			case *ast.GoStmt:
				what = "starts a goroutine"
			case *ast.ChanType, *ast.SelectStmt:
				what = "uses a channel"
			}
			if what != "" {
				bad = append(bad, fmt.Sprintf("%s: engine room %s %s", s.at(n), s.room, what))
			}
			return true
		})
	}
	return bad
}

// clockNames are the names of package time that read the clock, then those that wait for it.
var (
	clockNames = []string{"Now", "Since", "Until"}
	waitNames  = []string{"Sleep", "After", "AfterFunc", "Tick", "NewTimer", "NewTicker"}
)

// wallClock: below the event loop, time is an argument. Rooms that host an engine may wait, in
// goroutines of their own, but take instants from the room clock like everybody.
func wallClock(t *tree) (bad []string) {
	for _, s := range t.goFiles {
		timeless := is(s.room, engineRoom) && s.room != "clock" || is(s.room, hostRoom) || is(s.room, simRoom)
		if !timeless || s.test {
			continue
		}
		s.uses("time", func(name string, at ast.Node) {
			if slices.Contains(clockNames, name) || slices.Contains(waitNames, name) && !is(s.room, hostRoom) {
				bad = append(bad, fmt.Sprintf("%s: room %s asks for time.%s; take a clock.Instant as an argument", s.at(at), s.room, name))
			}
		})
	}
	return bad
}

// librariesUsed: only reviewed modules, each only where it belongs.
func librariesUsed(t *tree) (bad []string) {
	for _, s := range t.goFiles {
		for _, p := range s.imports {
			first, _, _ := strings.Cut(p, "/")
			if _, own := roomImported(p); own || !strings.Contains(first, ".") {
				continue
			}
			where, ok := reviewed(p)
			switch {
			case !ok:
				bad = append(bad, fmt.Sprintf("%s: imports %s, which is not a reviewed library: it needs a decision record and a line in internal/archtest/table_test.go", s.path, p))
			case !slices.Contains(where, s.room) && !(s.forTests() && slices.Contains(where, inTests)):
				bad = append(bad, fmt.Sprintf("%s: imports %s, which is for %s", s.path, p, strings.Join(where, ", ")))
			}
		}
	}
	return bad
}

// reviewed returns who may import a package of a reviewed module.
func reviewed(importPath string) (where []string, ok bool) {
	for mod, where := range libraries {
		if importPath == mod || strings.HasPrefix(importPath, mod+"/") {
			return where, true
		}
	}
	return nil, false
}

// packageComments: every package says what it is for.
func packageComments(t *tree) (bad []string) {
	documented := map[string]bool{}
	for _, s := range t.goFiles {
		if s.test && strings.HasSuffix(s.ast.Name.Name, "_test") {
			continue
		}
		want := "Package " + s.ast.Name.Name + " "
		if s.ast.Name.Name == "main" {
			want = "Command " + s.dir()[strings.LastIndex(s.dir(), "/")+1:] + " "
		}
		documented[s.dir()] = documented[s.dir()] || strings.HasPrefix(s.ast.Doc.Text(), want)
	}
	for dir, ok := range documented {
		if !ok {
			bad = append(bad, dir+": no package comment (“Package name …”, for a program “Command name …”)")
		}
	}
	sort.Strings(bad)
	return bad
}

// sizes: files and functions that one can take in.
func sizes(t *tree) (bad []string) {
	needed := map[string]bool{}
	for _, s := range t.goFiles {
		if s.lines > maxFileLines {
			bad = append(bad, fmt.Sprintf("%s: %d lines, at most %d", s.path, s.lines, maxFileLines))
		}
		if s.test {
			continue // a table of cases is as long as it is
		}
		for _, decl := range s.ast.Decls {
			f, ok := decl.(*ast.FuncDecl)
			if !ok {
				continue
			}
			n := s.fset.Position(f.End()).Line - s.fset.Position(f.Pos()).Line + 1
			if n <= maxFuncLines {
				continue
			}
			key := s.path + " " + f.Name.Name
			needed[key] = true
			if longFuncs[key] == "" {
				bad = append(bad, fmt.Sprintf("%s: %s has %d lines, at most %d", s.at(f), f.Name.Name, n, maxFuncLines))
			}
		}
	}
	for key := range longFuncs {
		if !needed[key] {
			bad = append(bad, fmt.Sprintf("longFuncs has %q, which is not that long or not there", key))
		}
	}
	return bad
}

// banned words are put together here so that this file does not contain them.
var banned = regexp.MustCompile(`\b(` + "TO" + "DO|FIX" + "ME|XX" + "X" + `)\b|(^|[^\w.])/(` + "work|root|ho" + "me" + `)/`)

// words: nothing unfinished, no path of somebody's machine.
func words(t *tree) (bad []string) {
	for name, data := range t.texts {
		for i, line := range strings.Split(string(data), "\n") {
			if w := banned.FindString(line); w != "" {
				bad = append(bad, fmt.Sprintf("%s:%d: %q", name, i+1, w))
			}
		}
	}
	sort.Strings(bad)
	return bad
}

var raceRooms = regexp.MustCompile(`(?m)^RACE_ROOMS\s*:?=(.*)$`)

// raceList: a room with goroutines or locks is on the Makefile's list for the race detector.
func raceList(t *tree) (bad []string) {
	m := raceRooms.FindSubmatch(t.texts["Makefile"])
	if m == nil {
		return []string{"Makefile: no RACE_ROOMS"}
	}
	listed := strings.Fields(string(m[1]))
	missing := map[string]bool{}
	for _, s := range t.goFiles {
		if s.test || s.room == "" || s.room == "cmd" || slices.Contains(listed, s.room) {
			continue
		}
		shared := slices.Contains(s.imports, "sync") || slices.Contains(s.imports, "sync/atomic")
		ast.Inspect(s.ast, func(n ast.Node) bool {
			_, ok := n.(*ast.GoStmt)
			shared = shared || ok
			return true
		})
		if shared && !missing[s.room] {
			missing[s.room] = true
			bad = append(bad, fmt.Sprintf("Makefile: RACE_ROOMS lacks %s, which has goroutines or locks", s.room))
		}
	}
	return bad
}
