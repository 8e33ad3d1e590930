package config

import (
	_ "embed"
	"fmt"
	"strings"
)

//go:generate go test -run "TestReference|TestSchema$" -update

//go:embed reference.md
var referencePage string

// Reference is docs/configuration.md: the page around the tables, which come from the tables of keys.
func Reference() string {
	page := strings.Replace(referencePage, "POOL KEYS\n", tableOf(poolKeys), 1)
	return strings.Replace(page, "PROCESS KEYS\n", tableOf(processKeys), 1)
}

func tableOf[T any](table []key[T]) string {
	var b strings.Builder
	b.WriteString("| key | kind | default | allowed | touches | since | |\n|---|---|---|---|---|---|---|\n")
	for _, k := range table {
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s | %s | %s |\n",
			k.name, k.kind, k.defaultText(), k.allowed, k.touchesText(), k.since, k.help)
	}
	return b.String()
}

func (k *key[T]) touchesText() string {
	text := string(k.touches)
	if k.closes {
		text += ", closes clients"
	}
	if k.restart {
		text += ", needs a restart"
	}
	return text
}

func (k *key[T]) defaultText() string {
	text := "none"
	other, same := strings.CutPrefix(k.fallback, "=")
	switch {
	case k.required:
		return "**required**"
	case same:
		text = "that of `" + other + "`"
	case k.fallback != "":
		text = "`" + k.fallback + "`"
	}
	if k.compat != "" {
		text += ", as `nutcracker` `" + k.compat + "`"
	}
	return text
}
