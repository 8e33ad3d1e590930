//go:build unix && !linux

package bytebuf

// remapMemory says that the system cannot move mappings: the caller copies.
func remapMemory([]byte, int) []byte { return nil }
