// Command cashew is a proxy for Redis and memcached.
//
// It takes nutcracker's command line, and a few commands of its own. This package is flags and
// texts only; what they do is in internal/daemon.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/cashew-proxy/cashew/internal/config"
	"github.com/cashew-proxy/cashew/internal/daemon"
)

// compatName is the name under which twemproxy's defaults hold.
const compatName = "nutcracker"

func main() {
	os.Exit(execute(os.Args, os.Stdout, os.Stderr))
}

// execute is main with its surroundings as arguments. It returns the exit code.
func execute(args []string, stdout, stderr io.Writer) int {
	program, files := "cashew", usual
	if len(args) > 0 {
		files = siteOf(args[0], exists)
		if filepath.Base(args[0]) == compatName {
			program = compatName
		}
		args = args[1:]
	}
	// nutcracker ignores words that are no options; scripts written for it may hold some.
	if program != compatName && len(args) > 0 && !strings.HasPrefix(args[0], "-") {
		return runCommand(args, stdout, stderr)
	}
	o, action, err := parseFlags(program, files, args)
	if err != nil {
		fmt.Fprintf(stderr, "%s: %v\n%s", program, err, usage(program))
		return 1
	}
	o.Stderr = stderr
	switch action {
	case showHelp:
		fmt.Fprint(stderr, banner(program), usage(program), options(program, files))
		return 0
	case showVersion:
		fmt.Fprint(stderr, banner(program))
		return 0
	case describeStats:
		fmt.Fprint(stderr, banner(program), statsText())
		return 0
	case testConfig:
		return checkConfig(o)
	}
	return daemon.Run(context.Background(), o)
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// checkConfig is -t: everything that is wrong, then the verdict.
func checkConfig(o daemon.Options) int {
	_, warnings, err := config.Load(o.ConfigFile, config.Options{Compat: o.Compat})
	for _, w := range warnings {
		fmt.Fprintf(o.Stderr, "%s: warning: %s\n", o.Program, w)
	}
	if err != nil {
		complain(o.Stderr, o.Program, err)
	}
	fmt.Fprintf(o.Stderr, "%s: %s\n", o.Program, daemon.Verdict(o.ConfigFile, err == nil))
	if err != nil {
		return 1
	}
	return 0
}
