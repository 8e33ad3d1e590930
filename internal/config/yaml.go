package config

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// position is a place in the file, counted from 1.
type position struct{ line, column int }

// scalar is a value as text: what the file says, not what YAML makes of it, so that 0123 stays
// "0123" and null stays "null". A key without a value has empty set.
type scalar struct {
	text  string
	at    position
	empty bool
}

// entry is one "key: value" of a mapping.
type entry struct {
	key    scalar
	value  ast.Node
	merged bool // came by "<<": an entry of the mapping itself wins
}

// document is the tree of the file with its anchors.
type document struct {
	root    ast.Node
	anchors map[string]ast.Node
	merged  int // entries that came by "<<" so far
}

// maxMerged bounds what "<<" may add in all: merges of merges multiply.
const maxMerged = 100_000

// syntaxError is a mistake that makes the rest of the file unreadable.
type syntaxError struct {
	at   position
	text string
}

// readYAML parses text, which must be UTF-8 and hold one document.
func readYAML(text []byte) (doc *document, bad *syntaxError) {
	// The library is not ours: should it panic over some input, that is a mistake in the file like
	// any other, and no reason for a stack trace.
	defer func() {
		if r := recover(); r != nil {
			doc, bad = nil, &syntaxError{text: fmt.Sprintf("the YAML cannot be read (%v)", r)}
		}
	}()
	text = bytes.TrimPrefix(text, []byte("\xef\xbb\xbf"))
	if at := invalidUTF8(text); at != (position{}) {
		return nil, &syntaxError{at, "the file is not UTF-8"}
	}
	tokens := lexer.Tokenize(quoteIPv6(string(text)))
	if at := tooDeep(tokens); at != (position{}) {
		return nil, &syntaxError{at, "the YAML is nested too deeply"}
	}
	file, err := parser.Parse(tokens, 0, parser.AllowDuplicateMapKey())
	if err != nil {
		return nil, fromLibrary(err)
	}
	doc = &document{anchors: map[string]ast.Node{}}
	for _, d := range file.Docs {
		if d.Body == nil {
			continue
		}
		if doc.root != nil {
			return nil, &syntaxError{positionOf(d.Body), "a second YAML document; a configuration is one"}
		}
		doc.root = d.Body
	}
	doc.collectAnchors(doc.root)
	return doc, nil
}

func fromLibrary(err error) *syntaxError {
	var e yaml.Error
	if !errors.As(err, &e) {
		return &syntaxError{text: err.Error()}
	}
	bad := &syntaxError{text: strings.ReplaceAll(e.GetMessage(), "\t", `\t`)}
	if t := e.GetToken(); t != nil && t.Position != nil {
		bad.at = position{t.Position.Line, t.Position.Column}
	}
	return bad
}

func invalidUTF8(text []byte) position {
	at := position{1, 1}
	for len(text) > 0 {
		r, n := utf8.DecodeRune(text)
		switch {
		case r == utf8.RuneError && n == 1:
			return at
		case r == '\n':
			at = position{at.line + 1, 1}
		default:
			at.column++
		}
		text = text[n:]
	}
	return position{}
}

// bracketed is a line whose value begins with an IPv6 address in brackets and is no YAML as it
// stands: "[" begins a list there. Nothing that is valid YAML matches, for the list would have to end
// before the colon.
var bracketed = regexp.MustCompile(`(?m)^([ ]*(?:-|listen[ ]*:|servers[ ]*:)[ ]+)(\[[0-9A-Fa-f:.]+(?:%[0-9A-Za-z._-]+)?\]:[^\s#',"\[\]{}]+(?: [^\s#',"\[\]{}]+)?)([ ]*(?:[ ]#.*)?\r?)$`)

// quoteIPv6 puts quotes around such values. The position of the value does not move.
func quoteIPv6(text string) string {
	if !strings.Contains(text, "[") {
		return text
	}
	return bracketed.ReplaceAllString(text, "$1'$2'$3")
}

// maxDepth bounds nesting. Four levels have a meaning; the library recurses for each.
const maxDepth = 64

// tooDeep returns where the nesting of flow collections, or a run of indicators on end, passes
// maxDepth.
func tooDeep(tokens token.Tokens) position {
	flow, run := 0, 0
	for _, t := range tokens {
		switch t.Type {
		case token.SequenceStartType, token.MappingStartType:
			flow++
		case token.SequenceEndType, token.MappingEndType:
			flow--
		}
		switch t.Type {
		case token.SequenceEntryType, token.SequenceStartType, token.MappingStartType, token.MappingKeyType,
			token.MappingValueType, token.TagType, token.AnchorType:
			run++
		default:
			run = 0
		}
		if flow > maxDepth || run > maxDepth || t.Position.IndentLevel > maxDepth {
			return position{t.Position.Line, t.Position.Column}
		}
	}
	return position{}
}

func positionOf(n ast.Node) position {
	switch n := n.(type) {
	case nil:
		return position{}
	case *ast.MappingNode:
		if len(n.Values) > 0 {
			return positionOf(n.Values[0])
		}
	case *ast.MappingValueNode:
		return positionOf(n.Key)
	}
	t := n.GetToken()
	if t == nil || t.Position == nil {
		return position{}
	}
	return position{t.Position.Line, t.Position.Column}
}

// collectAnchors notes every anchor of the tree; of two with one name the later one counts.
func (d *document) collectAnchors(n ast.Node) {
	if n == nil {
		return
	}
	ast.Walk(anchorVisitor{d}, n)
}

type anchorVisitor struct{ d *document }

// Visit implements ast.Visitor.
func (v anchorVisitor) Visit(n ast.Node) ast.Visitor {
	if a, ok := n.(*ast.AnchorNode); ok && a.Name != nil && a.Value != nil {
		v.d.anchors[a.Name.GetToken().Value] = a.Value
	}
	return v
}

// resolve looks through anchors, aliases and tags. It returns nil for an alias that leads nowhere
// or only to itself.
func (d *document) resolve(n ast.Node) ast.Node {
	for range maxDepth {
		switch m := n.(type) {
		case *ast.AnchorNode:
			n = m.Value
		case *ast.TagNode:
			n = m.Value
		case *ast.AliasNode:
			n = d.anchors[m.Value.GetToken().Value]
		case *ast.MappingKeyNode:
			n = m.Value
		default:
			return n
		}
	}
	return nil
}

// scalarOf returns n as text, or false if it is a list or a mapping.
func (d *document) scalarOf(n ast.Node) (scalar, bool) {
	s := scalar{at: positionOf(n)}
	switch m := d.resolve(n).(type) {
	case *ast.LiteralNode:
		s.text = strings.TrimSuffix(m.Value.Value, "\n")
	case *ast.MappingNode, *ast.MappingValueNode, *ast.SequenceNode, nil:
		return s, false
	default:
		t := m.GetToken()
		s.text, s.empty = t.Value, t.Type == token.ImplicitNullType
	}
	s.empty = s.empty || s.text == ""
	return s, true
}

// entries returns the entries of a mapping in the order of the file, those merged with "<<" last.
// It returns false if n is no mapping, or if merges go on beyond maxMerged.
func (d *document) entries(n ast.Node) ([]entry, bool) {
	var values []*ast.MappingValueNode
	switch m := d.resolve(n).(type) {
	case *ast.MappingNode:
		values = m.Values
	case *ast.MappingValueNode:
		values = []*ast.MappingValueNode{m}
	default:
		return nil, false
	}
	var own, merged []entry
	for _, v := range values {
		if _, isMerge := v.Key.(*ast.MergeKeyNode); isMerge {
			more, ok := d.mergedEntries(v.Value)
			if !ok {
				return nil, false
			}
			merged = append(merged, more...)
			continue
		}
		key, _ := d.scalarOf(v.Key)
		own = append(own, entry{key: key, value: v.Value})
	}
	return append(own, merged...), true
}

// mergedEntries returns what "<<: n" adds: n is a mapping or a list of mappings.
func (d *document) mergedEntries(n ast.Node) ([]entry, bool) {
	sources, isList := d.items(n)
	if !isList {
		sources = []ast.Node{n}
	}
	var all []entry
	for _, source := range sources {
		// Counted before the descent, so that a mapping that merges itself comes to an end.
		if d.merged++; d.merged > maxMerged {
			return nil, false
		}
		more, ok := d.entries(source)
		if d.merged += len(more); !ok || d.merged > maxMerged {
			return nil, false
		}
		for _, e := range more {
			e.merged = true
			all = append(all, e)
		}
	}
	return all, true
}

// items returns the elements of a list, or false if n is none.
func (d *document) items(n ast.Node) ([]ast.Node, bool) {
	m, ok := d.resolve(n).(*ast.SequenceNode)
	if !ok {
		return nil, false
	}
	return m.Values, true
}
