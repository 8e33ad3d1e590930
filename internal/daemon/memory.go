package daemon

import (
	"io/fs"
	"math"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
)

// assumedMemory is for systems that do not tell how much they have.
const assumedMemory = 4 << 30

// memoryTotal is the memory that this process may use, in bytes: that of its container, or of the
// machine.
func memoryTotal() int64 {
	total := machineMemory()
	if limit := containerMemory(os.DirFS("/")); limit < total {
		total = limit
	}
	return total
}

// containerMemory is the smallest limit of the process's control groups, of version 2 or 1, in the
// file system root; MaxInt64 if there is none. Format: cgroups(7), proc_pid_cgroup(5).
func containerMemory(root fs.FS) int64 {
	limit := int64(math.MaxInt64)
	text, err := fs.ReadFile(root, "proc/self/cgroup")
	if err != nil {
		return limit
	}
	for line := range strings.Lines(string(text)) {
		fields := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(fields) != 3 {
			continue
		}
		switch controllers := strings.Split(fields[1], ","); {
		case fields[0] == "0" && fields[1] == "":
			limit = min(limit, groupLimit(root, "sys/fs/cgroup", fields[2], "memory.max"))
		case slices.Contains(controllers, "memory"):
			limit = min(limit, groupLimit(root, "sys/fs/cgroup/memory", fields[2], "memory.limit_in_bytes"))
		}
	}
	return limit
}

// groupLimit is the smallest limit of a group and its parents. In a container the group's path may
// be that of the host and lead nowhere; the mount itself is then the container's group.
func groupLimit(root fs.FS, mount, group, file string) int64 {
	limit := int64(math.MaxInt64)
	for dir := path.Clean("/" + group); ; dir = path.Dir(dir) {
		if text, err := fs.ReadFile(root, path.Join(mount, dir, file)); err == nil {
			// "max" is no number, and no limit.
			if n, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64); err == nil && n > 0 {
				limit = min(limit, n)
			}
		}
		if dir == "/" {
			return limit
		}
	}
}

// memInfo is the line MemTotal of Linux's /proc/meminfo, in bytes; 0 if it cannot be read.
func memInfo(root fs.FS) int64 {
	text, err := fs.ReadFile(root, "proc/meminfo")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, "MemTotal:"); ok {
			n, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64)
			if err == nil {
				return n << 10
			}
		}
	}
	return 0
}
