package main

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"github.com/cashew-proxy/cashew/internal/admin"
)

func topCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "top [--json]",
		Short: "Watch the running process live, in a terminal",
		Long: "Watch the running process live: pools, servers, rates of the last second, and what happens.\n\n" +
			"up and down choose a pool, s changes the order of its servers, page up and page down go through them, q ends.\n\n" +
			"With --json it needs no terminal: it writes what status --json does, each second, on one line.",
		Example: "  cashew top",
		Args:    between(0, 0),
	}
	t := targetFlags(c).jsonFlag(c)
	c.RunE = func(cmd *cobra.Command, _ []string) error {
		in, out := cmd.InOrStdin(), cmd.OutOrStdout()
		if *t.json {
			return watch(cmd, t)
		}
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

// watch is top for programs.
func watch(cmd *cobra.Command, t *target) error {
	client, err := t.client()
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err = client.Watch(ctx, func(s *admin.Status) error { return encodeLine(cmd.OutOrStdout(), s) },
		func(trouble error) { tell(cmd.ErrOrStderr(), true, trouble) })
	if errors.Is(err, context.Canceled) {
		return nil // Ctrl-C is how one leaves
	}
	return err
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
