package sim

import (
	"bytes"
	"encoding/base64"
	"strconv"
	"strings"
)

// carriesData says that a request's line is followed by a block of data, and which word is its length.
func carriesData(name string) (length int, ok bool) {
	switch name {
	case "set", "add", "replace", "append", "prepend", "cas":
		return 4, true
	case "ms":
		return 2, true
	}
	return 0, false
}

// silencer finds the word of a request that asks for silence, -1 if there is none. The data block, if
// there is one, is the last of args.
func silencer(args []string) (i int, s silence) {
	words := len(args)
	if _, ok := carriesData(args[0]); ok {
		words--
	}
	switch args[0] {
	case "mg", "ms", "md", "ma":
		for i := firstFlag(args[0]); i < words; i++ {
			if args[i] == "q" {
				return i, unlessNews
			}
		}
	case "get", "gets", "gat", "gats", "mn", "me", "version", "stats":
	default:
		if words > 1 && args[words-1] == "noreply" {
			return words - 1, never
		}
	}
	return -1, loud
}

// firstFlag is where the flags of a meta command begin.
func firstFlag(name string) int {
	if name == "ms" {
		return 3
	}
	return 2
}

// metaFlags are the flags of a meta command.
func metaFlags(args []string) []string {
	end := len(args)
	if args[0] == "ms" {
		end--
	}
	return args[firstFlag(args[0]):end]
}

// flagOf returns what follows a flag's letter.
func flagOf(flags []string, letter byte) (s string, ok bool) {
	for _, f := range flags {
		if f[0] == letter {
			return f[1:], true
		}
	}
	return "", false
}

// hushed says whether a quiet request has no reply because it would be this one.
func hushed(name string, reply []byte) bool {
	code := string(reply[:2])
	switch name {
	case "mg":
		return code == "EN"
	case "ma":
		return code == "HD" || code == "VA"
	}
	return code == "HD"
}

// plainKey is the key that a request means by its word.
func plainKey(word string, flags []string) string {
	if _, ok := flagOf(flags, 'b'); !ok {
		return word
	}
	b, err := base64.StdEncoding.DecodeString(word)
	if err != nil {
		panic("sim: a key that nobody made: " + word)
	}
	return string(b)
}

// How scanRequest returns a request whose data does not end where it should, and one whose data has no
// length or a key that is too long.
const (
	badChunk = "(bad chunk)"
	badLine  = "(bad line)"
)

// order returns the last word of a request if it is noreply: that holds whatever else is wrong.
func order(args []string) []string {
	if _, s := silencer(append(args, "")); s == never {
		return []string{"noreply"}
	}
	return nil
}

// longestLine is the length of a line from which a memcached hangs up.
const longestLine = 2048

// scanRequest reads a request as a memcached does: of data that is too long or too short it takes what was
// announced, and goes on behind that. Data whose length makes no sense is a request to it.
func (memcached) scanRequest(b []byte) (args []string, end int, v verdict) {
	i := bytes.IndexByte(b, '\n')
	if i < 0 {
		return nil, len(b) + 1, unfinished
	}
	args = strings.FieldsFunc(string(bytes.TrimSuffix(b[:i], []byte("\r"))), func(c rune) bool { return c == ' ' })
	end = i + 1
	if len(args) == 0 {
		return []string{""}, end, whole
	}
	if i >= longestLine && args[0] != "get" && args[0] != "gets" {
		return nil, 0, malformed
	}
	word, ok := carriesData(args[0])
	if !ok || len(args) <= word {
		return args, end, whole
	}
	n, err := strconv.Atoi(args[word])
	if err != nil || n < 0 || len(args[1]) > 250 {
		return append([]string{badLine}, order(args)...), end, whole
	}
	data := end
	end += n + 2
	if end > len(b) {
		return nil, end, unfinished
	}
	if b[end-2] != '\r' || b[end-1] != '\n' {
		return append([]string{badChunk}, order(args)...), end, whole
	}
	return append(args, string(b[data:end-2])), end, whole
}

// scanReply finds the end of a reply: of its last line, where there are several.
func (memcached) scanReply(b []byte) (end int, v verdict) {
	if b[0] == 0x81 { // a binary one: a header of 24 bytes, and the length of what follows
		if len(b) < 24 {
			return 24, unfinished
		}
		if end = 24 + int(b[10])<<8 + int(b[11]); end > len(b) {
			return end, unfinished
		}
		return end, whole
	}
	first := ""
	for {
		line, next, v := scanLine(b, end)
		if v != whole {
			return next, v
		}
		word, rest, _ := strings.Cut(string(line[:min(len(line), 300)]), " ")
		if first != "" && word != first && word != "END" && word != "SERVER_ERROR" {
			return 0, malformed
		}
		switch word {
		case "VALUE", "VA":
			if end, v = scanBlock(b, next, word, rest); v != whole || word == "VA" {
				return end, v
			}
			first = word
		case "STAT":
			end, first = next, word
		case "HD", "NS", "EX", "NF", "EN", "MN", "ME", "VERSION", "SERVER_ERROR", "CLIENT_ERROR":
			return next, whole
		case "END", "STORED", "NOT_STORED", "EXISTS", "NOT_FOUND", "DELETED", "TOUCHED", "OK", "ERROR":
			if rest != "" {
				return 0, malformed
			}
			return next, whole
		default:
			if _, err := strconv.ParseUint(word, 10, 64); err != nil || rest != "" {
				return 0, malformed
			}
			return next, whole
		}
	}
}

// scanBlock finds the end of the data block at b[i:], whose line has rest behind its first word.
func scanBlock(b []byte, i int, word, rest string) (end int, v verdict) {
	words := strings.Split(rest, " ")
	size := 0
	if word == "VALUE" {
		if size = 2; len(words) != 3 && len(words) != 4 {
			return 0, malformed
		}
	}
	n, err := strconv.Atoi(words[size])
	if err != nil || n < 0 {
		return 0, malformed
	}
	return scanBulk(b, i, n)
}

// opaque is the opaque word in a reply's first line, "" if there is none.
func opaque(reply []byte) string {
	line, _, _ := bytes.Cut(reply, []byte("\r\n"))
	if bytes.HasPrefix(line, []byte("VALUE ")) {
		return ""
	}
	i := bytes.Index(line, []byte(" O"))
	if i < 0 {
		return ""
	}
	word, _, _ := bytes.Cut(line[i+1:], []byte(" "))
	return string(word)
}

// appendCommand appends a request as its client writes it: data, if there is any, is the last of args, and
// silence the word that asks for it at the place at.
func appendCommand(dst []byte, args []string, at int, word string, space func() string, end string) []byte {
	words, data := args, ""
	_, carries := carriesData(args[0])
	if carries {
		words, data = args[:len(args)-1], args[len(args)-1]
	}
	for i, a := range words {
		if word != "" && i == at {
			dst = append(append(dst, word...), space()...)
		}
		dst = append(dst, a...)
		if i < len(words)-1 {
			dst = append(dst, space()...)
		}
	}
	if word != "" && at >= len(words) {
		dst = append(append(dst, space()...), word...)
	}
	dst = append(dst, end...)
	if carries {
		dst = append(append(dst, data...), "\r\n"...)
	}
	return dst
}
