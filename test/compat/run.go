package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// patience is the time that a program has for everything.
const patience = 90 * time.Second

// outcome is what a program said.
type outcome struct {
	version string
	steps   map[string]string // "ok", "none …", "FAIL …"
	said    string            // everything, with standard error
}

// result is one row of the table.
type result struct {
	library         Library
	direct, proxied *outcome
	opens           []string
}

func (l Library) missing() bool {
	_, err := exec.LookPath(l.command()[0])
	return err != nil
}

// runDirect runs a library against a server, through a tap that notes its handshake.
func runDirect(f *fleet, l Library) (*outcome, []string, error) {
	server := f.alone(l.Protocol)
	t, err := newTap(server.address)
	if err != nil {
		return nil, nil, err
	}
	defer t.listener.Close()
	o, err := execute(l, t.listener.Addr().String(), server.restart)
	return o, t.opens(l.Protocol), err
}

func runProxied(f *fleet, l Library) (*outcome, error) {
	pool := l.Protocol
	if l.Tagged {
		pool = tagged
	}
	return execute(l, f.pools[pool], f.cashew.restart)
}

// execute runs a library's program. An error means that the surroundings failed, not the library.
func execute(l Library, address string, restart func() error) (*outcome, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	args := append(l.command(), host, port)
	c := exec.Command(args[0], args[1:]...)
	// A group of its own, so that what it starts ends with it.
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	in, err := c.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, w := io.Pipe()
	c.Stdout, c.Stderr = w, w
	if err := c.Start(); err != nil {
		return nil, err
	}
	timer := time.AfterFunc(patience, func() { _ = syscall.Kill(-c.Process.Pid, syscall.SIGKILL) })
	defer timer.Stop()
	done := make(chan error, 1)
	go func() {
		done <- c.Wait()
		w.Close()
	}()

	o := &outcome{steps: map[string]string{}}
	var trouble error
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 8<<20)
	for lines.Scan() {
		line := lines.Text()
		o.said += line + "\n"
		name, rest, _ := strings.Cut(line, ": ")
		switch {
		case line == "restart":
			if trouble = restart(); trouble == nil {
				_, trouble = io.WriteString(in, "go on\n")
			}
			if trouble != nil {
				_ = syscall.Kill(-c.Process.Pid, syscall.SIGKILL)
			}
		case name == "version":
			o.version = rest
		case has(steps(l.Protocol), name) || has(l.Steps, name):
			o.steps[name] = rest
		}
	}
	if err := <-done; err != nil {
		o.said += err.Error() + "\n"
	}
	if errors.Is(trouble, syscall.EPIPE) {
		trouble = nil // the program has ended, which its steps will show
	}
	return o, trouble
}

func has(all []string, s string) bool {
	for _, a := range all {
		if a == s {
			return true
		}
	}
	return false
}

// steps are the library's own, or those of its protocol.
func (l Library) steps() []string {
	if l.Steps != nil {
		return l.Steps
	}
	return steps(l.Protocol)
}

// failed is the first step that is not as it should be, and what was said about it.
func (o *outcome) failed(l Library) (step, reason string) {
	for _, s := range l.steps() {
		said, ok := o.steps[s]
		if !ok {
			return s, "not reached"
		}
		if said != "ok" && !strings.HasPrefix(said, "ok ") && !strings.HasPrefix(said, "none ") {
			return s, strings.TrimPrefix(said, "FAIL ")
		}
	}
	return "", ""
}

// aside is the first thing that a library said outside of its steps, as an event for instance.
func (o *outcome) aside() string {
	for line := range strings.Lines(o.said) {
		for _, prefix := range []string{"event: ", "unhandled: ReplyError: "} {
			if text, ok := strings.CutPrefix(line, prefix); ok {
				return strings.TrimSpace(text)
			}
		}
	}
	return ""
}

// judge compares what happened with what the table of libraries expects.
func (r *result) judge(directOnly bool) error {
	l := r.library
	if r.direct == nil {
		return fmt.Errorf("%s: %s is not installed", l.Name, l.command()[0])
	}
	if step, reason := r.direct.failed(l); step != "" {
		return fmt.Errorf("%s fails without the proxy, at %s: %s", l.Name, step, reason)
	}
	if directOnly {
		return nil
	}
	step, reason := r.proxied.failed(l)
	switch {
	case step != l.NotYet.Step && l.NotYet.Step != "":
		return fmt.Errorf("%s: expected to fail at %s (%s), but failed at %q: %s", l.Name, l.NotYet.Step, l.NotYet.Reason, step, reason)
	case step != l.NotYet.Step:
		return fmt.Errorf("%s: fails at %s: %s", l.Name, step, reason)
	}
	return nil
}

func (r *result) report(w io.Writer, verbose bool) {
	l := r.library
	for _, o := range []struct {
		where string
		*outcome
	}{{"direct", r.direct}, {"cashew", r.proxied}} {
		if o.outcome == nil {
			continue
		}
		step, reason := o.failed(l)
		if step == "" {
			fmt.Fprintf(w, "%-28s %-10s %s works\n", l.Name, o.version, o.where)
		} else {
			fmt.Fprintf(w, "%-28s %-10s %s FAILS at %s: %s\n", l.Name, o.version, o.where, step, reason)
		}
		if verbose {
			fmt.Fprintf(w, "%s", o.said)
		}
	}
	if verbose {
		fmt.Fprintf(w, "opens with: %q\n", r.opens)
	}
}
