package config

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

const exampleFile = "../../examples/cashew.yml"

// TestExamples: what people copy loads without a warning.
func TestExamples(t *testing.T) {
	for _, file := range []string{exampleFile, "../../examples/nutcracker.yml"} {
		for _, compat := range []bool{false, true} {
			_, warnings, err := Load(file, Options{Compat: compat})
			if err != nil || len(warnings) > 0 {
				t.Errorf("%s: %v %v", file, warnings, err)
			}
		}
	}
}

// TestExampleIsComplete: the example has every key, and every default in it is the true one.
func TestExampleIsComplete(t *testing.T) {
	text, err := os.ReadFile(exampleFile)
	if err != nil {
		t.Fatal(err)
	}
	for name, fallback := range allDefaults() {
		line := regexp.MustCompile(`(?m)^  (?:# )?` + name + `:[ ]*([^ \n]*)`).FindSubmatch(text)
		switch {
		case line == nil:
			t.Errorf("the key %s is missing", name)
		case name != "redis" && fallback != "" && !strings.HasPrefix(fallback, "=") && string(line[1]) != fallback:
			t.Errorf("%s is %s, its default is %s", name, line[1], fallback)
		}
	}
}

func allDefaults() map[string]string {
	all := map[string]string{}
	for _, k := range poolKeys {
		all[k.name] = k.fallback
	}
	for _, k := range processKeys {
		all[k.name] = k.fallback
	}
	return all
}

// TestReferenceIsComplete: every key has its line on the reference page.
func TestReferenceIsComplete(t *testing.T) {
	page := Reference()
	for name := range allDefaults() {
		if !strings.Contains(page, "\n| `"+name+"` | ") {
			t.Errorf("the page has no line for %s", name)
		}
	}
	if strings.Contains(page, " KEYS\n") {
		t.Error("a table is missing")
	}
}
