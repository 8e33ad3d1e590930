package main

import (
	"errors"

	"github.com/spf13/cobra"

	"github.com/cashew-proxy/cashew/internal/config"
	"github.com/cashew-proxy/cashew/internal/control"
)

// errDiffer makes the exit code 1, which is no failure: as in diff(1), 2 is one.
var errDiffer = errors.New("the configurations differ")

func diffCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "diff [--json] OLD NEW",
		Short: "Tell what a changed configuration changes, and how many keys move",
		Long: "Tell what a changed configuration changes: pools, keys of the configuration, and servers; the share of each\n" +
			"pool's keys that would be on another server; and which changes need a restart.\n\n" +
			"The exit code is 0 if nothing differs, 1 if something does, and 2 if a file is not valid.",
		Example: "  cashew diff nutcracker.yml next.yml",
		Args:    between(2, 2),
	}
	asJSON := jsonFlag(c)
	c.RunE = func(cmd *cobra.Command, args []string) error {
		old, _, err := config.Load(args[0], config.Options{})
		new, _, err2 := config.Load(args[1], config.Options{})
		if err := errors.Join(err, err2); err != nil {
			return err
		}
		d := control.Compare(old, new)
		err = show(cmd, *asJSON, d)
		if err == nil && len(d.Changes) > 0 {
			err = errDiffer
		}
		return err
	}
	return c
}
