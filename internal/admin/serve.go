package admin

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/cashew-proxy/cashew/internal/config"
	"github.com/cashew-proxy/cashew/internal/control"
	"github.com/cashew-proxy/cashew/internal/downstream"
	"github.com/cashew-proxy/cashew/internal/engine"
	"github.com/cashew-proxy/cashew/internal/proxy"
)

// System is what is looked at and steered: a control.System.
type System interface {
	Status() control.Status
	Report() proxy.Report
	Clients(pool string, limit int) ([]downstream.Portrait, error)
	Pause(pool string, mode downstream.Pause, length time.Duration) error
	Eject(pool, server string) error
	Readmit(pool, server string) error
	Slow() []proxy.SlowEntry
	Hot(pool string) engine.Hot
	// Alive returns a channel that is closed when the workers have turned once more.
	Alive() <-chan struct{}
}

// Process is the rest of the process: the daemon.
type Process interface {
	Config() *config.Config // in force
	// Reload reads the configuration again and puts it in force, unless dry is wanted.
	Reload(dry bool) (control.Differences, error)
	Reloads() Reloads
	// Drain begins the orderly end. Draining says that it has begun, for whatever reason.
	Drain()
	Draining() bool
	// Level is twemproxy's verbosity; SetLevel returns the one that is in force then.
	Level() int
	SetLevel(n int) int
}

// Options are what the API is about.
type Options struct {
	System  System
	Process Process
	Events  *Events
	Metrics http.Handler // answers GET /metrics; nil if nobody does
	Log     *slog.Logger // for panics, and a listener that fails
	Version string
	PID     int
	Started time.Time
}

// handler answers callers that the guard has let in.
type handler struct {
	Options
	ending context.Context // ends when whoever waits is to have an answer
	now    func() time.Time
	memory func() (heap, system uint64)
	spec   []byte // openapi.json
}

func newHandler(o Options, ending context.Context) *handler {
	h := &handler{Options: o, ending: ending, now: time.Now, memory: memory}
	h.spec = describe(routes)
	return h
}

// call is a request with the parameters of its query.
type call struct {
	*http.Request
	query url.Values
}

// failure is an answer that is no success.
type failure struct {
	status   int
	text     string
	mistakes []string // of a configuration
}

func (f *failure) Error() string { return f.text }

func wrong(format string, args ...any) error {
	return &failure{status: http.StatusBadRequest, text: fmt.Sprintf(format, args...)}
}

// ServeHTTP finds the operation. Segments of a path are unescaped one by one, because names of servers have slashes and
// colons, and may be empty: net/http's own mux would take two slashes for one.
func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var allowed []string
	for i := range routes {
		one := &routes[i]
		if !one.matches(r) || one.path == pathMetrics && h.Metrics == nil {
			continue
		}
		if r.Method == one.method || r.Method == http.MethodHead && one.method == http.MethodGet {
			h.answer(w, r, one)
			return
		}
		allowed = append(allowed, one.method)
	}
	if allowed == nil {
		writeFailure(w, &failure{status: http.StatusNotFound, text: "there is no " + r.URL.Path + "; " + pathSpec + " says what there is"})
		return
	}
	if slices.Contains(allowed, http.MethodGet) {
		allowed = append(allowed, http.MethodHead)
	}
	w.Header().Set("Allow", strings.Join(allowed, ", "))
	writeFailure(w, &failure{status: http.StatusMethodNotAllowed, text: r.Method + " is not served here; allowed: " + strings.Join(allowed, ", ")})
}

// matches says whether the request's path is the operation's, and notes the values of its names.
func (o *operation) matches(r *http.Request) bool {
	want, got := strings.Split(o.path, "/"), strings.Split(r.URL.EscapedPath(), "/")
	if len(want) != len(got) {
		return false
	}
	values := map[string]string{}
	for i := range want {
		text, err := url.PathUnescape(got[i])
		if err != nil {
			return false
		}
		if name, ok := strings.CutPrefix(want[i], "{"); ok {
			values[strings.TrimSuffix(name, "}")] = text
		} else if text != want[i] {
			return false
		}
	}
	for name, value := range values {
		r.SetPathValue(name, value)
	}
	return true
}

func (h *handler) answer(w http.ResponseWriter, r *http.Request, o *operation) {
	if o.raw != nil {
		o.raw(h, w, r)
		return
	}
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		writeFailure(w, &failure{status: http.StatusBadRequest, text: err.Error()})
		return
	}
	for name := range query {
		if !slices.ContainsFunc(o.params, func(p param) bool { return p.name == name }) {
			writeFailure(w, &failure{status: http.StatusBadRequest, text: fmt.Sprintf("no parameter %q is known here", name)})
			return
		}
	}
	v, err := o.serve(h, call{r, query})
	var f *failure
	var missing proxy.NotFoundError
	switch {
	case err == nil:
		write(w, o.success(), v)
	case errors.As(err, &f):
		writeFailure(w, f)
	case errors.As(err, &missing):
		writeFailure(w, &failure{status: http.StatusNotFound, text: err.Error()})
	default: // the worker is stuck, or the end has come
		writeFailure(w, &failure{status: http.StatusServiceUnavailable, text: err.Error()})
	}
}

// body reads the request's body into a T; without one it is empty.
func body[T any](c call) (v T, err error) {
	text, err := io.ReadAll(c.Body)
	if err != nil || len(bytes.TrimSpace(text)) == 0 {
		return v, err
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&v); err != nil {
		return v, wrong("the body: %v", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return v, wrong("the body: something follows the value")
	}
	return v, nil
}

func writeFailure(w http.ResponseWriter, f *failure) {
	write(w, f.status, Error{Error: f.text, Mistakes: f.mistakes})
}

// write answers with JSON.
func write(w http.ResponseWriter, status int, v any) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(v); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(b.Bytes()) // a caller that has gone
}
