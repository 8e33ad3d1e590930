package config

import (
	"fmt"
	"strings"

	"github.com/goccy/go-yaml/ast"
)

// processName is the top-level name that is not a pool's.
const processName = "cashew"

// loader collects what one call of Load finds.
type loader struct {
	path     string
	compat   bool
	secret   func(path string) (string, error)
	doc      *document
	mistakes []Mistake
	warnings []Mistake
}

func (l *loader) mistake(at position, where, format string, args ...any) {
	l.mistakes = append(l.mistakes, Mistake{l.path, at.line, at.column, where, fmt.Sprintf(format, args...)})
}

func (l *loader) warn(at position, where, format string, args ...any) {
	l.warnings = append(l.warnings, Mistake{l.path, at.line, at.column, where, fmt.Sprintf(format, args...)})
}

// load returns a Config that is only good if no mistake was noted.
func (l *loader) load(text []byte) *Config {
	c := &Config{Path: l.path}
	doc, bad := readYAML(text)
	if bad != nil {
		l.mistake(bad.at, "", "%s", bad.text)
		return c
	}
	l.doc = doc
	if doc.root == nil {
		l.mistake(position{}, "", "the file is empty; at least one pool is needed")
		return c
	}
	top, ok := l.mapping(doc.root, "", "a mapping of pools")
	if !ok {
		return c
	}
	process := false
	given := places{}
	of := map[*Pool]places{}
	for _, e := range top {
		if e.key.text == processName {
			process = true
			given = decode(l, processKeys, &c.Process, processName, e.value)
			continue
		}
		p := &Pool{Name: e.key.text}
		of[p] = l.pool(p, e)
		c.Pools = append(c.Pools, p)
	}
	if !process {
		decode(l, processKeys, &c.Process, processName, nil)
	}
	if len(c.Pools) == 0 {
		l.mistake(positionOf(doc.root), "", "no pool; at least one is needed beside %q", processName)
	}
	if _, ok := given["admin"]; !ok {
		c.Process.Admin.Text = "" // the file has none
	}
	l.checkProcess(&c.Process, given)
	l.checkListens(c, given, of)
	c.listens = map[string]position{}
	for _, p := range c.Pools {
		c.listens[p.Name] = of[p]["listen"]
	}
	sortPools(c.Pools)
	return c
}

// pool decodes one pool, then checks what concerns several of its keys.
func (l *loader) pool(p *Pool, e entry) places {
	given := decode(l, poolKeys, p, p.Name, e.value)
	if given == nil {
		return nil
	}
	for _, k := range poolKeys {
		if _, ok := given[k.name]; k.required && !ok {
			l.mistake(e.key.at, p.Name, "the key %q is missing", k.name)
		}
	}
	l.checkProtocol(p, given)
	l.warnPool(p, given)
	return given
}

// places has the positions of the values of the keys that were given.
type places map[string]position

// decode sets every key of the table in t: those given in the mapping n from there, the others to
// their defaults. A nil n is an empty mapping. It returns nil if n is no mapping.
func decode[T any](l *loader, table []key[T], t *T, where string, n ast.Node) places {
	given := places{}
	texts := map[string]string{}
	if n != nil {
		entries, ok := l.mapping(n, where, "a mapping of keys")
		if !ok {
			return nil
		}
		for _, e := range entries {
			k := find(table, e.key.text)
			if k == nil {
				l.unknown(e.key, where, names(table))
				continue
			}
			given[k.name] = positionOf(e.value)
			texts[k.name] = decodeKey(l, k, t, where, e.value)
		}
	}
	for i := range table {
		k := &table[i]
		if _, ok := given[k.name]; ok {
			continue
		}
		texts[k.name] = defaultOf(k, l.compat, texts)
		if texts[k.name] != "" {
			// A default that its own key refuses would be our mistake; a test checks every one.
			k.as.set(t, value{scalar: scalar{text: texts[k.name]}})
		}
	}
	return given
}

func defaultOf[T any](k *key[T], compat bool, texts map[string]string) string {
	text := k.fallback
	if compat && k.compat != "" {
		text = k.compat
	}
	if other, ok := strings.CutPrefix(text, "="); ok {
		return texts[other]
	}
	return text
}

// decodeKey sets one given key and returns its text.
func decodeKey[T any](l *loader, k *key[T], t *T, where string, n ast.Node) string {
	where += "." + k.name
	v, problem := l.doc.valueOf(n, k.list)
	if problem != "" {
		l.mistake(v.at, where, "%s", problem)
		return ""
	}
	if !k.list {
		v.items = []scalar{v.scalar}
	}
	if len(v.items) == 0 {
		l.mistake(v.at, where, "the list is empty; at least one element is needed")
	}
	for _, item := range v.items {
		v := value{scalar: item, items: []scalar{item}}
		if problem := l.checkItem(&v, k.name, k.required); problem != "" {
			l.mistake(item.at, where, "%s", problem)
		} else if problem := k.as.set(t, v); problem != "" {
			l.mistake(item.at, where, "%s", problem)
		}
	}
	return v.text
}

// checkItem refuses a value that is missing, and replaces the name of a password file by its
// contents.
func (l *loader) checkItem(v *value, name string, required bool) string {
	if v.empty && required {
		return "the value is missing"
	}
	if v.empty {
		return "the value is missing; leave the key out for its default"
	}
	if !strings.HasSuffix(name, "_file") {
		return ""
	}
	path := l.beside(v.text)
	text, err := l.secret(path)
	if err != nil {
		return "the password file cannot be read: " + err.Error()
	}
	text = strings.TrimSuffix(strings.TrimSuffix(text, "\n"), "\r")
	if text == "" {
		return fmt.Sprintf("the password file %s is empty", quote(path))
	}
	v.text = text
	return ""
}

// mapping returns the entries of n that count: of keys given twice only the first, the other is a
// mistake; of merged ones those that the mapping does not have itself.
func (l *loader) mapping(n ast.Node, where, what string) ([]entry, bool) {
	all, ok := l.doc.entries(n)
	if l.doc.merged > maxMerged {
		l.mistake(positionOf(n), where, "\"<<\" merges the mapping into itself, or adds more than %d entries", maxMerged)
		return nil, false
	}
	if !ok {
		l.mistake(positionOf(n), where, "%s is needed here: indented lines of \"name: value\"", what)
		return nil, false
	}
	first := map[string]entry{}
	var kept []entry
	for _, e := range all {
		before, twice := first[e.key.text]
		switch {
		case e.key.text == "":
			l.mistake(e.key.at, where, "a name is missing before the colon")
		case !twice:
			first[e.key.text] = e
			kept = append(kept, e)
		case !e.merged:
			l.mistake(e.key.at, where, "%s is given twice; the first is in line %d", quote(e.key.text), before.key.at.line)
		}
	}
	return kept, true
}

func (l *loader) unknown(key scalar, where string, known []string) {
	hint := didYouMean(key.text, known)
	switch {
	case where == processName && find(poolKeys, key.text) != nil:
		hint = "; \"cashew\" is reserved for the settings of the process, a pool needs another name"
	case where != processName && find(processKeys, key.text) != nil:
		hint = "; it belongs under the top-level name \"cashew\""
	case hint == "":
		hint = "; allowed: " + strings.Join(known, ", ")
	}
	l.mistake(key.at, where, "the key %s is unknown%s", quote(key.text), hint)
}

func find[T any](table []key[T], name string) *key[T] {
	for i := range table {
		if table[i].name == name {
			return &table[i]
		}
	}
	return nil
}

func names[T any](table []key[T]) []string {
	all := make([]string, len(table))
	for i := range table {
		all[i] = table[i].name
	}
	return all
}
