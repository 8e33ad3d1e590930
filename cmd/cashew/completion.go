package main

import (
	"fmt"

	"github.com/spf13/cobra"
)

var shells = []string{"bash", "zsh", "fish"}

func completionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "completion bash|zsh|fish",
		Short: "Write a script that completes commands, pools and servers in a shell",
		Long: "Write a script that completes commands, flags, pools and servers in a shell; pools and servers are those of the\n" +
			"running process. The Debian package has installed it.",
		Example:   "  source <(cashew completion bash)\n  cashew completion fish > ~/.config/fish/completions/cashew.fish",
		Args:      between(1, 1),
		ValidArgs: shells,
		RunE: func(cmd *cobra.Command, args []string) error {
			root, out := cmd.Root(), cmd.OutOrStdout()
			switch args[0] {
			case "bash":
				return root.GenBashCompletionV2(out, true)
			case "zsh":
				return root.GenZshCompletion(out)
			case "fish":
				return root.GenFishCompletion(out, true)
			}
			return fmt.Errorf("there is no script for %q; there are for bash, zsh and fish", args[0])
		},
	}
}

// isCompletion says that a word is what those scripts call. cobra adds the command at the last moment.
func isCompletion(word string) bool {
	return word == cobra.ShellCompRequestCmd || word == cobra.ShellCompNoDescRequestCmd
}
