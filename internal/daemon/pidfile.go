package daemon

import (
	"fmt"
	"os"
	"strconv"
)

// writePidFile writes the number without a newline, as twemproxy does.
func writePidFile(path string) error {
	if err := os.WriteFile(path, []byte(strconv.Itoa(os.Getpid())), 0o644); err != nil {
		return fmt.Errorf("cannot write the pid file: %w", err)
	}
	return nil
}

// removePidFile leaves a file alone that meanwhile names another process: a successor may have
// started before this one ended. There is nobody to tell of an error at this point.
func removePidFile(path string) {
	text, err := os.ReadFile(path)
	if err == nil && string(text) == strconv.Itoa(os.Getpid()) {
		os.Remove(path)
	}
}
