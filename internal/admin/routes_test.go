package admin

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"maps"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
)

var update = flag.Bool("update", false, "write examples.json instead of comparing")

// What the description shows as answers are the answers, it is a valid one, and it says something of everything.
func TestExamples(t *testing.T) {
	answers := map[string]any{}
	for i := range routes {
		o := &routes[i]
		if o.what == "" || o.example == "" || (o.serve == nil) == (o.raw == nil) || (o.answers == nil) == (o.media == "") || (o.body == nil) != (o.exampleBody == nil) {
			t.Errorf("%s: the row is not complete: %+v", o.id(), o)
		}
		for _, p := range o.params {
			if p.what == "" || p.kind == "" {
				t.Errorf("%s: the parameter %q is not described", o.id(), p.name)
			}
		}
		body := ""
		if o.exampleBody != nil {
			text, err := json.Marshal(o.exampleBody)
			if err != nil {
				t.Fatal(err)
			}
			body = string(text)
		}
		// Each has a process of its own, so that their order is no matter.
		s := serve(t, newFake(t), local)
		status, text := ask(t, s, o.method, o.example, body)
		if status != o.success() {
			t.Errorf("%s: %d %s", o.id(), status, text)
			continue
		}
		switch {
		case o.answers != nil:
			var v any
			if err := json.Unmarshal([]byte(text), &v); err != nil {
				t.Fatal(err)
			}
			answers[o.id()] = withoutZeros(v)
		case o.path == "/api/config", o.path == pathMetrics:
			answers[o.id()] = text
		}
		if o.path == "/debug/pprof/{profile}" && !strings.Contains(text, os.Args[0]) {
			t.Errorf("the command line is %q", text)
		}
	}
	var want bytes.Buffer
	e := json.NewEncoder(&want)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(answers); err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile("examples.json", want.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if !bytes.Equal(exampleText, want.Bytes()) {
		t.Errorf("examples.json is not what is answered (go test ./internal/admin -update):\n%s", &want)
	}
}

// withoutZeros leaves out counters that are zero, as the description says: a new one changes no example.
func withoutZeros(v any) any {
	switch v := v.(type) {
	case []any:
		for i := range v {
			v[i] = withoutZeros(v[i])
		}
	case map[string]any:
		for name, inner := range v {
			v[name] = withoutZeros(inner)
			if counters, ok := inner.(map[string]any); ok && name == "counters" {
				maps.DeleteFunc(counters, func(_ string, n any) bool { return n == 0.0 })
			}
		}
	}
	return v
}

func TestDescriptionIsValid(t *testing.T) {
	s := serve(t, newFake(t), local)
	_, text := ask(t, s, "GET", pathSpec, "")
	l := openapi3.NewLoader()
	doc, err := l.LoadFromData([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	// It looks at the examples, too.
	if err := doc.Validate(context.Background()); err != nil {
		t.Error(err)
	}
	described := 0
	for path, item := range doc.Paths.Map() {
		for method, op := range item.Operations() {
			described++
			if i := slices.IndexFunc(routes, func(o operation) bool { return o.id() == method+" "+path }); i < 0 {
				t.Errorf("%s %s is described and not served", method, path)
			} else if op.Summary == "" || op.Responses.Value("default") == nil {
				t.Errorf("%s %s: %+v", method, path, op)
			}
		}
	}
	if described != len(routes) {
		t.Errorf("%d of %d are described", described, len(routes))
	}
	// A check that finds nothing wrong in anything would find nothing wrong here.
	broken := strings.Replace(text, `"pid": 4711`, `"pid": "4711"`, 1)
	if doc, err = l.LoadFromData([]byte(broken)); err == nil {
		err = doc.Validate(context.Background())
	}
	if broken == text || err == nil {
		t.Error("an example of the wrong type passes")
	}
}

// Every failure is told in one form, with the right status.
func TestFailures(t *testing.T) {
	f := newFake(t)
	s := serve(t, f, local)
	for _, c := range []struct {
		method, path, body string
		status             int
		text               string
	}{
		{"GET", "/api/statu", "", 404, "/openapi.json says what there is"},
		{"GET", "/", "", 404, ""},
		{"GET", "/api/pools/", "", 404, `no pool \"\"`},
		{"GET", "/api//pools", "", 404, ""},
		{"POST", "/api/status", "", 405, "allowed: GET, HEAD"},
		{"GET", "/api/drain", "", 405, "allowed: POST"},
		{"GET", "/api/pools/gamma", "", 404, `no pool \"gamma\"`},
		{"GET", "/api/clients", "", 400, `the parameter \"pool\" is missing`},
		{"GET", "/api/clients?pool=gamma", "", 404, `no pool \"gamma\"`},
		{"GET", "/api/clients?pool=beta&limit=0", "", 400, `limit is \"0\"; allowed: 1 to 10000`},
		{"GET", "/api/clients?pool=beta&limit=x", "", 400, ""},
		{"GET", "/api/clients?pol=beta", "", 400, `no parameter \"pol\" is known here`},
		{"GET", "/api/clients?pool=%zz", "", 400, ""},
		{"GET", "/api/explain?pool=beta", "", 400, `the parameter \"key\" is missing`},
		{"GET", "/api/explain?pool=gamma&key=a", "", 404, ""},
		{"GET", "/api/events?wait=31&after=1", "", 400, "allowed: 0 to 30"},
		{"GET", "/api/events?wait=1", "", 400, "only served with"},
		{"GET", "/api/events?after=-1", "", 400, ""},
		{"POST", "/api/pools/beta/pause", "", 400, "allowed: 1 to 3600000"},
		{"POST", "/api/pools/beta/pause", `{"milliseconds": 3600001}`, 400, ""},
		{"POST", "/api/pools/beta/pause", `{"miliseconds": 1}`, 400, "unknown field"},
		{"POST", "/api/pools/beta/pause", `{"milliseconds": 1} x`, 400, "something follows"},
		{"POST", "/api/pools/gamma/pause", `{"milliseconds": 1}`, 404, ""},
		{"POST", "/api/pools/gamma/resume", "", 404, ""},
		{"POST", "/api/pools/beta/servers/none/eject", "", 404, ""},
		{"POST", "/api/pools/beta/servers/none/readmit", "", 404, ""},
		{"PUT", "/api/log-level", "", 400, "0 to 11"},
		{"PUT", "/api/log-level", `{"level": 12}`, 400, ""},
		{"POST", "/api/reload", `{"dry_run": 1}`, 400, ""},
	} {
		status, text := ask(t, s, c.method, c.path, c.body)
		if status != c.status || !strings.Contains(text, c.text) || !strings.HasPrefix(text, "{\n  \"error\": \"") {
			t.Errorf("%s %s %s: %d %s", c.method, c.path, c.body, status, text)
		}
	}
	if len(f.told) != 0 {
		t.Errorf("something was done: %q", f.told)
	}
	// What the worker is asked for fails with the worker.
	f.stuck = true
	if status, text := ask(t, s, "GET", "/api/clients?pool=beta", ""); status != 503 || !strings.Contains(text, "does not answer") {
		t.Errorf("%d %s", status, text)
	}
}

// Without a handler of metrics there are none.
func TestNoMetrics(t *testing.T) {
	h := newHandler(Options{}, context.Background())
	s := httptest.NewServer(h)
	defer s.Close()
	if status, _ := ask(t, s, "GET", pathMetrics, ""); status != 404 {
		t.Error(status)
	}
}

// Every counter has its name.
func TestCountersAreNamed(t *testing.T) {
	s := serve(t, newFake(t), local)
	p := read[PoolStatus](t, s, "GET", "/api/pools/beta", "")
	if p.Counters["requests"] != 1000 || p.Servers[0].Counters["requests"] != 500 || p.Clients != 7 {
		t.Errorf("%+v", p)
	}
	for _, names := range []map[string]uint64{p.Counters, p.Servers[0].Counters} {
		if slices.Contains(slices.Collect(maps.Keys(names)), "") {
			t.Errorf("a counter has no name: %v", names)
		}
	}
}
