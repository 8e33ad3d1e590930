package config

import (
	"bytes"
	"regexp"
	"strconv"
	"strings"
	"unicode"
)

// hidden stands for a secret.
const hidden = "***"

// Show returns the configuration in force as a file that Load accepts: every key that has a value,
// defaults included. A password is shown as "***", also one from a file.
func (c *Config) Show() []byte {
	var b bytes.Buffer
	b.WriteString(processName + ":\n")
	for i := range processKeys {
		showKey(&b, &processKeys[i], &c.Process)
	}
	for _, p := range c.Pools {
		b.WriteString("\n" + yamlText(p.Name) + ":\n")
		for i := range poolKeys {
			if k := &poolKeys[i]; k.fits(p.Redis) {
				showKey(&b, k, p)
			}
		}
	}
	return b.Bytes()
}

func showKey[T any](b *bytes.Buffer, k *key[T], t *T) {
	texts := k.shown(t)
	switch {
	case len(texts) == 0:
	case k.list:
		b.WriteString("  " + k.name + ":\n")
		for _, text := range texts {
			b.WriteString("    - " + yamlText(text) + "\n")
		}
	default:
		b.WriteString("  " + k.name + ": " + yamlText(texts[0]) + "\n")
	}
}

// shown are the texts of a key's value as anybody may see them.
func (k *key[T]) shown(t *T) []string {
	texts := k.as.show(t)
	if k.secret && len(texts) > 0 {
		return []string{hidden}
	}
	return texts
}

// plain is text that YAML takes as it is: words with single spaces, and colons only inside them.
var plain = regexp.MustCompile(`^[\p{L}\p{N}_/][\p{L}\p{N}_/.]*([:-][\p{L}\p{N}_/.]+)*( [\p{L}\p{N}_/.]+([:-][\p{L}\p{N}_/.]+)*)*$`)

// yamlText writes a text so that readYAML finds the same text: as it is, in single quotes, or in
// double ones if there are characters that only an escape makes visible.
func yamlText(text string) string {
	switch {
	case plain.MatchString(text):
		return text
	case !strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }):
		return "'" + strings.ReplaceAll(text, "'", "''") + "'"
	}
	return strconv.Quote(text)
}
