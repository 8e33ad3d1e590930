package daemon

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/cashew-proxy/cashew/internal/config"
	"github.com/cashew-proxy/cashew/internal/control"
	"github.com/cashew-proxy/cashew/internal/proxy"
)

// reloader reads the configuration again and has it obeyed. Any goroutine may use it; reloads come one after the
// other.
type reloader struct {
	path  string                         // of the configuration
	load  func() (*config.Config, error) // as at the start, its warnings logged
	apply func(*config.Config) error
	check func(*config.Config) error // what apply would say, without doing anything
	log   *slog.Logger

	turn sync.Mutex // is held by a reload

	mu      sync.Mutex     // is held by nobody who waits
	current *config.Config // in force
	outcome Reloads
	files   []string // those that the last reload has read, or wanted to
	seen    string   // how they looked just before
}

// Reloads is what became of the reloads of a process.
type Reloads struct {
	Succeeded, Failed uint64
	Last              time.Time // zero: there was none
	Err               error     // of the last one
}

// reload reads the file and puts it in force, unless dry is wanted. It returns what changes; on an error nothing
// does.
func (r *reloader) reload(why string, dry bool) (control.Differences, error) {
	r.turn.Lock()
	defer r.turn.Unlock()
	current := r.config()
	if !dry {
		r.remember()
	}
	next, err := r.load()
	var d control.Differences
	if err == nil {
		d = control.Compare(current, next)
		do := r.apply
		if dry {
			do = r.check
		}
		err = located(next, do(next))
	}
	if dry {
		return d, err
	}
	if why == becauseOfFile && err == nil && len(d.Changes) == 0 && r.reloads().Err == nil {
		r.log.Debug("a file was touched, and nothing has changed")
		return d, nil
	}
	r.note(next, current, err)
	if err != nil {
		for line := range strings.Lines(err.Error()) {
			r.log.Error("not reloaded, nothing has changed", "because", why, "error", strings.TrimSuffix(line, "\n"))
		}
		return d, err
	}
	for _, c := range d.Changes {
		level := slog.LevelInfo
		if c.NeedsRestart {
			level = slog.LevelWarn // it is not obeyed
		}
		r.log.Log(context.Background(), level, "configuration changed", "change", c.String())
	}
	r.log.Info("reloaded", "because", why, "changes", len(d.Changes), "needs_restart", d.NeedsRestart)
	return d, nil
}

// located is err with the places in the file of the listeners that cannot be had.
func located(c *config.Config, err error) error {
	var mistakes config.Mistakes
	for _, e := range each(err) {
		var l *proxy.ListenError
		if !errors.As(e, &l) {
			return err
		}
		mistakes = append(mistakes, c.ListenMistake(l.Pool, l.Err.Error()))
	}
	if len(mistakes) == 0 {
		return nil
	}
	slices.SortStableFunc(mistakes, func(a, b config.Mistake) int { return cmp.Compare(a.Line, b.Line) })
	return mistakes
}

// each is the errors that were joined.
func each(err error) []error {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		return joined.Unwrap()
	}
	if err == nil {
		return nil
	}
	return []error{err}
}

// note writes down what has become of a reload.
func (r *reloader) note(next, before *config.Config, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.outcome.Last, r.outcome.Err = time.Now(), err
	if err != nil {
		r.outcome.Failed++
		return
	}
	r.outcome.Succeeded++
	r.current = next.InForceAfter(before)
}

// config is the configuration in force.
func (r *reloader) config() *config.Config {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.current
}

// reloads is what has become of all so far.
func (r *reloader) reloads() Reloads {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.outcome
}

// watchEvery is how often files are looked at. A file that has changed is read when it has stayed as it is for as
// long: whoever writes it may take a moment.
const watchEvery = time.Second

const becauseOfFile = "a file has changed"

// watch reloads when a file has changed, as long as the configuration in force wants that, until end is closed.
func (r *reloader) watch(end <-chan struct{}) {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	last := ""
	for {
		select {
		case <-end:
			return
		case <-tick.C:
		}
		if !r.config().Process.Watch {
			continue
		}
		files, seen := r.lastRead()
		now := look(files)
		settled := now == last
		last = now
		if settled && now != seen {
			_, _ = r.reload(becauseOfFile, false) // the log has the outcome
		}
	}
}

// remember notes which files are about to be read and how they look, so that what changes meanwhile is found the next
// time. Files that a configuration names count even if it is refused: it may be so because one of them is missing.
func (r *reloader) remember() {
	files := config.Files(r.path)
	seen := look(files)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.files, r.seen = files, seen
}

// lastRead are the files that were read last, and how they looked. Of those of the start it is not known: they are read
// once more.
func (r *reloader) lastRead() (files []string, seen string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.files == nil {
		return config.Files(r.path), ""
	}
	return r.files, r.seen
}

// look tells files apart from what they were: links are followed, as Kubernetes changes where they lead.
func look(files []string) string {
	var b strings.Builder
	for _, path := range files {
		info, err := os.Stat(path)
		if err != nil {
			fmt.Fprintf(&b, "%s: missing\n", path)
			continue
		}
		fmt.Fprintf(&b, "%s: %v %d %d %d\n", path, info.Mode(), info.Size(), info.ModTime().UnixNano(), inodeOf(info))
	}
	return b.String()
}

// inodeOf tells a file apart from another of the same size and age.
func inodeOf(info fs.FileInfo) uint64 {
	if s, ok := info.Sys().(*syscall.Stat_t); ok {
		return uint64(s.Ino)
	}
	return 0
}
