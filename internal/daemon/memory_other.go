//go:build !darwin && !freebsd

package daemon

import "os"

func machineMemory() int64 {
	if n := memInfo(os.DirFS("/")); n > 0 {
		return n
	}
	return assumedMemory
}
