package daemon

import (
	"math"
	"testing"
	"testing/fstest"
)

func TestContainerMemory(t *testing.T) {
	for _, c := range []struct {
		name  string
		files map[string]string
		want  int64
	}{
		{"no control groups", nil, math.MaxInt64},
		{"version 2", map[string]string{
			"proc/self/cgroup": "0::/a/b\n", "sys/fs/cgroup/a/b/memory.max": "1000\n",
		}, 1000},
		{"version 2, the parent is smaller", map[string]string{
			"proc/self/cgroup": "0::/a/b\n", "sys/fs/cgroup/a/b/memory.max": "max\n", "sys/fs/cgroup/a/memory.max": "500\n",
		}, 500},
		{"version 2 in a container with the host's path", map[string]string{
			"proc/self/cgroup": "0::/../../docker/x\n", "sys/fs/cgroup/memory.max": "700\n",
		}, 700},
		{"version 1", map[string]string{
			"proc/self/cgroup": "5:cpu,cpuacct:/x\n4:memory:/y\n",
			"sys/fs/cgroup/memory/y/memory.limit_in_bytes":         "900\n",
			"sys/fs/cgroup/memory/memory.limit_in_bytes":           "9223372036854771712\n",
			"sys/fs/cgroup/cpu,cpuacct/x/memory.limit_in_bytes":    "1\n",
			"sys/fs/cgroup/memory/elsewhere/memory.limit_in_bytes": "2\n",
		}, 900},
		{"nonsense", map[string]string{
			"proc/self/cgroup": "what\n0::/\n", "sys/fs/cgroup/memory.max": "-5\n",
		}, math.MaxInt64},
	} {
		root := fstest.MapFS{}
		for path, text := range c.files {
			root[path] = &fstest.MapFile{Data: []byte(text)}
		}
		if got := containerMemory(root); got != c.want {
			t.Errorf("%s: %d, want %d", c.name, got, c.want)
		}
	}
}

func TestMemInfo(t *testing.T) {
	for text, want := range map[string]int64{
		"MemFree: 5 kB\nMemTotal:       16384 kB\n": 16 << 20,
		"MemFree: 5 kB\n":     0,
		"MemTotal: many kB\n": 0,
	} {
		root := fstest.MapFS{"proc/meminfo": &fstest.MapFile{Data: []byte(text)}}
		if got := memInfo(root); got != want {
			t.Errorf("%q: %d, want %d", text, got, want)
		}
	}
	if got := memInfo(fstest.MapFS{}); got != 0 {
		t.Errorf("without the file: %d", got)
	}
}

// TestMemoryTotal asks the machine that runs the tests: it has at least what Go itself needs.
func TestMemoryTotal(t *testing.T) {
	if got := memoryTotal(); got < 32<<20 || got == math.MaxInt64 {
		t.Errorf("this machine has %d bytes?", got)
	}
}
