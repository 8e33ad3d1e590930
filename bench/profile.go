package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
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
	url := fmt.Sprintf("http://127.0.0.1:%d/debug/pprof/profile?seconds=%d", t.proxy.admin, max(1, int(o.seconds)-1))
	go func() { done <- fetch(ctx, url, filepath.Join(o.profiles, w.Name+".pb.gz")) }()
	return func() error { return <-done }
}

func fetch(ctx context.Context, url, file string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("cashew's profile: %w", err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %.200q", resp.Status, b)
	}
	if err != nil {
		return fmt.Errorf("cashew's profile: %w", err)
	}
	return os.WriteFile(file, b, 0o600)
}
