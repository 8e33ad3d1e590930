package daemon

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
)

// Going to the background: Go cannot fork, so the process starts itself once more, in a session of
// its own and with its standard streams on the null device. The child gets the writing end of a
// pipe. Through it the parent sees what the child says until it serves, and then a mark; without
// the mark the start has failed.

// readyVariable tells the child the number of the pipe's descriptor.
const readyVariable = "CASHEW_READY_FD"

// readyMark is no text that a message could hold.
const readyMark = "\x00ready\x00"

// invoked is the path of this program under the name by which it was called, a link's for instance: the system
// names the process by it, and scripts look for that name.
func invoked() (string, error) {
	exe, err := os.Executable()
	if err != nil {
		return "", err
	}
	called, err := exec.LookPath(os.Args[0])
	if err != nil {
		return exe, nil
	}
	a, err := os.Stat(called)
	if err != nil {
		return exe, nil
	}
	if b, err := os.Stat(exe); err != nil || !os.SameFile(a, b) {
		return exe, nil
	}
	return filepath.Abs(called)
}

// startBackground is the parent's part. It returns the parent's exit code.
func startBackground(o Options) int {
	fail := func(err error) int {
		fmt.Fprintf(o.Stderr, "%s: cannot go to the background: %v\n", o.Program, err)
		return exitFailed
	}
	exe, err := invoked()
	if err != nil {
		return fail(err)
	}
	r, w, err := os.Pipe()
	if err != nil {
		return fail(err)
	}
	defer r.Close()
	cmd := &exec.Cmd{
		Path:       exe,
		Args:       os.Args, // the name decides about compat
		Env:        append(os.Environ(), readyVariable+"=3"),
		ExtraFiles: []*os.File{w}, // becomes descriptor 3
		SysProcAttr: &syscall.SysProcAttr{
			Setsid: true,
		},
	}
	err = cmd.Start()
	w.Close()
	if err != nil {
		return fail(err)
	}
	said, err := io.ReadAll(r)
	if err != nil {
		return fail(err)
	}
	said, ok := bytes.CutSuffix(said, []byte(readyMark))
	o.Stderr.Write(said)
	if ok {
		return exitOK
	}
	// The child's last words explain it, unless it was killed.
	if err := cmd.Wait(); err != nil && len(said) == 0 {
		return fail(err)
	}
	return exitFailed
}

// readyPipe returns the pipe to the parent, or nil in a process that is not such a child.
func readyPipe() *os.File {
	fd, err := strconv.Atoi(os.Getenv(readyVariable))
	if err != nil || fd < 3 {
		return nil
	}
	os.Unsetenv(readyVariable)
	syscall.CloseOnExec(fd)
	return os.NewFile(uintptr(fd), "ready pipe")
}

// enterBackground is the child's part: standard error is the parent's until the start has succeeded.
func (r *run) enterBackground(parent *os.File) {
	r.Stderr = parent
	r.ready = func() {
		// A parent that is gone has nothing to wait for: the child serves all the same.
		io.WriteString(parent, readyMark)
		parent.Close()
	}
	if r.Compat {
		// twemproxy's daemon has no umask. Unix sockets without a mode are open to everybody there, and
		// clients of other users depend on it.
		syscall.Umask(0)
	}
}
