package admin

import (
	"context"
	"errors"
	"net/http"
	"runtime/metrics"
	"strconv"
	"strings"
	"time"

	"github.com/cashew-proxy/cashew/internal/control"
	"github.com/cashew-proxy/cashew/internal/downstream"
	"github.com/cashew-proxy/cashew/internal/proxy"
	"github.com/cashew-proxy/cashew/internal/route"
	"github.com/cashew-proxy/cashew/internal/stats"
	"github.com/cashew-proxy/cashew/internal/topology"
)

const (
	aliveWithin  = time.Second
	usualClients = 1000
	mostClients  = 10000
	usualEvents  = 100
	longestWait  = 30 * time.Second
)

func (h *handler) health(c call) (any, error) {
	timer := time.NewTimer(aliveWithin)
	defer timer.Stop()
	select {
	case <-h.System.Alive():
		return Okay{Status: "alive"}, nil
	case <-timer.C:
	case <-c.Context().Done():
	}
	return nil, errors.New("the worker has not turned for a second")
}

func (h *handler) ready(call) (any, error) {
	if h.Process.Draining() {
		return nil, errors.New("the process is ending")
	}
	return Okay{Status: "ready"}, nil
}

func (h *handler) status(call) (any, error) {
	s := h.System.Status()
	heap, system := h.memory()
	return Status{
		Version: h.Version, PID: h.PID, Started: h.Started, Now: h.now(), Config: h.Process.Config().Path,
		Epoch: s.Snapshot.Epoch, Draining: h.Process.Draining(), Level: h.Process.Level(), Reloads: h.Process.Reloads(),
		Memory:  Memory{Buffered: buffered(&s), Limit: s.Snapshot.MemoryLimit, Heap: heap, System: system},
		Workers: workersOf(&s), Pools: h.poolsOf(&s),
	}, nil
}

func workersOf(s *control.Status) (all []Worker) {
	for i := range s.Workers {
		w, loop := &s.Workers[i], &s.Workers[i].Loop
		all = append(all, Worker{
			Active: i < s.Active, Clients: w.Clients, Turns: loop.Turns,
			SystemCalls: loop.Waits + loop.Reads + loop.Writes + loop.Controls + loop.Accepts, Busy: int64(w.Busy()),
		})
	}
	return all
}

func buffered(s *control.Status) (n int64) {
	for i := range s.Workers {
		n += s.Workers[i].Buffered
	}
	return n
}

// memory asks the runtime, which stops nobody for it.
func memory() (heap, system uint64) {
	s := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}, {Name: "/memory/classes/total:bytes"}}
	metrics.Read(s)
	return s[0].Value.Uint64(), s[1].Value.Uint64()
}

func (h *handler) pools(call) (any, error) {
	s := h.System.Status()
	return h.poolsOf(&s), nil
}

func (h *handler) pool(c call) (any, error) { return h.poolOf(c.PathValue("pool")) }

func (h *handler) poolOf(name string) (PoolStatus, error) {
	s := h.System.Status()
	for _, p := range h.poolsOf(&s) {
		if p.Name == name {
			return p, nil
		}
	}
	return PoolStatus{}, proxy.NoPool(name)
}

// serverOf is a server of a pool. Of servers that share a name it is the first.
func (h *handler) serverOf(pool, server string) (ServerStatus, error) {
	p, err := h.poolOf(pool)
	for _, s := range p.Servers {
		if s.Name == server {
			return s, nil
		}
	}
	if err == nil {
		err = proxy.NotFoundError("the server has just been removed")
	}
	return ServerStatus{}, err
}

// poolsOf puts together what is known of the pools of a status. What was asked at different moments is matched by
// name: there may have been a reload in between.
func (h *handler) poolsOf(s *control.Status) []PoolStatus {
	counted := map[string]proxy.PoolReport{}
	for _, p := range h.System.Report().Pools {
		counted[p.Name] = p
	}
	all := []PoolStatus{}
	for i, p := range s.Snapshot.Pools {
		counts := counted[p.Name]
		one := PoolStatus{
			Name: p.Name, Protocol: "redis", Listen: s.Pools[i].Address, Distribution: p.Distribution.String(),
			Clients:  counts.Counts[stats.ClientsAccepted] - counts.Counts[stats.ClientsClosed],
			Counters: named(stats.PoolTable[:], counts.Counts), Servers: []ServerStatus{},
		}
		if p.Protocol == topology.Memcached {
			one.Protocol = "memcached"
		}
		if at := s.Pools[i]; at.Paused != downstream.PauseNone {
			one.Paused = "all"
			if at.Paused == downstream.PauseWrites {
				one.Paused = "write"
			}
			until := h.now().Add(at.Left)
			one.PausedUntil = &until
		}
		servers := map[string]proxy.ServerReport{}
		for _, server := range counts.Servers {
			servers[server.Name] = server
		}
		shares := h.shares(p)
		for _, server := range p.Servers {
			known := s.Servers[server.ID()]
			of := serverStatus(server, servers[server.Name])
			of.Share, of.Version = shares[server.Index], known.Version
			switch {
			case known.Held:
				of.State = "held"
			case server.Ejected:
				of.State = "ejected"
			}
			one.Servers = append(one.Servers, of)
		}
		all = append(all, one)
	}
	return all
}

func serverStatus(s *topology.Server, r proxy.ServerReport) ServerStatus {
	of := ServerStatus{
		Name: s.Name, Address: s.Address, Weight: s.Weight, State: "live", Ejections: r.Ejections,
		Connections: r.Counts[stats.ServerConnections], Queued: r.Counts[stats.ServerQueued],
		InFlight: r.Counts[stats.ServerInFlight], Counters: named(stats.ServerTable[:], r.Counts),
	}
	if r.EjectedAt != 0 {
		at := time.UnixMicro(r.EjectedAt).UTC()
		of.EjectedAt = &at
	}
	return of
}

// shares is which part of a pool's keys each server gets.
func (h *handler) shares(p *topology.Pool) map[int]float64 {
	hash := ""
	if c := h.Process.Config().Pool(p.Name); c != nil {
		hash = c.Hash
	}
	return control.Shares(p, hash)
}

func named(table []stats.Descriptor, v stats.Values) map[string]uint64 {
	all := map[string]uint64{}
	for i, d := range table {
		all[d.Name] = v[i]
	}
	return all
}

func (h *handler) clients(c call) (any, error) {
	pool, err := c.required("pool")
	if err != nil {
		return nil, err
	}
	limit, err := c.number("limit", usualClients, 1, mostClients)
	if err != nil {
		return nil, err
	}
	portraits, err := h.System.Clients(pool, int(limit))
	if err != nil {
		return nil, err
	}
	all := []Client{}
	for _, p := range portraits {
		one := Client{
			Pool: pool, ID: p.Number, Address: "unix socket", Name: p.Name, Library: p.Library, Database: p.Database, Protocol: p.Protocol,
			Age: int64(p.Age / time.Second), Idle: int64(p.Idle / time.Second), Pending: p.Pending, Unsent: p.Unsent, Held: p.Held,
		}
		if p.Peer.IsValid() {
			one.Address = p.Peer.String()
		}
		if p.LibraryVersion != "" {
			one.Library += " " + p.LibraryVersion
		}
		all = append(all, one)
	}
	return all, nil
}

func (h *handler) explain(c call) (any, error) {
	name, err := c.required("pool")
	if err != nil {
		return nil, err
	}
	if len(c.query["key"]) == 0 {
		return nil, wrong("the parameter \"key\" is missing")
	}
	pool := h.System.Status().Snapshot.Pool(name)
	if pool == nil {
		return nil, proxy.NoPool(name)
	}
	shares := h.shares(pool)
	all := []Explanation{}
	for _, key := range c.query["key"] {
		e := route.Explain(pool, []byte(key))
		one := Explanation{Pool: name, Key: key, Hashed: string(e.Hashed), Hash: e.Hash}
		if e.Server != nil {
			one.Server, one.Address, one.Share = e.Server.Name, e.Server.Address, shares[e.Server.Index]
		}
		all = append(all, one)
	}
	return all, nil
}

func (h *handler) slowlog(call) (any, error) {
	all := []SlowRequest{}
	for _, e := range h.System.Slow() {
		all = append(all, SlowRequest{
			Time: h.now().Add(-e.Ago), Pool: e.Pool, Server: e.Server, Client: e.Client, Command: e.Command, Key: e.Key,
			Waiting: e.Waiting.Microseconds(), Serving: e.Serving.Microseconds(), Failure: e.Failure,
		})
	}
	return all, nil
}

func (h *handler) hot(c call) (any, error) {
	pool, err := c.required("pool")
	if err != nil {
		return nil, err
	}
	if h.System.Status().Snapshot.Pool(pool) == nil {
		return nil, proxy.NoPool(pool)
	}
	of := h.System.Hot(pool)
	return HotKeys{
		Pool: pool, Every: of.Every, Samples: of.Requests, Bytes: of.Bytes,
		ByRequests: heavyKeys(of.ByRequests, of.Requests), ByBytes: heavyKeys(of.ByBytes, of.Bytes),
		BigThreshold: of.BigThreshold, Big: bigKeys(of.Big),
	}, nil
}

func bigKeys(list []stats.Heavy) []BigKey {
	all := []BigKey{}
	for _, k := range list {
		all = append(all, BigKey{k.Key, k.Weight, k.Peak})
	}
	return all
}

func heavyKeys(list []stats.Heavy, total uint64) []HeavyKey {
	all := []HeavyKey{}
	for _, k := range list {
		all = append(all, HeavyKey{k.Key, k.Weight, float64(k.Weight) / float64(max(total, 1)), k.Peak})
	}
	return all
}

func (h *handler) config(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/yaml")
	_, _ = w.Write(h.Process.Config().Show()) // a caller that has gone
}

func (h *handler) events(c call) (any, error) {
	limit, err := c.number("limit", usualEvents, 1, keptEvents)
	if err != nil {
		return nil, err
	}
	wait, err := c.number("wait", 0, 0, int64(longestWait/time.Second))
	if err != nil {
		return nil, err
	}
	if !c.query.Has("after") {
		if wait > 0 {
			return nil, wrong("\"wait\" is only served with \"after\"")
		}
		return h.Events.newest(int(limit)), nil
	}
	after, err := c.number("after", 0, 0, 1<<62)
	if err != nil {
		return nil, err
	}
	if wait > 0 {
		if !h.Events.enter() {
			return nil, &failure{status: http.StatusServiceUnavailable, text: "enough callers wait for events; ask without \"wait\", or later"}
		}
		defer h.Events.leave()
	}
	ctx, cancel := context.WithTimeout(c.Context(), time.Duration(wait)*time.Second)
	defer cancel()
	defer context.AfterFunc(h.ending, cancel)()
	return h.Events.after(ctx, uint64(after), int(limit)), nil
}

func (c call) required(name string) (string, error) {
	if !c.query.Has(name) {
		return "", wrong("the parameter %q is missing", name)
	}
	return c.query.Get(name), nil
}

// number is a parameter within bounds. Of seconds the unit may be written.
func (c call) number(name string, usual, least, most int64) (int64, error) {
	if !c.query.Has(name) {
		return usual, nil
	}
	n, err := strconv.ParseInt(strings.TrimSuffix(c.query.Get(name), "s"), 10, 64)
	if err != nil || n < least || n > most {
		return 0, wrong("%s is %q; allowed: %d to %d", name, c.query.Get(name), least, most)
	}
	return n, nil
}
