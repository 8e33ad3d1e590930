package main

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/cashew-proxy/cashew/internal/daemon"
)

// action is what a command line of flags asks for.
type action uint8

const (
	serve action = iota
	testConfig
	describeStats
	showHelp
	showVersion
)

const (
	aNumber = "a number"
	aFile   = "a file name"
	aString = "a string"
)

// flags are nutcracker's.
var flags = []option{
	{'h', "help", ""},
	{'V', "version", ""},
	{'t', "test-conf", ""},
	{'d', "daemonize", ""},
	{'D', "describe-stats", ""},
	{'v', "verbose", aNumber},
	{'o', "output", aFile},
	{'c', "conf-file", aFile},
	{'s', "stats-port", aNumber},
	{'i', "stats-interval", aNumber},
	{'a', "stats-addr", aString},
	{'p', "pid-file", aFile},
	{'m', "mbuf-size", aNumber},
}

// The defaults, which are twemproxy's but for the address of the statistics.
const (
	defaultVerbosity = 5
	defaultPort      = 22222
	defaultAddress   = "127.0.0.1"
	compatAddress    = "0.0.0.0"

	minMbuf = 512
	maxMbuf = 16777216
)

func defaults(program string, s site) daemon.Options {
	o := daemon.Options{
		Program: program, Compat: program == compatName, ConfigFile: s.config, LogFile: s.log, Verbosity: defaultVerbosity,
		StatsAddress: defaultAddress, StatsPort: defaultPort, TwemproxyVersion: twemproxyVersion,
	}
	if o.Compat {
		o.StatsAddress = compatAddress
	}
	return o
}

// parseFlags reads nutcracker's command line, without the program's name. s has the files that it leaves
// open.
func parseFlags(program string, s site, args []string) (daemon.Options, action, error) {
	o, do, pidGiven := defaults(program, s), serve, false
	err := getopt(args, flags, func(g given) error {
		switch g.short {
		case 'h':
			do = max(do, showHelp)
		case 'V':
			do = max(do, showVersion)
		case 'D':
			do = max(do, describeStats)
		case 't':
			do = max(do, testConfig)
		case 'p':
			o.PidFile, pidGiven = g.arg, true
		default:
			return setFlag(&o, g)
		}
		return nil
	})
	if o.Background && !pidGiven {
		o.PidFile = s.pid
	}
	return o, do, err
}

func setFlag(o *daemon.Options, g given) (err error) {
	switch g.short {
	case 'd':
		o.Background = true
	case 'v':
		o.Verbosity, err = flagNumber(g)
		o.Verbosity = min(o.Verbosity, daemon.MaxVerbosity)
	case 'o':
		o.LogFile = g.arg
	case 'c':
		o.ConfigFile = g.arg
	case 's':
		o.StatsPort, err = flagNumber(g)
		if err == nil && (o.StatsPort < 1 || o.StatsPort > 65535) {
			err = fmt.Errorf("option -s value %s is not a valid port", g.arg)
		}
	case 'i':
		var n int
		n, err = flagNumber(g)
		if err == nil && n > math.MaxInt32 {
			err = fmt.Errorf("option -i value %s is more than %d", g.arg, math.MaxInt32)
		}
		o.IntervalGiven = true
	case 'a':
		o.StatsAddress = g.arg
	case 'm':
		err = checkMbuf(g)
		o.MbufGiven = true
	}
	return err
}

func checkMbuf(g given) error {
	n, err := flagNumber(g)
	if err != nil || n == 0 {
		return fmt.Errorf("option -m requires a non-zero number")
	}
	if n < minMbuf || n > maxMbuf {
		return fmt.Errorf("mbuf chunk size must be between %d and %d bytes", minMbuf, maxMbuf)
	}
	return nil
}

// flagNumber accepts digits only. A number beyond int is the largest one: no flag allows it.
func flagNumber(g given) (int, error) {
	if g.arg == "" || strings.Trim(g.arg, "0123456789") != "" {
		return 0, fmt.Errorf("option -%c requires a number", g.short)
	}
	n, err := strconv.Atoi(g.arg)
	if err != nil {
		return math.MaxInt, nil
	}
	return n, nil
}
