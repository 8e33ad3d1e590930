package chaos

import (
	"context"
	"encoding/json"
	"flag"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"
)

var (
	length  = flag.Duration("chaos.for", 16*time.Second, "how long faults happen")
	seed    = flag.Uint64("chaos.seed", 0, "the order of the faults; 0 draws one")
	fleet   = flag.Int("chaos.clients", 24, "clients that load the proxy")
	outcome = flag.String("chaos.json", "", "a file for the report")
)

// TestChaos: real servers behind a real proxy, under a load of which every reply is judged, while all sorts
// of things go wrong.
func TestChaos(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("memory and open files of a process are read from /proc")
	}
	if *seed == 0 {
		*seed = rand.Uint64()
	}
	t.Logf("-chaos.seed %d", *seed)
	w := newWorld(t, *fleet)
	clients := newClients(w, *fleet, *seed)
	r := &report{Seed: *seed, Clients: *fleet}

	// Warm what is kept: a worker that has nothing to do any more stays for the next load, with two descriptors.
	most := usual
	most.threads = "3"
	w.reload(most, false)
	w.load(clients, *length/8, nil)
	w.reload(usual, false)
	time.Sleep(rest)
	r.Before = w.resources()
	begin := time.Now()
	w.load(clients, *length, func(ctx context.Context) {
		var both sync.WaitGroup
		both.Go(func() { w.schedule(ctx, serverFaults, rand.New(rand.NewPCG(*seed, 1000))) })
		both.Go(func() { w.schedule(ctx, proxyFaults, rand.New(rand.NewPCG(*seed, 2000))) })
		both.Wait()
	})
	r.Seconds = time.Since(begin).Seconds()
	w.reload(usual, false)
	w.sweep(clients)
	r.After, r.BackSeconds = w.back(r.Before)
	w.end()

	r.Requests, r.Replies, r.Values, r.Bytes = w.requests.Load(), w.replies.Load(), w.values.Load(), w.bytes.Load()
	for _, c := range w.counters {
		r.Additions += c.acked
	}
	r.Errors, r.Faults, r.Violations = w.errors, w.faults, w.violations
	t.Logf("\n%s", r)
	for _, v := range w.violations {
		t.Error(v)
	}
	if *outcome != "" {
		text, err := json.MarshalIndent(r, "", "  ")
		if err == nil {
			err = os.WriteFile(*outcome, text, 0o644)
		}
		if err != nil {
			t.Error(err)
		}
	}
	for _, f := range append(slices.Clone(serverFaults), proxyFaults...) {
		if r.Faults[f.name] == 0 && *length >= time.Minute {
			t.Errorf("no time for: %s", f.name)
		}
	}
	if r.Replies < 1000 || r.Additions == 0 || len(r.Errors) == 0 {
		t.Error("too little has happened: the test has not tested")
	}
}
