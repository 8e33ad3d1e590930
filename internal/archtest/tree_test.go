package archtest

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"strconv"
	"strings"
)

const module = "github.com/cashew-proxy/cashew"

// source is one Go file of the module.
type source struct {
	path    string // in the repository, with slashes
	room    string // "" outside of internal/ and cmd/
	test    bool
	lines   int
	fset    *token.FileSet
	ast     *ast.File
	imports []string
}

// dir is the directory of the package that the file belongs to.
func (s *source) dir() string { return path.Dir(s.path) }

// at names a place in the file for a message.
func (s *source) at(n ast.Node) string {
	return fmt.Sprintf("%s:%d", s.path, s.fset.Position(n.Pos()).Line)
}

// tree is the module's Go files and its text files.
type tree struct {
	goFiles []*source
	texts   map[string][]byte
}

// skipped directories hold nothing that was written here.
var skipped = map[string]bool{".git": true, "bin": true, "testdata": true, "results": true, "node_modules": true}

// otherModule is of programs whose libraries are not this module's.
func otherModule(name string) bool {
	return strings.HasPrefix(name, "tools/") || strings.HasPrefix(name, "test/compat/go/")
}

// load reads the module. Files are parsed whatever their build constraints say, because the laws hold
// on every system; `go list` would show only one system's half of the tree.
func load(fsys fs.FS) (*tree, error) {
	t := &tree{texts: map[string][]byte{}}
	err := fs.WalkDir(fsys, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if skipped[d.Name()] {
				return fs.SkipDir
			}
			return nil
		}
		if !d.Type().IsRegular() || skipped[d.Name()] { // in a worktree .git is a file
			return nil
		}
		data, err := fs.ReadFile(fsys, name)
		if err != nil {
			return err
		}
		t.texts[name] = data
		if !strings.HasSuffix(name, ".go") || otherModule(name) {
			return nil
		}
		s, err := parse(name, data)
		if err != nil {
			return err
		}
		t.goFiles = append(t.goFiles, s)
		return nil
	})
	return t, err
}

func parse(name string, data []byte) (*source, error) {
	s := &source{
		path:  name,
		room:  roomOf(path.Dir(name)),
		test:  strings.HasSuffix(name, "_test.go"),
		lines: strings.Count(string(data), "\n"),
		fset:  token.NewFileSet(),
	}
	var err error
	if s.ast, err = parser.ParseFile(s.fset, name, data, parser.ParseComments); err != nil {
		return nil, err
	}
	for _, spec := range s.ast.Imports {
		p, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			return nil, err
		}
		s.imports = append(s.imports, p)
	}
	return s, nil
}

// roomOf returns the room of a directory: the name under internal/, "cmd" for the commands.
func roomOf(dir string) string {
	parts := strings.Split(dir, "/")
	switch {
	case parts[0] == "cmd":
		return "cmd"
	case parts[0] == "internal" && len(parts) > 1:
		return parts[1]
	}
	return ""
}

// roomImported returns the room of an import path, and whether the path belongs to this module at all.
func roomImported(importPath string) (name string, own bool) {
	rest, own := strings.CutPrefix(importPath, module+"/")
	if !own {
		return "", false
	}
	return roomOf(rest), true
}

// rank returns a room's place in the table.
func rank(name string) (int, bool) {
	for i, r := range rooms {
		if r.name == name {
			return i, true
		}
	}
	return 0, false
}

// is says whether the room called name is in the table with that kind.
func is(name string, k kind) bool {
	i, ok := rank(name)
	return ok && rooms[i].kind == k
}

// forTests says whether the file is only ever part of a test. What is below test never reaches the binary.
func (s *source) forTests() bool {
	return s.test || is(s.room, simRoom) || is(s.room, fakeRoom) || strings.HasPrefix(s.path, "test/")
}

// uses calls found for every mention of a name of the package importPath: pkg.Name.
func (s *source) uses(importPath string, found func(name string, at ast.Node)) {
	local := ""
	for i, p := range s.imports {
		if p != importPath {
			continue
		}
		local = path.Base(p)
		if n := s.ast.Imports[i].Name; n != nil {
			local = n.Name
		}
	}
	if local == "" {
		return
	}
	ast.Inspect(s.ast, func(n ast.Node) bool {
		sel, ok := n.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		// An identifier that the file itself declares resolves to an object; a package does not.
		if x, ok := sel.X.(*ast.Ident); ok && x.Name == local && x.Obj == nil {
			found(sel.Sel.Name, sel)
		}
		return true
	})
}
