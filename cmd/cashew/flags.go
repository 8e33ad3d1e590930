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

// flags are nutcracker's, in the order in which they are explained.
var flags = []option{
	{'h', "help", "", "", "this help"},
	{'V', "version", "", "", "the version"},
	{'t', "test-conf", "", "", "check the configuration, say everything that is wrong with it"},
	{'d', "daemonize", "", "", "run in the background"},
	{'D', "describe-stats", "", "", "describe the statistics"},
	{'v', "verbose", aNumber, "N", "log level"},
	{'o', "output", aFile, "S", "log file"},
	{'c', "conf-file", aFile, "S", "configuration file"},
	{'s', "stats-port", aNumber, "N", "port of the statistics"},
	{'a', "stats-addr", aString, "S", `address of the statistics, or the path of a unix socket; "" for none`},
	{'i', "stats-interval", aNumber, "N", "accepted for nutcracker's sake, without effect: statistics are live"},
	{'p', "pid-file", aFile, "S", "pid file"},
	{'m', "mbuf-size", aNumber, "N", "accepted for nutcracker's sake, without effect"},
}

// fallback is what a flag is if it is not given, for people; "" if there is nothing to say.
func fallback(short byte, o daemon.Options) string {
	switch short {
	case 'v':
		return fmt.Sprintf("default: %d, min: 0, max: %d", defaultVerbosity, daemon.MaxVerbosity)
	case 'o':
		return "default: standard error"
	case 'c':
		return "default: " + o.ConfigFile
	case 's':
		return fmt.Sprintf("default: %d", defaultPort)
	case 'a':
		return "default: " + o.StatsAddress
	case 'p':
		return "default: none"
	}
	return ""
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
