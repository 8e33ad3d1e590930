package main

import (
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// openTerminal returns the two ends of a terminal of a size: ours, and the one for a program.
func openTerminal(t *testing.T, columns, rows uint16) (ours, theirs *os.File) {
	t.Helper()
	fd, err := unix.Open("/dev/ptmx", unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	ours = os.NewFile(uintptr(fd), "ptmx")
	t.Cleanup(func() { ours.Close() })
	number, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0)
	}
	if err == nil {
		err = unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Col: columns, Row: rows})
	}
	if err == nil {
		theirs, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|syscall.O_NOCTTY, 0)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { theirs.Close() })
	return ours, theirs
}

var escape = regexp.MustCompile("\x1b(\\[[0-9;?>=$!]*[ -/]*[@-~]|[\\]P][^\a\x1b]*(\a|\x1b\\\\)|.)")

// transcript is what a program has written to a terminal.
type transcript struct {
	mu   sync.Mutex
	text []byte
}

func (s *transcript) follow(f *os.File) {
	b := make([]byte, 4096)
	for {
		n, err := f.Read(b)
		s.mu.Lock()
		s.text = append(s.text, b[:n]...)
		s.mu.Unlock()
		if err != nil {
			return
		}
	}
}

// await waits for a text, without what commands the terminal, and forgets all that was before.
func (s *transcript) await(t *testing.T, want string) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		s.mu.Lock()
		text := escape.ReplaceAllString(string(s.text), "")
		if strings.Contains(text, want) {
			s.text = nil
			s.mu.Unlock()
			return
		}
		s.mu.Unlock()
		if time.Now().After(deadline) {
			t.Fatalf("no %q in %q", want, text)
		}
	}
}

// TestTop has the real program draw on a real terminal: it shows the process, takes keys and another size, says when
// the process has gone and when it is back, and leaves the terminal as it was.
func TestTop(t *testing.T) {
	f, address := startFake(t, "")
	ours, theirs := openTerminal(t, 80, 24)
	cmd := exec.Command(binary, "top", "--admin", address)
	cmd.Env = append(os.Environ(), "TERM=xterm-256color")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = theirs, theirs, theirs
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	before, err := unix.IoctlGetTermios(int(theirs.Fd()), unix.TCGETS)
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Process.Kill() //nolint:errcheck // it has ended, unless the test fails
	seen := new(transcript)
	go seen.follow(ours)
	press := func(keys string) {
		if _, err := ours.WriteString(keys); err != nil {
			t.Fatal(err)
		}
	}
	seen.await(t, "sort by name") // it is at the end of the screen
	press("s")
	seen.await(t, "requests")
	if err := unix.IoctlSetWinsize(int(ours.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Col: 132, Row: 40}); err != nil {
		t.Fatal(err)
	}
	seen.await(t, "ADDRESS")
	f.gone.Store(true)
	seen.await(t, "NO ANSWER for")
	f.version.Store("back-again") // each character another one, so that it is written in one piece
	f.gone.Store(false)
	seen.await(t, "back-again")
	press("q")
	if err := cmd.Wait(); err != nil {
		t.Errorf("it ends with %v", err)
	}
	after, err := unix.IoctlGetTermios(int(theirs.Fd()), unix.TCGETS)
	if err != nil || *after != *before {
		t.Errorf("the terminal is left with %+v, was %+v, %v", after, before, err)
	}
}

// TestTopNeedsTerminal: without one it says so, and what there is instead.
func TestTopNeedsTerminal(t *testing.T) {
	_, address := startFake(t, "")
	stdout, stderr, code := ask(t, address, "top")
	if code != 1 || stdout != "" || !strings.Contains(stderr, `top needs a terminal; "cashew status" and "cashew events -f" need none`) {
		t.Errorf("exit code %d, %q, %q", code, stdout, stderr)
	}
}
