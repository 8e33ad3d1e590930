//go:build darwin || freebsd

package daemon

import (
	"runtime"

	"golang.org/x/sys/unix"
)

func machineMemory() int64 {
	name := "hw.physmem"
	if runtime.GOOS == "darwin" {
		name = "hw.memsize"
	}
	n, err := unix.SysctlUint64(name)
	if err != nil || n == 0 {
		return assumedMemory
	}
	return int64(n)
}
