package command

import (
	"strings"
	"testing"
)

// judge is the reply that the table gives to a request, or "" if it has nothing against it.
func judge(request []string) string {
	argc, at := accessor(request)
	s := Lookup(at(0))
	if s == nil {
		return string(AppendUnknown(nil, argc, at))
	}
	if s = s.Resolve(argc, at); s == nil {
		return string(AppendUnknownSubcommand(nil, at(0), at(1)))
	}
	if !s.Accepts(argc) {
		return string(AppendArity(nil, s))
	}
	return ""
}

// compareError holds our reply to a faulty request against the server's.
func compareError(p *peer, request []string) {
	p.t.Helper()
	got := judge(request)
	reply, ok := p.do(request...).(failure)
	if !ok {
		p.t.Errorf("%q is no error for the server", request)
		return
	}
	if want := "-" + string(reply) + "\r\n"; got != want {
		p.t.Errorf("%q:\nwe  say %q\nnot     %q", request, got, want)
	}
}

func TestUnknownEqualsTheServers(t *testing.T) {
	p := dialPeer(t)
	long := strings.Repeat("0123456789", 30)
	for _, request := range [][]string{
		{"foo"},
		{"FOO", "a", "b"},
		{"foo", "", "b"},
		{""},
		{"", "a"},
		{long},
		{long, long, long},
		{"foo", long[:127], "next"},
		{"foo", long[:126], "next"},
		{"foo", long[:125], "next"},
		{"foo", long[:124], "next"},
		{"foo", long[:123], "next", "another"},
		{"foo", long[:100], long, long},
		{"foo\r\nbar", "a\rb", "c\nd"},
		{"foo\x00bar", "a\x00b", "\x00"},
		{"foo\xff\x80", "\xc3\x28", "'\"\\"},
		append([]string{"foo"}, strings.Split(strings.Repeat("a,", 200), ",")...),
		append([]string{"foo"}, make([]string, 200)...),
		{"get2", "k"},
		{"config|get", "k"},
		{"OBJECT", "nosuch", "k"},
		{"object", long},
		{"Object", "a\r\nb\x00c"},
		{"object", ""},
		{"xgroup", "creat", "k", "g", "$"},
		{"COMMAND", "nosuch"},
	} {
		compareError(p, request)
	}
}

func TestArityEqualsTheServers(t *testing.T) {
	p := dialPeer(t)
	checked := 0
	check := func(s *Spec, argc int) {
		request := strings.Split(s.Name, "|")
		if argc < len(request) {
			return
		}
		for len(request) < argc {
			request = append(request, "x")
		}
		compareError(p, request)
		checked++
	}
	for name, s := range everySpec() {
		if _, ok := newer[name]; ok || name == "exec" { // EXEC turns every error into EXECABORT
			continue
		}
		if s.Arity < 0 {
			check(s, -s.Arity-1)
			continue
		}
		check(s, s.Arity-1)
		check(s, s.Arity+1)
	}
	compareError(p, []string{"MSET", "a", "1", "b"})
	compareError(p, []string{"MSET", "a", "1", "b", "2", "c"})
	if checked < 400 {
		t.Errorf("only %d requests were compared", checked)
	}
}

func TestAppendRefusal(t *testing.T) {
	for name, want := range map[string]string{
		"multi":      "-ERR MULTI is no use\r\n",
		"config|set": "-ERR CONFIG SET is no use\r\n",
	} {
		if got := string(AppendRefusal(nil, everySpec()[name], "is no use")); got != want {
			t.Errorf("%s: %q", name, got)
		}
	}
}
