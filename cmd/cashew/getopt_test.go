package main

import (
	"fmt"
	"strings"
	"testing"
)

func TestGetopt(t *testing.T) {
	for _, c := range []struct{ args, want string }{
		{"", ""},
		{"-t", "t"},
		{"-tdD", "t d D"},
		{"-v 6", "v=6"},
		{"-v6", "v=6"},
		{"-dv 6", "d v=6"},
		{"-dv6t", "d v=6t"},
		{"-v -t", "v=-t"},
		{"-c -- -t", "c=-- t"},
		{"-t -- -d -v", "t"},
		{"word -t word2 -d", "t d"},
		{"- -t", "t"},
		{"--test-conf", "t"},
		{"--verbose 6", "v=6"},
		{"--verbose=6", "v=6"},
		{"--verbose=", "v="},
		{"--conf=a=b", "c=a=b"},
		{"--verb 3 --he", "v=3 h"},
		{"--stats-p=1 --stats-i 2 --stats-a=3", "s=1 i=2 a=3"},
		{"--d", "error: invalid option -- 'd' could be --daemonize, --describe-stats"},
		{"--ver", "error: invalid option -- 'ver' could be --version, --verbose"},
		{"--stats=1", "error: invalid option -- 'stats' could be --stats-port, --stats-addr, --stats-interval"},
		{"--bogus", "error: invalid option -- 'bogus'"},
		{"--test-config", "error: invalid option -- 'test-config'"},
		{"--=x", "error: "},
		{"-x", "error: invalid option -- 'x'"},
		{"-?", "error: invalid option -- '?'"},
		{"-tx", "t error: invalid option -- 'x'"},
		{"-:", "error: invalid option -- ':'"},
		{"--help=yes", "error: option --help takes no argument"},
		{"-v", "error: option -v requires a number"},
		{"--verbose", "error: option -v requires a number"},
		{"-c", "error: option -c requires a file name"},
		{"-a", "error: option -a requires a string"},
	} {
		var got []string
		err := getopt(strings.Fields(c.args), flags, func(g given) error {
			if byShort(flags, g.short).missing != "" {
				got = append(got, fmt.Sprintf("%c=%s", g.short, g.arg))
			} else {
				got = append(got, string(rune(g.short)))
			}
			return nil
		})
		if err != nil {
			got = append(got, "error: "+err.Error())
		}
		text := strings.Join(got, " ")
		if text != c.want && !(c.want == "error: " && err != nil) {
			t.Errorf("%q: %q, want %q", c.args, text, c.want)
		}
	}
}

// FuzzGetopt: whatever the words are, reading them ends, and hands over only flags of the table.
func FuzzGetopt(f *testing.F) {
	f.Add("-dv 6 --conf=x -- y")
	f.Add("--ver --s=")
	f.Fuzz(func(t *testing.T, line string) {
		_ = getopt(strings.Split(line, " "), flags, func(g given) error {
			o := byShort(flags, g.short)
			if o == nil || o.missing == "" && g.arg != "" {
				t.Errorf("%q: %+v", line, g)
			}
			return nil
		})
	})
}
