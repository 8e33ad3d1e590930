package daemon

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"runtime/debug"
	"sync"

	"github.com/cashew-proxy/cashew/internal/admin"
)

// MaxVerbosity is the highest level that -v and SIGTTIN reach, as in twemproxy.
const MaxVerbosity = 11

// verbosity is twemproxy's log level, moved by signals and the admin API. Any goroutine may use it.
type verbosity struct {
	mu    sync.Mutex
	n     int
	level slog.LevelVar
}

func newVerbosity(n int) *verbosity {
	v := &verbosity{}
	v.Add(n)
	return v
}

// Add moves the level by d within its bounds and returns it.
func (v *verbosity) Add(d int) int { return v.move(func(n int) int { return n + d }) }

// Set is Add to a level.
func (v *verbosity) Set(n int) int { return v.move(func(int) int { return n }) }

func (v *verbosity) move(to func(int) int) int {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.n = min(max(to(v.n), 0), MaxVerbosity)
	v.level.Set(levelOf(v.n))
	return v.n
}

// levelOf maps twemproxy's levels (0 emergency to 3 error, 4 warning, 5 notice, 6 info, 7 up debug).
// Level 0 leaves nothing but crashes.
func levelOf(n int) slog.Level {
	switch {
	case n <= 0:
		return slog.LevelError + 4
	case n <= 3:
		return slog.LevelError
	case n == 4:
		return slog.LevelWarn
	case n <= 6:
		return slog.LevelInfo
	}
	return slog.LevelDebug
}

// logFile is where the log goes; a file can be opened again after somebody moved it away. Any
// goroutine may use it.
type logFile struct {
	path string // "" if out is not a file of ours

	mu   sync.Mutex
	out  io.Writer
	file *os.File
}

func (r *run) openLog() error {
	r.verbosity, r.events = newVerbosity(r.Verbosity), admin.NewEvents()
	l := &logFile{path: r.LogFile, out: r.Stderr}
	switch {
	case r.LogFile != "":
		if err := l.Reopen(); err != nil {
			return err
		}
	case r.Background:
		l.out = io.Discard
	}
	r.logFile = l
	r.setLogFormat("text")
	return nil
}

// setLogFormat takes the format that the configuration asks for. Lines from before it was read are text.
func (r *run) setLogFormat(format string) {
	logger := func(o *slog.HandlerOptions) *slog.Logger {
		if format == "json" {
			return slog.New(r.events.Tee(slog.NewJSONHandler(r.logFile, o)))
		}
		return slog.New(r.events.Tee(slog.NewTextHandler(r.logFile, o)))
	}
	r.log, r.always = logger(&slog.HandlerOptions{Level: &r.verbosity.level}), logger(nil)
}

// Reopen opens the path again, or for the first time. On an error the log stays where it was. It
// does nothing if the log is not a file.
func (l *logFile) Reopen() error {
	if l.path == "" {
		return nil
	}
	file, err := os.OpenFile(l.path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o644)
	if err != nil {
		return fmt.Errorf("cannot open the log: %w%s", err, advice(err, "-o"))
	}
	// In the background nobody sees standard error: a crash is to be read in the log.
	if err := debug.SetCrashOutput(file, debug.CrashOptions{}); err != nil {
		file.Close()
		return fmt.Errorf("cannot send crashes to the log: %w", err)
	}
	l.mu.Lock()
	old := l.file
	l.out, l.file = file, file
	l.mu.Unlock()
	if old != nil {
		old.Close()
	}
	return nil
}

// Write implements io.Writer for the handler of slog, which writes one line at a time.
func (l *logFile) Write(line []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.out.Write(line)
}

// Close closes the file; later lines are lost.
func (l *logFile) Close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.file != nil {
		l.file.Close()
	}
	l.out, l.file = io.Discard, nil
}
