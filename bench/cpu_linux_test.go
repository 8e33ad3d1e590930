package main

import (
	"os"
	"syscall"
	"testing"
	"time"
)

// TestCPUTime compares the clock with what the kernel says about this very process.
func TestCPUTime(t *testing.T) {
	for x, begin := 0, time.Now(); time.Since(begin) < 50*time.Millisecond; x++ {
		_ = x // something to count
	}
	var before, after syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &before); err != nil {
		t.Fatal(err)
	}
	got, err := cpuTime(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &after); err != nil {
		t.Fatal(err)
	}
	// Rusage may lag by a scheduler tick.
	const slack = 10 * time.Millisecond
	if low, high := total(before)-slack, total(after)+slack; got < low || got > high {
		t.Errorf("the CPU clock says %v, getrusage %v to %v", got, low, high)
	}
	if _, err := cpuTime(1 << 23); err == nil { // beyond the largest id, 1<<22
		t.Error("a process that cannot exist has a CPU clock")
	}
}

func total(r syscall.Rusage) time.Duration {
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}
