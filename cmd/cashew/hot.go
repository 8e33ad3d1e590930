package main

import (
	"net/http"

	"github.com/spf13/cobra"

	"github.com/cashew-proxy/cashew/internal/admin"
	"github.com/cashew-proxy/cashew/internal/console"
)

func hotCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "hot [--json] [POOL]",
		Short: "Show the keys that are asked for most, and the biggest",
		Long: "Show the keys that are asked for most, and those that move the most bytes, by samples of the last minutes: one\n" +
			"of so many requests as hotkeys_sample says.",
		Example: "  cashew hot alpha",
		Args:    between(0, 1),
	}
	t := targetFlags(c).jsonFlag(c)
	c.ValidArgsFunction = completeNames(t, false)
	c.RunE = func(cmd *cobra.Command, args []string) error {
		ask := func(client *console.Client, pool string) ([]admin.HotKeys, error) {
			return client.Hot(cmd.Context(), pool)
		}
		return ofPools(cmd, t, args, ask, console.WriteHot)
	}
	return c
}

func slowlogCommand() *cobra.Command {
	c := &cobra.Command{
		Use:     "slowlog [--json]",
		Short:   "Show the last slow requests",
		Long:    "Show the last requests that took longer than slowlog_threshold, the latest first.",
		Example: "  cashew slowlog",
		Args:    between(0, 0),
	}
	t := targetFlags(c).jsonFlag(c)
	c.RunE = func(cmd *cobra.Command, _ []string) error {
		return exchange(cmd, t, http.MethodGet, console.SlowLogPath, nil, func(list []admin.SlowRequest) error {
			return console.WriteSlow(cmd.OutOrStdout(), list)
		})
	}
	return c
}
