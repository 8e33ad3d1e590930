package bytebuf

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// remapMemory makes a mapping n bytes long, moving its pages where it must. It returns nil when the
// system cannot do it; the old mapping is then untouched.
func remapMemory(b []byte, n int) []byte {
	p, err := unix.MremapPtr(unsafe.Pointer(unsafe.SliceData(b)), uintptr(cap(b)), nil, uintptr(n), unix.MREMAP_MAYMOVE)
	if err != nil {
		return nil
	}
	return unsafe.Slice((*byte)(p), n)
}
