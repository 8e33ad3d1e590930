package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/cashew-proxy/cashew/internal/config"
	"github.com/cashew-proxy/cashew/internal/daemon"
)

// commands are the words that may follow "cashew"; each is made by a function of this list.
var commands = []func() *cobra.Command{
	completionCommand,
	demoCommand,
	diffCommand,
	explainCommand,
	ringCommand,
	versionCommand,

	clientsCommand,
	hotCommand,
	slowlogCommand,
	configCommand,
	drainCommand,
	ejectCommand,
	eventsCommand,
	logLevelCommand,
	pauseCommand,
	readmitCommand,
	reloadCommand,
	resumeCommand,
	statusCommand,
	topCommand,
}

// runCommand runs the command that the first word names. It returns the exit code.
func runCommand(args []string, stdout, stderr io.Writer) int {
	root, asJSON := newRoot(), wantsJSON(args)
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	wanted := args
	if args[0] == "help" && len(args) > 1 {
		wanted = args[1:] // cobra calls an unknown one a success
	}
	if c, _, err := root.Find(wanted); (err != nil || c == root) && !isCompletion(wanted[0]) {
		tell(stderr, asJSON, fmt.Errorf("no command %q%s; \"cashew help\" lists the commands, and flags begin with a dash",
			wanted[0], meant(root.SuggestionsFor(wanted[0]))))
		return 1
	}
	c, err := root.ExecuteC()
	switch {
	case err == nil:
		return 0
	case errors.Is(err, errDiffer):
		return 1 // all is said
	}
	tell(stderr, asJSON, err)
	if c.Name() == "diff" || c.GroupID == runningGroup && errors.Is(err, errUsage) {
		return 2
	}
	return 1
}

// complain writes an error that may have several lines, each with the program's name.
func complain(w io.Writer, program string, err error) {
	for line := range strings.Lines(err.Error() + "\n") {
		fmt.Fprintf(w, "%s: %s", program, line)
	}
}

// between wants a number of words after the command; atMost -1 is no bound. Its error says how the
// command is used.
func between(atLeast, atMost int) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if len(args) >= atLeast && (atMost < 0 || len(args) <= atMost) {
			return nil
		}
		return usageError{fmt.Errorf("wrong number of words; usage: %s", c.UseLine())}
	}
}

func meant(suggestions []string) string {
	if len(suggestions) == 0 {
		return ""
	}
	return fmt.Sprintf(", did you mean %q", suggestions[0])
}

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:   "cashew",
		Short: "A proxy for Redis and memcached",
		Long: "cashew is a proxy for Redis and memcached.\n\n" +
			"Without a command it serves, and takes the flags of nutcracker (cashew -h lists them).",
		SilenceUsage:               true,
		SilenceErrors:              true,
		SuggestionsMinimumDistance: 2,
		CompletionOptions:          cobra.CompletionOptions{DisableDefaultCmd: true},
	}
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	root.AddGroup(&cobra.Group{ID: plainGroup, Title: "Commands:"}, &cobra.Group{ID: runningGroup, Title: "Commands for a running process:"})
	for _, make := range commands {
		c := make()
		c.DisableFlagsInUseLine = true
		c.GroupID = cmp.Or(c.GroupID, plainGroup)
		root.AddCommand(c)
	}
	root.SetHelpCommandGroupID(plainGroup)
	root.InitDefaultHelpCmd()
	return root
}

// configFlag adds the flag -c to a command that reads a configuration.
func configFlag(c *cobra.Command) *string {
	return c.Flags().StringP("conf-file", "c", usual.config, "configuration file")
}

func explainCommand() *cobra.Command {
	c := &cobra.Command{
		Use:     "explain -c FILE [--json] POOL KEY...",
		Short:   "Tell on which server keys live, and why",
		Example: "  cashew explain -c nutcracker.yml alpha user:1000 '{user:1000}:cart'",
		Args:    between(2, -1),
	}
	file, asJSON := configFlag(c), jsonFlag(c)
	c.RunE = func(cmd *cobra.Command, args []string) error {
		cfg, _, err := config.Load(*file, config.Options{})
		if err != nil {
			return err
		}
		x, err := daemon.Explain(cfg, args[0], args[1:])
		if err != nil {
			return err
		}
		return show(cmd, *asJSON, x)
	}
	return c
}

func ringCommand() *cobra.Command {
	c := &cobra.Command{
		Use:     "ring -c FILE [--json] [POOL]",
		Short:   "Show how keys spread over the servers, and what is wrong with it",
		Example: "  cashew ring -c nutcracker.yml alpha",
		Args:    between(0, 1),
	}
	file, asJSON := configFlag(c), jsonFlag(c)
	c.RunE = func(cmd *cobra.Command, args []string) error {
		cfg, _, err := config.Load(*file, config.Options{})
		if err != nil {
			return err
		}
		pool := ""
		if len(args) == 1 {
			pool = args[0]
		}
		rings, err := daemon.DescribeRings(cfg, pool)
		if err != nil {
			return err
		}
		return show(cmd, *asJSON, rings)
	}
	return c
}

func versionCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "version [--json]",
		Short: "Print the version",
		Args:  between(0, 0),
	}
	asJSON := jsonFlag(c)
	c.RunE = func(cmd *cobra.Command, _ []string) error {
		return show(cmd, *asJSON, version{daemon.Version(), twemproxyVersion})
	}
	return c
}

// version is cashew's, and that of the twemproxy in whose place it is.
type version struct {
	Version   string `json:"version"`
	Twemproxy string `json:"twemproxy"`
}

func (v version) Write(w io.Writer) error {
	_, err := fmt.Fprintln(w, "cashew", v.Version)
	return err
}
