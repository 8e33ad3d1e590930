package main

import (
	"fmt"
	"runtime"
	"strings"

	"github.com/cashew-proxy/cashew/internal/daemon"
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

func options(program string) string {
	return fmt.Sprintf(`
Options:
  -h, --help             : this help
  -V, --version          : the version
  -t, --test-conf        : check the configuration, say everything that is wrong with it
  -d, --daemonize        : run in the background
  -D, --describe-stats   : describe the statistics
  -v, --verbose=N        : log level (default: %d, min: 0, max: %d)
  -o, --output=S         : log file (default: standard error)
  -c, --conf-file=S      : configuration file (default: %s)
  -s, --stats-port=N     : port of the statistics (default: %d)
  -a, --stats-addr=S     : address of the statistics (default: %s)
  -i, --stats-interval=N : interval of the statistics in msec (default: %d)
  -p, --pid-file=S       : pid file (default: none)
  -m, --mbuf-size=N      : accepted for nutcracker's sake, without effect

Statistics are not served in this version: -s, -a and -i are checked only.
`, defaultVerbosity, daemon.MaxVerbosity, defaultConfig, defaultPort, defaults(program).StatsAddress, defaultInterval)
}

// field is one statistic of twemproxy's JSON.
type field struct{ name, description string }

var poolFields = []field{
	{"client_eof", "# eof on client connections"},
	{"client_err", "# errors on client connections"},
	{"client_connections", "# active client connections"},
	{"server_ejects", "# times backend server was ejected"},
	{"forward_error", "# times we encountered a forwarding error"},
	{"fragments", "# fragments created from a multi-vector request"},
}

var serverFields = []field{
	{"server_eof", "# eof on server connections"},
	{"server_err", "# errors on server connections"},
	{"server_timedout", "# timeouts on server connections"},
	{"server_connections", "# active server connections"},
	{"server_ejected_at", "timestamp when server was ejected in usec since epoch"},
	{"requests", "# requests"},
	{"request_bytes", "total request bytes"},
	{"responses", "# responses"},
	{"response_bytes", "total response bytes"},
	{"in_queue", "# requests in incoming queue"},
	{"in_queue_bytes", "current request bytes in incoming queue"},
	{"out_queue", "# requests in outgoing queue"},
	{"out_queue_bytes", "current request bytes in outgoing queue"},
}

// statsText is what -D prints after the banner. Programs that were written for nutcracker read it,
// so the descriptions are the ones they know.
func statsText() string {
	var b strings.Builder
	b.WriteString("pool stats:\n")
	for _, f := range poolFields {
		fmt.Fprintf(&b, "  %-20s\"%s\"\n", f.name, f.description)
	}
	b.WriteString("\nserver stats:\n")
	for _, f := range serverFields {
		fmt.Fprintf(&b, "  %-20s\"%s\"\n", f.name, f.description)
	}
	return b.String()
}
