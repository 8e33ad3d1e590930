package main

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"
)

func topCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "top",
		Short: "Watch the running process live, in a terminal",
		Long: "Watch the running process live: pools, servers, rates of the last second, and what happens.\n\n" +
			"up and down choose a pool, s changes the order of its servers, page up and page down go through them, q ends.",
		Example: "  cashew top",
		Args:    between(0, 0),
	}
	t := targetFlags(c)
	c.RunE = func(cmd *cobra.Command, _ []string) error {
		in, out := cmd.InOrStdin(), cmd.OutOrStdout()
		if !hasScreen(in) || !hasScreen(out) {
			return errors.New("top needs a terminal; \"cashew status\" and \"cashew events -f\" need none")
		}
		client, err := t.client()
		if err != nil {
			return err
		}
		ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
		defer stop()
		return client.Top(ctx, in, out)
	}
	return c
}

// hasScreen says that a file is a terminal that can be drawn on.
func hasScreen(file any) bool {
	f, ok := file.(*os.File)
	if !ok || os.Getenv("TERM") == "dumb" {
		return false
	}
	_, err := unix.IoctlGetWinsize(int(f.Fd()), unix.TIOCGWINSZ)
	return err == nil
}
