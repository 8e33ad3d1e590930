package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/cashew-proxy/cashew/internal/config"
	"github.com/cashew-proxy/cashew/internal/console"
)

// adminVariable is the environment's word for --admin.
const adminVariable = "CASHEW_ADMIN"

// target is the running process that a command means, as the command line tells.
type target struct {
	admin, file, tokenFile string
	json                   *bool // nil if it writes none
}

// runningGroup are the commands that talk to a running process. Their exit code is 2 where the command line is wrong.
// plainGroup are the others.
const (
	runningGroup = "running"
	plainGroup   = "plain"
)

// targetFlags makes a command one that talks to a running process.
func targetFlags(c *cobra.Command) *target {
	t := new(target)
	c.GroupID = runningGroup
	f := c.Flags()
	f.StringVar(&t.admin, "admin", "", "where the process listens: `host:port`, or the path of a socket (default: $"+adminVariable+", or "+config.DefaultAdmin+")")
	f.StringVarP(&t.file, "conf-file", "c", "", "take address and token from the configuration `file` of the process")
	f.StringVar(&t.tokenFile, "token-file", "", "`file` that holds the token")
	return t
}

// jsonFlag adds the flag --json.
func (t *target) jsonFlag(c *cobra.Command) *target {
	t.json = jsonFlag(c)
	return t
}

// client is how the process is talked to. What is given on the command line beats the configuration, which beats
// the environment.
func (t *target) client() (*console.Client, error) {
	address, token := t.admin, ""
	if t.file != "" {
		c, _, err := config.Load(t.file, config.Options{})
		if err != nil {
			return nil, err
		}
		token = c.Process.AdminToken
		if address == "" && c.Process.Admin.Network == "" {
			return nil, fmt.Errorf("%s has \"admin: none\": the process cannot be talked to", t.file)
		}
		address = cmp.Or(address, dialable(c.Process.Admin))
	}
	if t.tokenFile != "" {
		b, err := os.ReadFile(t.tokenFile)
		if err != nil {
			return nil, err
		}
		token = strings.TrimSuffix(string(b), "\n")
	}
	return console.NewClient(cmp.Or(address, os.Getenv(adminVariable), config.DefaultAdmin), token)
}

// dialable is where to connect to who listens: on all addresses is on this machine's own, too.
func dialable(l config.Listen) string {
	host, port, err := net.SplitHostPort(l.Address)
	if ip := net.ParseIP(host); l.Network == "tcp" && err == nil && ip.IsUnspecified() {
		if ip.To4() == nil {
			return net.JoinHostPort("::1", port)
		}
		return net.JoinHostPort("127.0.0.1", port)
	}
	return l.Address
}

// exchange asks the process and writes its JSON, or what write makes of the answer.
func exchange[T any](cmd *cobra.Command, t *target, method, path string, body any, write func(T) error) error {
	client, err := t.client()
	if err != nil {
		return err
	}
	b, err := client.Do(cmd.Context(), method, path, body)
	if err != nil {
		return err
	}
	if *t.json {
		return writeJSON(cmd, b)
	}
	var answer T
	if err := client.Read(b, &answer); err != nil {
		return err
	}
	return write(answer)
}

// ofPools asks of the pool that args name, or of all, and writes the answer as JSON or as write does.
func ofPools[T any](
	cmd *cobra.Command, t *target, args []string, ask func(c *console.Client, pool string) ([]T, error), write func(io.Writer, []T) error,
) error {
	client, err := t.client()
	if err != nil {
		return err
	}
	pool := ""
	if len(args) == 1 {
		pool = args[0]
	}
	list, err := ask(client, pool)
	switch {
	case err != nil:
		return err
	case *t.json:
		return encode(cmd.OutOrStdout(), list)
	}
	return write(cmd.OutOrStdout(), list)
}

// order has the process do something, and says what was done.
func order(cmd *cobra.Command, t *target, method, path string, body any, done string, args ...any) error {
	client, err := t.client()
	if err != nil {
		return err
	}
	b, err := client.Do(cmd.Context(), method, path, body)
	switch {
	case err != nil:
		return err
	case *t.json:
		return writeJSON(cmd, b)
	}
	_, err = fmt.Fprintf(cmd.OutOrStdout(), done+"\n", args...)
	return err
}

// errUsage is in errors that the command line is to blame for.
var errUsage = errors.New("usage")

// usageError is one of them.
type usageError struct{ error }

func (usageError) Is(err error) bool { return err == errUsage }

// completePatience is how long who presses the tabulator waits for a process that does not answer.
const completePatience = 2 * time.Second

// completeNames completes a pool, and after it one of its servers if there is to be one, from the running process.
func completeNames(t *target, servers bool) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, begun string) ([]string, cobra.ShellCompDirective) {
		if len(args) > 1 || len(args) == 1 && !servers {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		ctx, cancel := context.WithTimeout(context.Background(), completePatience)
		defer cancel()
		client, err := t.client()
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		status, err := client.Status(ctx)
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		var names []string
		for _, p := range status.Pools {
			if len(args) == 0 {
				names = append(names, p.Name)
			} else if p.Name == args[0] {
				for _, s := range p.Servers {
					names = append(names, s.Name)
				}
			}
		}
		return beginning(names, begun), cobra.ShellCompDirectiveNoFileComp
	}
}

// beginning are the names that begin with a text, those left out that no shell could have completed.
func beginning(names []string, begun string) (some []string) {
	for _, n := range names {
		if n != "" && strings.HasPrefix(n, begun) && !strings.ContainsAny(n, "\t\n") {
			some = append(some, n)
		}
	}
	return some
}
