package config

import (
	"fmt"
	"slices"
	"strings"

	"github.com/cashew-proxy/cashew/internal/topology"
)

// What is the kind of a change.
type What string

// The kinds of changes.
const (
	PoolAdded     What = "pool added"
	PoolRemoved   What = "pool removed"
	KeyChanged    What = "key changed"
	ServerAdded   What = "server added"
	ServerRemoved What = "server removed"
	ServerMoved   What = "server moved" // to another address, with its name and keys
	ServerWeighed What = "server weighed"
)

// Change is one difference between two configurations.
type Change struct {
	What   What   `json:"what"`
	Pool   string `json:"pool,omitempty"`   // "" for a key of the process
	Server string `json:"server,omitempty"` // its ring name
	Key    string `json:"key,omitempty"`

	// Old and New are a key's value in the file's spelling, with commas in lists, and "" if there is
	// none; a secret is "***". Of a pool they are where it listens and how many servers it has, of a server
	// its address and weight, or the one of them that changed.
	Old string `json:"old,omitempty"`
	New string `json:"new,omitempty"`

	Touches       Touch `json:"touches"`
	NeedsRestart  bool  `json:"needs_restart"`  // a running process keeps the old value
	ClosesClients bool  `json:"closes_clients"` // the pool's clients are closed, when they have their replies
}

// String is the change in one line.
func (c Change) String() string {
	var b strings.Builder
	b.WriteString(c.subject())
	switch c.What {
	case PoolAdded, ServerAdded:
		fmt.Fprintf(&b, " added (%s)", c.New)
	case PoolRemoved, ServerRemoved:
		fmt.Fprintf(&b, " removed (%s)", c.Old)
	case ServerMoved:
		fmt.Fprintf(&b, " moved: %s -> %s", c.Old, c.New)
	case ServerWeighed:
		fmt.Fprintf(&b, " weight: %s -> %s", c.Old, c.New)
	case KeyChanged:
		b.WriteString(c.values())
	}
	if c.ClosesClients {
		b.WriteString("; the pool's clients are closed when they have their replies")
	}
	if c.NeedsRestart {
		b.WriteString("; needs a restart")
	}
	return b.String()
}

func (c Change) subject() string {
	switch c.What {
	case PoolAdded, PoolRemoved:
		return "pool " + yamlText(c.Pool)
	case KeyChanged:
		if c.Pool == "" {
			return processName + ": " + c.Key + ": "
		}
		return "pool " + yamlText(c.Pool) + ": " + c.Key + ": "
	}
	return "pool " + yamlText(c.Pool) + ": server " + yamlText(c.Server)
}

func (c Change) values() string {
	if c.Old == hidden && c.New == hidden {
		return "changed"
	}
	return orNone(c.Old) + " -> " + orNone(c.New)
}

func orNone(text string) string {
	if text == "" {
		return "none"
	}
	return text
}

// Diff returns what differs between two configurations: keys of the process, then pool by pool in
// the order of old, then new pools. Spellings of one value are no difference. A memory_limit of 0
// and what WithMemoryLimit put in its place are one: give both configurations, or neither.
func Diff(old, new *Config) []Change {
	changes := diffKeys(processKeys, &old.Process, &new.Process)
	for _, p := range old.Pools {
		if q := new.Pool(p.Name); q != nil {
			changes = append(changes, diffPools(p, q)...)
		} else {
			changes = append(changes, Change{What: PoolRemoved, Pool: p.Name, Old: p.summary(), Touches: TouchesPool})
		}
	}
	for _, p := range new.Pools {
		if old.Pool(p.Name) == nil {
			changes = append(changes, Change{What: PoolAdded, Pool: p.Name, New: p.summary(), Touches: TouchesPool})
		}
	}
	for i := range changes {
		if c := &changes[i]; c.What == PoolAdded || c.Pool != "" && c.Key == "listen" {
			c.NeedsRestart = inTheWay(old, new.Pool(c.Pool))
		}
	}
	return changes
}

// inTheWay says whether a process that goes by old has a listener because of which the pool's cannot be opened.
func inTheWay(old *Config, p *Pool) bool {
	for _, o := range old.Pools {
		if o.Listen.Address != p.Listen.Address && o.endpoint().Overlaps(p.endpoint()) {
			return true
		}
	}
	admin := old.Process.Admin
	return admin.Network != "" && p.endpoint().Overlaps(topology.Listen{Network: admin.Network, Address: admin.Address})
}

func (p *Pool) summary() string {
	return fmt.Sprintf("%s, servers: %d", p.Listen, len(p.Servers))
}

func diffPools(old, new *Pool) (changes []Change) {
	for _, c := range append(diffKeys(poolKeys, old, new), diffServers(old.Servers, new.Servers)...) {
		c.Pool = old.Name
		changes = append(changes, c)
	}
	return changes
}

// diffKeys leaves the servers to diffServers.
func diffKeys[T any](table []key[T], old, new *T) (changes []Change) {
	for i := range table {
		k := &table[i]
		if k.name == "servers" || slices.Equal(k.as.show(old), k.as.show(new)) {
			continue
		}
		changes = append(changes, Change{
			What: KeyChanged, Key: k.name, Old: inOneLine(k.shown(old)), New: inOneLine(k.shown(new)),
			Touches: k.touches, NeedsRestart: k.restart, ClosesClients: k.closes,
		})
	}
	return changes
}

// inOneLine has a secret as hidden, without quotes.
func inOneLine(texts []string) string {
	if len(texts) == 1 && texts[0] == hidden {
		return hidden
	}
	quoted := make([]string, len(texts))
	for i, text := range texts {
		quoted[i] = yamlText(text)
	}
	return strings.Join(quoted, ", ")
}

// diffServers knows a server by its ring name: one that has another name gets other keys, even at
// the same address.
func diffServers(old, new []Server) (changes []Change) {
	for _, s := range old {
		i := slices.IndexFunc(new, func(t Server) bool { return t.Name == s.Name })
		if i < 0 {
			changes = append(changes, Change{What: ServerRemoved, Server: s.Name, Old: s.summary(), Touches: TouchesPlacement})
			continue
		}
		t := new[i]
		if s.Network != t.Network || s.Address != t.Address {
			changes = append(changes, Change{
				What: ServerMoved, Server: s.Name, Old: s.Address, New: t.Address, Touches: TouchesServers,
			})
		}
		if s.Weight != t.Weight {
			changes = append(changes, Change{
				What: ServerWeighed, Server: s.Name, Old: fmt.Sprint(s.Weight), New: fmt.Sprint(t.Weight), Touches: TouchesPlacement,
			})
		}
	}
	for _, s := range new {
		if !slices.ContainsFunc(old, func(t Server) bool { return t.Name == s.Name }) {
			changes = append(changes, Change{What: ServerAdded, Server: s.Name, New: s.summary(), Touches: TouchesPlacement})
		}
	}
	return changes
}

func (s Server) summary() string {
	return fmt.Sprintf("%s, weight %d", s.Address, s.Weight)
}
