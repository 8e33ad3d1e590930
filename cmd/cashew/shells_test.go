package main

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// inShell completes a line in a shell, and returns what the shell has made of its last word.
type inShell func(t *testing.T, address, line string) string

// TestShells: the scripts work in the shells that they are for, with what is of this program and of the process that runs.
func TestShells(t *testing.T) {
	_, address := startFake(t, "")
	for name, complete := range map[string]inShell{"bash": inBash, "zsh": inZsh, "fish": inFish} {
		t.Run(name, func(t *testing.T) {
			if _, err := exec.LookPath(name); err != nil {
				t.Fatalf("this test needs %[1]s: scripts/peers.sh %[1]s installs it: %[2]v", name, err)
			}
			for _, c := range []struct{ words, want string }{
				{"rel", "reload"},
				{"eject al", "alpha"},
				{"eject alpha /run/", "/run/two:"},
				{"completion f", "fish"},
				{"completion nosuch", "nosuch"},
			} {
				line := "cashew " + c.words
				if got := complete(t, address, line); got != c.want && !(got == "" && c.words == "completion nosuch") {
					t.Errorf("%s: %q, want %q", line, got, c.want)
				}
			}
		})
	}
}

// runShell runs a shell with an empty home, so that nobody's settings matter.
func runShell(t *testing.T, address, shell string, args ...string) string {
	t.Helper()
	cmd := exec.Command(shell, args...)
	home := t.TempDir()
	cmd.Env = append(os.Environ(), adminVariable+"="+address, "HOME="+home, "ZDOTDIR="+home, "XDG_CONFIG_HOME="+home,
		"XDG_DATA_HOME="+home, "XDG_CACHE_HOME="+home, "TERM=dumb")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("%s: %v, %s", shell, err, out)
	}
	return string(out)
}

func inBash(t *testing.T, address, line string) string {
	out := runShell(t, address, "bash", "--norc", "-c", fmt.Sprintf(`source <(%[1]s completion bash)
		cashew() { %[1]s "$@"; }
		COMP_LINE=%[2]q COMP_POINT=%[3]d COMP_WORDS=(%[2]s) COMP_CWORD=%[4]d COMP_TYPE=9
		compopt() { :; }
		_get_comp_words_by_ref() { cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} words=("${COMP_WORDS[@]}") cword=$COMP_CWORD; }
		__start_cashew 2>&1; printf '%%s\n' "${COMPREPLY[@]}"`, binary, line, len(line), strings.Count(line, " ")))
	first, _, _ := strings.Cut(strings.TrimSpace(out), " ")
	return first
}

// inZsh types the line and a tab at a terminal, and then a key by which the shell tells what the line is.
func inZsh(t *testing.T, address, line string) string {
	out := runShell(t, address, "zsh", "-f", "-c", `zmodload zsh/zpty
		zpty shell zsh -f -i
		zpty -w shell "PS1= PS2= RPS1=; stty -echo; autoload -Uz compinit && compinit -D -u
			cashew() { $1 \"\$@\" }; source <($1 completion zsh)
			tell() { print -r -- \"<<\$BUFFER>>\"; BUFFER=; zle accept-line }; zle -N tell; bindkey '^X' tell; bindkey '^I' complete-word
			print -r -- '[re''ady]'"
		zpty -r -m shell out '*\[ready\]*' || exit 1
		zpty -w -n shell "$2"$'\t\x18'
		zpty -r -m shell out '*<<*>>*' || exit 1
		print -r -- "${${out##*<<}%%>>*}"`, "zsh", binary, line)
	words := strings.Fields(out)
	if len(words) == 0 {
		return ""
	}
	return words[len(words)-1]
}

func inFish(t *testing.T, address, line string) string {
	out := runShell(t, address, "fish", "--no-config", "-c", fmt.Sprintf(`function cashew; %[1]s $argv; end
		%[1]s completion fish | source
		complete -C "%[2]s"`, binary, line))
	first, _, _ := strings.Cut(strings.TrimSpace(out), "\t")
	return first
}
