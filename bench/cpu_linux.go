package main

import (
	"fmt"
	"syscall"
	"time"
	"unsafe"
)

// cpuTime returns the CPU time, user and system, that a process has used since it was started: all its
// threads, those that have ended too, in nanoseconds.
//
// It is the process's CPU clock, whose id is made of the process id as clock_getcpuclockid(3) does:
// ^pid<<3 | 2 (CPUCLOCK_SCHED). /proc/PID/stat counts the same in ticks of 10 ms, and
// /proc/PID/task/*/schedstat forgets threads that have ended.
func cpuTime(pid int) (time.Duration, error) {
	var ts syscall.Timespec
	id := uintptr(^pid<<3 | 2)
	if _, _, errno := syscall.Syscall(syscall.SYS_CLOCK_GETTIME, id, uintptr(unsafe.Pointer(&ts)), 0); errno != 0 {
		return 0, fmt.Errorf("the CPU clock of process %d: %w", pid, errno)
	}
	return time.Duration(ts.Nano()), nil
}

// childAttr makes the kernel end a child when this program dies without having ended it.
func childAttr() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}
