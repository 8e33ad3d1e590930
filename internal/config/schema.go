package config

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
)

// schema is a JSON Schema, or a part of one.
type schema map[string]any

// Schema is docs/cashew.schema.json: the tables of keys as a JSON Schema, for editors. It finds what
// concerns one key; what concerns several is left to Load. Spellings that nobody uses, such as a
// list of one where a value is meant, are not in it, so that what an editor says stays clear.
func Schema() []byte {
	pool, process := schemaOf(poolKeys), schemaOf(processKeys)
	root := schema{
		// yaml-language-server knows this version best.
		"$schema":              "http://json-schema.org/draft-07/schema#",
		"title":                "Configuration of cashew",
		"type":                 "object",
		"minProperties":        1,
		"properties":           schema{processName: process},
		"additionalProperties": pool,
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(root); err != nil {
		panic(fmt.Sprintf("config: the schema is no JSON: %v", err))
	}
	return b.Bytes()
}

func schemaOf[T any](table []key[T]) schema {
	properties, required := schema{}, []string{}
	for i := range table {
		k := &table[i]
		properties[k.name] = k.schema()
		if k.required {
			required = append(required, k.name)
		}
	}
	return schema{"type": "object", "properties": properties, "required": required, "additionalProperties": false}
}

// schema is what the value may be, with the words of the reference page.
func (k *key[T]) schema() schema {
	s := schema{"description": withoutLinks.ReplaceAllString(k.help, "$1")}
	for name, value := range k.as.schema {
		s[name] = value
	}
	if k.fallback == "" || strings.HasPrefix(k.fallback, "=") {
		return s
	}
	s["default"] = k.fallback
	if json.Valid([]byte(k.fallback)) {
		s["default"] = json.RawMessage(k.fallback) // a number or a boolean
	}
	return s
}

// withoutLinks are links within the reference page, which lead nowhere in an editor.
var withoutLinks = regexp.MustCompile(`\[([^]]*)\]\(#[^)]*\)`)
