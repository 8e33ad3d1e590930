package main

import (
	"context"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/cashew-proxy/cashew/internal/demo"
)

func demoCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "demo [--duration TIME]",
		Short: "Run in front of Redis and memcached servers of its own, to look at",
		Args:  between(0, 0),
	}
	duration := c.Flags().Duration("duration", 0, "end after this time, such as 10s (default: at Ctrl-C)")
	c.RunE = func(cmd *cobra.Command, _ []string) error {
		ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
		defer stop()
		context.AfterFunc(ctx, stop) // a second signal kills
		out := cmd.OutOrStdout()
		return demo.Run(ctx, demo.Options{Out: out, Terminal: isTerminal(out), Duration: *duration})
	}
	return c
}

// isTerminal tells whether lines can be rewritten. Other character devices do not mind.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
