package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

// manPage is packaging/cashew.1, made of the flags and commands that there are; a test keeps it current.
func manPage() string {
	m := new(roff)
	m.raw(".TH CASHEW 1\n.SH NAME\ncashew \\- proxy for Redis and memcached, in place of twemproxy\n")
	root := newRoot()
	m.synopsis(root)
	m.raw(manDescription)
	m.raw(".SH OPTIONS\nThese are nutcracker's.\n")
	o := defaults("cashew", usual)
	for _, f := range flags {
		m.term(fmt.Sprintf("-%c, --%s", f.short, f.long), f.value)
		m.text(capital(f.explained(o)) + ".")
	}
	m.raw(".SH COMMANDS\n")
	for _, g := range root.Groups() {
		if g.ID == runningGroup {
			m.raw(manRunning)
			m.flags(statusCommand()) // it has no others
		}
		for _, c := range root.Commands() {
			if c.GroupID == g.ID && c.Name() != "help" {
				m.command(c)
			}
		}
	}
	m.raw(manRest)
	return m.String()
}

// shared are the flags of the commands for a running process, explained once.
var shared = []string{"admin", "conf-file", "token-file", "json"}

// roff is a page for man(1) as it grows.
type roff struct{ strings.Builder }

func (m *roff) raw(text string) { m.WriteString(text) }

// text writes text, whose empty lines part paragraphs.
func (m *roff) text(text string) {
	for i, paragraph := range strings.Split(text, "\n\n") {
		if i > 0 {
			m.raw(".sp\n")
		}
		for line := range strings.Lines(paragraph) {
			m.raw(escaped(strings.TrimSuffix(line, "\n")) + "\n")
		}
	}
}

// term begins what is explained: a name in bold, and a value in italics.
func (m *roff) term(name, value string) {
	m.raw(".TP\n\\fB" + escaped(name) + "\\fR")
	if value != "" {
		m.raw("=\\fI" + escaped(value) + "\\fR")
	}
	m.raw("\n")
}

func (m *roff) synopsis(root *cobra.Command) {
	m.raw(".SH SYNOPSIS\n\\fBcashew\\fR")
	alone := ""
	for _, f := range flags {
		if f.value == "" {
			alone += string(f.short)
		}
	}
	m.raw(" [\\fB" + escaped("-"+alone) + "\\fR]")
	for _, f := range flags {
		if f.value != "" {
			fmt.Fprintf(m, " [\\fB%s\\fR \\fI%s\\fR]", escaped("-"+string(f.short)), f.value)
		}
	}
	m.raw("\n")
	for _, c := range root.Commands() {
		if c.Name() != "help" {
			m.raw(".br\n\\fBcashew\\fR " + escaped(c.Use) + "\n")
		}
	}
}

func (m *roff) command(c *cobra.Command) {
	m.term(c.Use, "")
	what := c.Long
	if what == "" {
		what = c.Short + "."
	}
	m.text(what)
	if c.GroupID == runningGroup {
		for _, name := range shared {
			_ = c.Flags().MarkHidden(name) // not all commands have all of them
		}
	}
	m.flags(c)
}

// flags explains those of a command that are not hidden.
func (m *roff) flags(c *cobra.Command) {
	usages := c.Flags().FlagUsagesWrapped(72)
	if usages == "" {
		return
	}
	m.raw(".sp\n.nf\n")
	m.text(strings.TrimSuffix(usages, "\n"))
	m.raw(".fi\n")
}

// escaped is text that roff takes as it is.
func escaped(text string) string {
	text = strings.NewReplacer(`\`, `\e`, "-", `\-`).Replace(text)
	if strings.HasPrefix(text, ".") || strings.HasPrefix(text, "'") {
		text = `\&` + text
	}
	return text
}

func capital(text string) string { return strings.ToUpper(text[:1]) + text[1:] }

const manDescription = `.SH DESCRIPTION
Applications connect to cashew, and each key goes to the one of many servers that owns it. Configuration
file, command line and the place of every key are those of twemproxy
.RB ( nutcracker ).
Called under the name
.BR nutcracker ,
it keeps twemproxy's defaults as well.
`

const manRunning = `.SS For a running process
They talk to the address of
.B admin:
in the configuration of the process. These flags are common to them:
`

const manRest = `.SH SIGNALS
SIGTERM and SIGINT end cashew when clients have what they have asked for; once more, at once. SIGHUP opens the log again, SIGUSR1 reloads the configuration.
SIGTTIN and SIGTTOU log more and less.
.SH ENVIRONMENT
.TP
.B CASHEW_ADMIN
Where the commands for a running process find it, if no flag says so.
.SH FILES
.TP
.I /etc/cashew/cashew.yml
The configuration of the service.
.TP
.I /usr/lib/cashew/nutcracker
A link to cashew for those who take it for nutcracker.
.TP
.I /usr/share/doc/cashew/examples/cashew.yml
A configuration with every key.
.SH EXIT STATUS
0 after an orderly end, 1 if there was no start, or the end came at once. Of commands: 0 if it is done, 1 if it is not, and of those for a running
process 2 if the command line is wrong. Of cashew diff: 0 if nothing differs, 1 if something does, 2 if a file is not valid.
`
