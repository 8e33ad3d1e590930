//go:build unix

package bytebuf

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// mapMemory returns n bytes of zeroed memory outside the Go heap. When the system has none left there
// is nothing to fall back to: the heap asks the same system.
func mapMemory(n int) []byte {
	p, err := unix.MmapPtr(-1, 0, nil, uintptr(n), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		panic("bytebuf: the system has no memory: mmap: " + err.Error())
	}
	return unsafe.Slice((*byte)(p), n)
}

// unmapMemory gives a mapping back to the system.
func unmapMemory(b []byte) {
	if err := unix.MunmapPtr(unsafe.Pointer(unsafe.SliceData(b)), uintptr(cap(b))); err != nil {
		panic("bytebuf: munmap: " + err.Error())
	}
}
