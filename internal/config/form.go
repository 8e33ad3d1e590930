package config

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// form is how a key's value is written in a file.
type form[T any] struct {
	// set takes what was given, checks it and stores it in a T. It returns what is wrong, without the
	// key's name, or "".
	set func(*T, value) string
	// show is the way back: the texts that set makes the same value of, one for each element of a
	// list. There is none if the T has no value for the key.
	show func(*T) []string
	// schema is what set accepts, in the words of JSON Schema.
	schema schema
}

// asBool accepts exactly true and false; yes, on and True are mistakes, as in twemproxy.
func asBool[T any](field func(*T) *bool) form[T] {
	return form[T]{
		set: func(t *T, v value) string {
			if v.text != "true" && v.text != "false" {
				return fmt.Sprintf("%s is neither true nor false", quote(v.text))
			}
			*field(t) = v.text == "true"
			return ""
		},
		show:   func(t *T) []string { return []string{strconv.FormatBool(*field(t))} },
		schema: schema{"type": "boolean"},
	}
}

func asNumber[T any](low, high int64, field func(*T) *int) form[T] {
	return form[T]{
		set: func(t *T, v value) string {
			n, problem := number(v.text, "a number", low, high)
			*field(t) = int(n)
			return problem
		},
		show:   func(t *T) []string { return []string{strconv.Itoa(*field(t))} },
		schema: schema{"type": "integer", "minimum": low, "maximum": high},
	}
}

// auto is the value of a number that the process chooses.
const auto = "auto"

func asThreads(low, high int64, field func(*Process) *int) form[Process] {
	return form[Process]{
		set: func(p *Process, v value) string {
			if v.text == auto {
				*field(p) = 0
				return ""
			}
			n, problem := number(v.text, "auto or a number", low, high)
			*field(p) = int(n)
			return problem
		},
		show: func(p *Process) []string {
			if n := *field(p); n > 0 {
				return []string{strconv.Itoa(n)}
			}
			return []string{auto}
		},
		schema: schema{"anyOf": []schema{{"type": "integer", "minimum": low, "maximum": high}, {"const": auto}}},
	}
}

func asMillis[T any](low, high int64, field func(*T) *time.Duration) form[T] {
	return form[T]{
		set: func(t *T, v value) string {
			n, problem := number(v.text, "a number of milliseconds", low, high)
			*field(t) = time.Duration(n) * time.Millisecond
			return problem
		},
		show:   func(t *T) []string { return []string{strconv.FormatInt(field(t).Milliseconds(), 10)} },
		schema: schema{"type": "integer", "minimum": low, "maximum": high},
	}
}

func asSize[T any, N int | int64](low, high int64, field func(*T) *N) form[T] {
	return form[T]{
		set: func(t *T, v value) string {
			n, problem := size(v.text, low, high)
			*field(t) = N(n)
			return problem
		},
		show: func(t *T) []string { return []string{sizeText(int64(*field(t)))} },
		schema: schema{"anyOf": []schema{
			{"type": "integer", "minimum": low, "maximum": high},
			{"type": "string", "pattern": "^[0-9]+[kmgKMG][bB]?$"},
		}},
	}
}

// leastBig is the least size that can be called big: the shortest replies are forwarded without a look at each.
const leastBig = 2 << 10

// orZero allows 0 beside the values of a form.
func orZero(f form[Pool]) form[Pool] {
	set := f.set
	f.set = func(p *Pool, v value) string {
		if v.text == "0" {
			return "" // what it is
		}
		if problem := set(p, v); problem != "" {
			return problem + ", or 0"
		}
		return ""
	}
	f.schema = schema{"anyOf": []schema{{"type": "integer", "const": 0}, f.schema}}
	return f
}

// asText has no value for "", which no file can give.
func asText[T any](field func(*T) *string) form[T] {
	return form[T]{
		set: func(t *T, v value) string {
			*field(t) = v.text
			return ""
		},
		show: func(t *T) []string { return unlessEmpty(*field(t)) },
		// 0123 and null are texts here, and something else to whoever reads the file by YAML's rules.
		schema: schema{"type": []string{"string", "number", "boolean", "null"}},
	}
}

func unlessEmpty(text string) []string {
	if text == "" {
		return nil
	}
	return []string{text}
}

func asEnum[T any](allowed []string, field func(*T) *string) form[T] {
	return form[T]{
		set: func(t *T, v value) string {
			*field(t) = v.text
			return oneOf(allowed, v.text)
		},
		show:   func(t *T) []string { return []string{*field(t)} },
		schema: schema{"enum": allowed},
	}
}

func oneOf(allowed []string, text string) string {
	if slices.Contains(allowed, text) {
		return ""
	}
	return fmt.Sprintf("%s is not known; allowed: %s%s", quote(text), strings.Join(allowed, ", "), didYouMean(text, allowed))
}

// asChoice is one of two names: other, or chosen, which sets the field to true.
func asChoice(other, chosen string, field func(*Pool) *bool) form[Pool] {
	allowed := []string{other, chosen}
	return form[Pool]{
		set: func(p *Pool, v value) string {
			*field(p) = v.text == chosen
			return oneOf(allowed, v.text)
		},
		show: func(p *Pool) []string {
			if *field(p) {
				return []string{chosen}
			}
			return []string{other}
		},
		schema: schema{"enum": allowed},
	}
}

var asHashTag = form[Pool]{
	set: func(p *Pool, v value) string {
		if len(v.text) != 2 {
			return fmt.Sprintf("%s has %d bytes; exactly 2 are allowed, as in \"{}\"", quote(v.text), len(v.text))
		}
		p.HashTag = v.text
		return ""
	},
	show:   func(p *Pool) []string { return unlessEmpty(p.HashTag) },
	schema: schema{"type": "string", "minLength": 1, "maxLength": 2}, // characters: one may have two bytes
}

// asSecretFile gets the contents of the file in place of its path, by the loader. They are shown as the value of
// the key that has the secret itself.
func asSecretFile[T any](field func(*T) *string) form[T] {
	return form[T]{
		set: func(t *T, v value) string {
			*field(t) = v.text
			return ""
		},
		show:   func(*T) []string { return nil },
		schema: schema{"type": "string"},
	}
}

// asAllowCommands keeps the names sorted, each once: a list in another order is no change.
var asAllowCommands = form[Pool]{
	set: func(p *Pool, v value) string {
		for _, item := range v.items {
			if problem := oneOf(guarded, item.text); problem != "" {
				return problem
			}
			p.AllowCommands = append(p.AllowCommands, item.text)
		}
		slices.Sort(p.AllowCommands)
		p.AllowCommands = slices.Compact(p.AllowCommands)
		return ""
	},
	show:   func(p *Pool) []string { return p.AllowCommands },
	schema: oneOrMore(schema{"enum": guarded}),
}

// oneOrMore is a list, or its only element.
func oneOrMore(element schema) schema {
	return schema{"anyOf": []schema{{"type": "array", "items": element, "minItems": 1}, element}}
}
