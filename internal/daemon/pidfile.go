package daemon

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
)

// writePidFile writes the number without a newline, as twemproxy does.
func writePidFile(path string) error {
	if err := os.WriteFile(path, []byte(strconv.Itoa(os.Getpid())), 0o644); err != nil {
		return fmt.Errorf("cannot write the pid file: %w%s", err, advice(err, "-p"))
	}
	return nil
}

// advice is what a person can do about a file that cannot be written; flag names it.
func advice(err error, flag string) string {
	switch {
	case errors.Is(err, fs.ErrPermission):
		return fmt.Sprintf(": user %d may not write there; name another file with %s, or change the directory's owner or mode",
			os.Geteuid(), flag)
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Sprintf(": the directory does not exist; make it, or name another file with %s", flag)
	}
	return ""
}

// removePidFile leaves a file alone that meanwhile names another process: a successor may have
// started before this one ended. There is nobody to tell of an error at this point.
func removePidFile(path string) {
	text, err := os.ReadFile(path)
	if err == nil && string(text) == strconv.Itoa(os.Getpid()) {
		os.Remove(path)
	}
}
