package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
)

// profile has cashew take a profile of its CPU while it runs a workload, if that was asked for, and returns what waits
// for it and keeps it in a file of the workload's name. The compiler reads a sum of these (make profile).
func (o *options) profile(ctx context.Context, t *target, w workload) (wait func() error) {
	if o.profiles == "" || t.name != cashew {
		return func() error { return nil }
	}
	done := make(chan error, 1)
	path := fmt.Sprintf("/debug/pprof/profile?seconds=%d", max(1, int(o.seconds)-1))
	go func() {
		profile, err := askCashew(ctx, t.proxy.admin, path)
		if err == nil {
			err = os.WriteFile(filepath.Join(o.profiles, w.Name+".pb.gz"), profile, 0o600)
		}
		done <- err
	}()
	return func() error { return <-done }
}
