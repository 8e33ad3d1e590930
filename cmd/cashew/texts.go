package main

import (
	"fmt"
	"runtime"
	"strings"

	"github.com/cashew-proxy/cashew/internal/daemon"
	"github.com/cashew-proxy/cashew/internal/metrics"
)

// twemproxyVersion is the release whose behaviour is reproduced; scripts read it from -V.
const twemproxyVersion = "0.5.0"

// banner is what -V prints. Under nutcracker's name the first line is nutcracker's.
func banner(program string) string {
	if program == compatName {
		return fmt.Sprintf("This is nutcracker-%s\nprovided by cashew-%s (%s/%s)\n\n", twemproxyVersion, daemon.Version(),
			runtime.GOOS, runtime.GOARCH)
	}
	return fmt.Sprintf("This is cashew-%s\nin place of nutcracker-%s (%s/%s)\n\n", daemon.Version(), twemproxyVersion,
		runtime.GOOS, runtime.GOARCH)
}

func usage(program string) string {
	text := `Usage: PROGRAM [-hVdDt] [-v verbosity level] [-o output file]
               [-c conf file] [-s stats port] [-a stats addr]
               [-i stats interval] [-p pid file] [-m mbuf size]
`
	if program != compatName {
		text += "       PROGRAM COMMAND ...    (PROGRAM help lists the commands)\n"
	}
	return strings.ReplaceAll(text, "PROGRAM", program)
}

func options(program string, s site) string {
	var b strings.Builder
	b.WriteString("\nOptions:\n")
	o := defaults(program, s)
	for _, f := range flags {
		left := fmt.Sprintf("-%c, --%s", f.short, f.long)
		if f.value != "" {
			left += "=" + f.value
		}
		fmt.Fprintf(&b, "  %-22s : %s\n", left, f.explained(o))
	}
	return b.String()
}

// explained is what a flag does, and what it is without being given.
func (f *option) explained(o daemon.Options) string {
	if d := fallback(f.short, o); d != "" {
		return f.help + " (" + d + ")"
	}
	return f.help
}

// statsText is what -D prints after the banner. Programs that were written for nutcracker read it,
// so the descriptions are the ones they know.
func statsText() string {
	var b strings.Builder
	b.WriteString("pool stats:\n")
	for _, f := range metrics.PoolFields {
		fmt.Fprintf(&b, "  %-20s\"%s\"\n", f.Name, f.Description)
	}
	b.WriteString("\nserver stats:\n")
	for _, f := range metrics.ServerFields {
		fmt.Fprintf(&b, "  %-20s\"%s\"\n", f.Name, f.Description)
	}
	return b.String()
}
