//go:build !linux

package main

import (
	"errors"
	"syscall"
	"time"
)

// cpuTime needs the CPU clocks of other processes, which only Linux has.
func cpuTime(int) (time.Duration, error) {
	return 0, errors.New("bench measures the CPU time of other processes and needs Linux for that")
}

// childAttr is nothing special here.
func childAttr() *syscall.SysProcAttr { return nil }
