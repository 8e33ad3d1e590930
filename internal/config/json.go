package config

import (
	"encoding/json"
	"errors"
	"slices"
)

// literal are the kinds of keys whose values are numbers or booleans in JSON; sizes have units, and are texts.
var literal = []string{"boolean", "number", "milliseconds"}

// JSON is what Show has written as JSON, which may be of another version: mappings, and in them texts, lists of texts,
// numbers and booleans.
func JSON(shown []byte) ([]byte, error) {
	doc, bad := readYAML(shown)
	if bad != nil {
		return nil, errors.New(bad.text)
	}
	tops, ok := doc.entries(doc.root)
	all := map[string]map[string]any{}
	for _, top := range tops {
		of := map[string]any{}
		all[top.key.text] = of
		keys, isMapping := doc.entries(top.value)
		ok = ok && isMapping
		for _, k := range keys {
			if items, isList := doc.items(k.value); isList {
				texts := []string{}
				for _, n := range items {
					s, _ := doc.scalarOf(n)
					texts = append(texts, s.text)
				}
				of[k.key.text] = texts
				continue
			}
			s, _ := doc.scalarOf(k.value)
			of[k.key.text] = s.text
			if slices.Contains(literal, kindOf(top.key.text, k.key.text)) && json.Valid([]byte(s.text)) {
				of[k.key.text] = json.RawMessage(s.text)
			}
		}
	}
	if !ok {
		return nil, errors.New("it is no configuration")
	}
	return json.Marshal(all)
}

func kindOf(top, name string) string {
	if top == processName {
		if k := find(processKeys, name); k != nil {
			return k.kind
		}
	} else if k := find(poolKeys, name); k != nil {
		return k.kind
	}
	return ""
}
