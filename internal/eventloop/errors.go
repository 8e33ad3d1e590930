package eventloop

import (
	"errors"
	"fmt"
	"runtime/debug"
	"syscall"
)

// SysError is a failed system call. Its text is what glibc's strerror says, on every platform: clients
// of twemproxy read these texts in error replies and match them.
type SysError struct{ Errno syscall.Errno }

// texts are those of the errors that connections have. Platforms word some of them differently.
var texts = map[syscall.Errno]string{
	syscall.EADDRINUSE:    "Address already in use",
	syscall.EADDRNOTAVAIL: "Cannot assign requested address",
	syscall.ECONNABORTED:  "Software caused connection abort",
	syscall.ECONNREFUSED:  "Connection refused",
	syscall.ECONNRESET:    "Connection reset by peer",
	syscall.EHOSTDOWN:     "Host is down",
	syscall.EHOSTUNREACH:  "No route to host",
	syscall.ENETDOWN:      "Network is down",
	syscall.ENETUNREACH:   "Network is unreachable",
	syscall.ENOENT:        "No such file or directory",
	syscall.EPIPE:         "Broken pipe",
	syscall.ETIMEDOUT:     "Connection timed out",
}

// Own says that it is this process or its system that lacks something, not the peer.
func (e SysError) Own() bool {
	switch e.Errno {
	case syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM, syscall.EADDRNOTAVAIL:
		return true
	}
	return false
}

// Error returns the text of strerror.
func (e SysError) Error() string {
	if s := texts[e.Errno]; s != "" {
		return s
	}
	s := []byte(e.Errno.Error()) // Go has the system's texts with a small first letter
	if len(s) > 0 && 'a' <= s[0] && s[0] <= 'z' {
		s[0] -= 'a' - 'A'
	}
	return string(s)
}

// Unwrap returns the errno, for errors.Is.
func (e SysError) Unwrap() error { return e.Errno }

// sysError gives an errno that came as an error its text.
func sysError(err error) error {
	var errno syscall.Errno
	if errors.As(err, &errno) {
		return SysError{errno}
	}
	return err
}

// errnoOf returns the errno of an error of package unix.
func errnoOf(err error) syscall.Errno {
	if err == nil {
		return 0
	}
	var errno syscall.Errno
	if errors.As(err, &errno) {
		return errno
	}
	return syscall.EINVAL // package unix refused the argument itself
}

// panicError is a panic on its way out of the turns.
type panicError struct {
	value any
	stack []byte
}

func newPanicError(v any) *panicError { return &panicError{v, debug.Stack()} }

func (e *panicError) Error() string { return fmt.Sprintf("event loop: panic: %v", e.value) }

// recovered cleans up after a panic and tells whether to go on. The old handler may be in any state
// and is not called again; so its connections go, the listeners stay.
func (l *Loop) recovered(p *panicError) (goOn bool) {
	l.count.Panics++
	l.closeConnections()
	l.unsettled, l.next = false, 0 // the new handler gets a Turn at once
	l.publish()
	if l.options.OnPanic == nil || !l.options.OnPanic(p.value, p.stack) {
		return false
	}
	l.handler = l.options.Reset()
	return true
}
