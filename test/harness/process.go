package harness

import (
	"errors"
	"os"
	"os/exec"
	"testing"
	"time"
)

// Process is a program that a test has started.
type Process struct {
	Pid  int
	Err  *Log // what it has said on standard error
	cmd  *exec.Cmd
	done chan struct{} // closed when it has ended
}

// Run starts a program. If it still runs when the test ends it is killed. A program that is not there
// fails the test.
func Run(t testing.TB, path string, args ...string) *Process {
	t.Helper()
	found, err := exec.LookPath(path)
	if err != nil {
		t.Fatalf("%s must be installed for this test: %v", path, err)
	}
	p := &Process{Err: new(Log), cmd: exec.Command(found, args...), done: make(chan struct{})}
	p.cmd.Stderr = p.Err
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p.Pid = p.cmd.Process.Pid
	go func() {
		defer close(p.done)
		_ = p.cmd.Wait() // ProcessState has the outcome
	}()
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill() // an error means that it has ended already
		<-p.done
	})
	return p
}

// Signal sends a signal.
func (p *Process) Signal(t testing.TB, s os.Signal) {
	t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
		t.Fatal(err)
	}
}

// Ended says whether the program has ended.
func (p *Process) Ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// ExitCode waits for the end and returns the exit code, -1 after a signal.
func (p *Process) ExitCode(t testing.TB) int {
	t.Helper()
	select {
	case <-p.done:
	case <-time.After(Limit):
		t.Fatalf("the process did not end; it said:\n%s", p.Err)
	}
	return p.cmd.ProcessState.ExitCode()
}
