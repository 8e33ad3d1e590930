package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/cashew-proxy/cashew/internal/admin"
	"github.com/cashew-proxy/cashew/internal/config"
	"github.com/cashew-proxy/cashew/internal/console"
	"github.com/cashew-proxy/cashew/internal/control"
	"github.com/cashew-proxy/cashew/internal/daemon"
)

func statusCommand() *cobra.Command {
	c := &cobra.Command{
		Use:     "status [--json]",
		Short:   "Show the running process, its pools and their servers",
		Example: "  cashew status\n  cashew status --admin /run/cashew/admin.sock --json",
		Args:    between(0, 0),
	}
	t := targetFlags(c).jsonFlag(c)
	c.RunE = func(cmd *cobra.Command, _ []string) error {
		return exchange(cmd, t, http.MethodGet, console.StatusPath, nil, func(s *admin.Status) error {
			return console.WriteStatus(cmd.OutOrStdout(), s)
		})
	}
	return c
}

func clientsCommand() *cobra.Command {
	c := &cobra.Command{
		Use:     "clients [--limit N] [--json] [POOL]",
		Short:   "List the clients of a pool, or of all",
		Example: "  cashew clients alpha",
		Args:    between(0, 1),
	}
	t := targetFlags(c).jsonFlag(c)
	limit := c.Flags().Int("limit", 0, "the most that are listed (default: the process decides)")
	c.ValidArgsFunction = completeNames(t, false)
	c.RunE = func(cmd *cobra.Command, args []string) error {
		ask := func(client *console.Client, pool string) ([]admin.Client, error) {
			return client.Clients(cmd.Context(), pool, *limit)
		}
		return ofPools(cmd, t, args, ask, console.WriteClients)
	}
	return c
}

func ejectCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "eject [--json] POOL SERVER",
		Short: "Take a server out of its pool until it is readmitted",
		Long: "Take a server out of its pool until it is readmitted. What becomes of its keys is what on_eject says. Unlike a\n" +
			"server that has failed it is not probed, and does not return by itself.",
		Example: "  cashew eject alpha server1",
		Args:    between(2, 2),
	}
	t := targetFlags(c).jsonFlag(c)
	c.ValidArgsFunction = completeNames(t, true)
	c.RunE = func(cmd *cobra.Command, args []string) error {
		return order(cmd, t, http.MethodPost, console.ServerPath(args[0], args[1], "eject"), nil,
			"%s is out of pool %s until it is readmitted", console.Name(args[1]), console.Name(args[0]))
	}
	return c
}

func readmitCommand() *cobra.Command {
	c := &cobra.Command{
		Use:     "readmit [--json] POOL SERVER",
		Short:   "Let a server back into its pool",
		Long:    "Let a server back into its pool, one that was ejected by hand or because it failed. It is not probed before.",
		Example: "  cashew readmit alpha server1",
		Args:    between(2, 2),
	}
	t := targetFlags(c).jsonFlag(c)
	c.ValidArgsFunction = completeNames(t, true)
	c.RunE = func(cmd *cobra.Command, args []string) error {
		return order(cmd, t, http.MethodPost, console.ServerPath(args[0], args[1], "readmit"), nil,
			"%s is back in pool %s", console.Name(args[1]), console.Name(args[0]))
	}
	return c
}

// longestPause is the API's.
const longestPause = time.Hour

func pauseCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "pause [--for TIME] [--writes] [--json] POOL",
		Short: "Have the requests of a pool wait",
		Long: "Have the requests of a pool wait, until the time is over or the pool is resumed: clients see no error, only a\n" +
			"slow answer, while one of their servers is restarted, for instance.",
		Example: "  cashew pause alpha --for 10s --writes",
		Args:    between(1, 1),
	}
	t := targetFlags(c).jsonFlag(c)
	length := c.Flags().Duration("for", 30*time.Second, "how long at most: 1ms to 1h")
	writes := c.Flags().Bool("writes", false, "only requests that may change data")
	c.ValidArgsFunction = completeNames(t, false)
	c.RunE = func(cmd *cobra.Command, args []string) error {
		if *length < time.Millisecond || *length > longestPause {
			return usageError{fmt.Errorf("a pause of %v is not possible; it takes 1ms to 1h", *length)}
		}
		what := "requests"
		if *writes {
			what = "writes"
		}
		return order(cmd, t, http.MethodPost, console.PoolPath(args[0], "pause"),
			admin.Pause{Milliseconds: length.Milliseconds(), WritesOnly: *writes},
			"%s of pool %s wait for %v, or until it is resumed", what, console.Name(args[0]), *length)
	}
	return c
}

func resumeCommand() *cobra.Command {
	c := &cobra.Command{
		Use:     "resume [--json] POOL",
		Short:   "End the pause of a pool",
		Example: "  cashew resume alpha",
		Args:    between(1, 1),
	}
	t := targetFlags(c).jsonFlag(c)
	c.ValidArgsFunction = completeNames(t, false)
	c.RunE = func(cmd *cobra.Command, args []string) error {
		return order(cmd, t, http.MethodPost, console.PoolPath(args[0], "resume"), nil, "pool %s goes on", console.Name(args[0]))
	}
	return c
}

func drainCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "drain [--json]",
		Short: "Have the process end as soon as clients have what they asked for",
		Long: "Have the process end, as SIGTERM does: nobody new is accepted, and clients get what they have asked for, within\n" +
			"shutdown_timeout.",
		Args: between(0, 0),
	}
	t := targetFlags(c).jsonFlag(c)
	c.RunE = func(cmd *cobra.Command, _ []string) error {
		return order(cmd, t, http.MethodPost, "/api/drain", nil, "draining")
	}
	return c
}

func reloadCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "reload [--dry-run] [--json]",
		Short: "Have the process read its configuration again, and tell what changes",
		Long: "Have the process read its configuration again, and tell what changes, which keys move, and what needs a restart.\n" +
			"If anything is wrong with the file nothing changes, and all mistakes are told.",
		Example: "  cashew reload --dry-run",
		Args:    between(0, 0),
	}
	t := targetFlags(c).jsonFlag(c)
	dry := c.Flags().Bool("dry-run", false, "change nothing, only tell")
	c.RunE = func(cmd *cobra.Command, _ []string) error {
		return exchange(cmd, t, http.MethodPost, "/api/reload", admin.ReloadRequest{DryRun: *dry}, func(d control.Differences) error {
			return d.Write(cmd.OutOrStdout())
		})
	}
	return c
}

func logLevelCommand() *cobra.Command {
	c := &cobra.Command{
		Use:     "log-level [--json] [N]",
		Short:   "Tell or change what the process logs, as -v does",
		Example: "  cashew log-level\n  cashew log-level 4",
		Args:    between(0, 1),
	}
	t := targetFlags(c).jsonFlag(c)
	c.RunE = func(cmd *cobra.Command, args []string) error {
		const path = "/api/log-level"
		write := func(l admin.Level) error {
			_, err := fmt.Fprintf(cmd.OutOrStdout(), "the level is %d\n", l.Level)
			return err
		}
		if len(args) == 0 {
			return exchange(cmd, t, http.MethodGet, path, nil, write)
		}
		n, err := strconv.Atoi(args[0])
		if err != nil || n < 0 || n > daemon.MaxVerbosity {
			return usageError{fmt.Errorf("%q is no level; they are 0 to %d, and 5 is the usual one", args[0], daemon.MaxVerbosity)}
		}
		return exchange(cmd, t, http.MethodPut, path, admin.Level{Level: n}, write)
	}
	return c
}

func configCommand() *cobra.Command {
	c := &cobra.Command{
		Use:     "config [--json]",
		Short:   "Print the configuration that is in force, without passwords",
		Example: "  cashew config",
		Args:    between(0, 0),
	}
	t := targetFlags(c).jsonFlag(c)
	c.RunE = func(cmd *cobra.Command, _ []string) error {
		client, err := t.client()
		if err != nil {
			return err
		}
		b, err := client.Do(cmd.Context(), http.MethodGet, "/api/config", nil)
		if err == nil && *t.json {
			if b, err = config.JSON(b); err == nil {
				return writeJSON(cmd, b)
			}
		}
		if err == nil {
			_, err = cmd.OutOrStdout().Write(b)
		}
		return err
	}
	return c
}

func eventsCommand() *cobra.Command {
	c := &cobra.Command{
		Use:     "events [-f] [-n N] [--json]",
		Short:   "Show what has happened lately, or follow it",
		Example: "  cashew events -n 50\n  cashew events -f",
		Args:    between(0, 0),
	}
	t := targetFlags(c).jsonFlag(c)
	follow := c.Flags().BoolP("follow", "f", false, "go on with what happens from then on, until Ctrl-C")
	number := c.Flags().IntP("number", "n", 20, "how many of the past")
	c.RunE = func(cmd *cobra.Command, _ []string) error {
		if *number < 0 || *number > mostEvents || *number == 0 && !*follow {
			return usageError{fmt.Errorf("-n is 1 to %d, and with -f it may be 0", mostEvents)}
		}
		client, err := t.client()
		if err != nil {
			return err
		}
		ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
		defer stop()
		write := func(list []admin.Event) error { return console.WriteEvents(cmd.OutOrStdout(), list) }
		if *t.json {
			write = func(list []admin.Event) error { return writeEvents(cmd.OutOrStdout(), list, *follow) }
		}
		list, err := client.Latest(ctx, max(*number, 1))
		if err != nil {
			return err
		}
		after := uint64(0)
		if len(list) > 0 {
			after = list[len(list)-1].Number
		}
		if *number == 0 {
			list = nil
		}
		if err := write(list); err != nil || !*follow {
			return err
		}
		err = client.Follow(ctx, after, write, func(trouble error) { tell(cmd.ErrOrStderr(), *t.json, trouble) })
		if errors.Is(err, context.Canceled) {
			return nil // Ctrl-C is how one leaves
		}
		return err
	}
	return c
}

// mostEvents is how many the process keeps.
const mostEvents = 1000

// writeEvents writes JSON: all in one, or each by itself on a line if there are more to come.
func writeEvents(w io.Writer, list []admin.Event, follow bool) error {
	if !follow {
		return encode(w, list)
	}
	for _, one := range list {
		if err := encodeLine(w, one); err != nil {
			return err
		}
	}
	return nil
}
