package main

import (
	"fmt"
	"slices"
	"strconv"
)

// preload sets the keys that the workloads need: once directly, and once through the last proxy of those that
// place keys alike. A key that another looks for elsewhere fails the run.
func (f *fleet) preload(selected []workload) error {
	for _, protocol := range []string{redis, memcached} {
		spaces := map[keyspace]bool{}
		total := 0
		for _, w := range selected {
			if w.Protocol == protocol && !spaces[w.keys] {
				spaces[w.keys] = true
				total += w.keys.keys
			}
		}
		proxied := map[string]bool{}
		for _, t := range slices.Backward(f.targets) {
			owner := placementOf(t.name)
			if t.speaks != protocol || len(t.servers) == 0 || t.proxy != nil && proxied[owner] {
				continue
			}
			proxied[owner] = proxied[owner] || t.proxy != nil
			for k := range spaces {
				if err := fill(t.port, protocol, k); err != nil {
					return fmt.Errorf("loading keys through %s: %w%s", t.name, err, t.log())
				}
			}
			have, err := t.spread(total)
			if err != nil {
				return err
			}
			for _, p := range f.pools {
				if p.speaks == protocol && p.owner == owner && t.proxy != nil {
					p.spread = have
				}
			}
		}
	}
	return nil
}

// spread returns how many keys each server of the target has; all of them together are to have total.
func (t *target) spread(total int) (have []string, err error) {
	sum := 0
	for _, s := range t.servers {
		n, err := keysOf(s.port, t.speaks)
		if err != nil {
			return nil, err
		}
		if n == 0 {
			return nil, fmt.Errorf("%s got no key at all through %s", s.name, t.name)
		}
		have = append(have, strconv.Itoa(n))
		sum += n
	}
	if sum != total {
		return nil, fmt.Errorf("%d keys were loaded through %s, %d are there", total, t.name, sum)
	}
	return have, nil
}
