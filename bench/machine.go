package main

import (
	"context"
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
)

// describeMachine names everything that a figure depends on, one fact a line.
func describeMachine(ctx context.Context, o *options, f *fleet) []string {
	facts := []string{
		"CPU: " + cpuModel() + fmt.Sprintf(", %d visible", runtime.NumCPU()),
		"Kernel: " + kernel(readLine("/proc/sys/kernel/osrelease")) + ", " + runtime.GOARCH,
		"Go of this tool: " + runtime.Version(),
		"redis-server: " + output(ctx, "redis-server", "--version"),
		"redis-benchmark: " + output(ctx, "redis-benchmark", "--version"),
	}
	if slices.ContainsFunc(f.targets, func(t *target) bool { return t.speaks == memcached }) {
		facts = append(facts,
			"memcached: "+output(ctx, "memcached", "--version")+", one thread each (-t 1)",
			"load on memcached: this tool's own generator, compared with redis-benchmark by -check")
	}
	seen := map[string]bool{} // with two protocols most targets are there twice
	for _, t := range f.targets {
		if seen[t.name] {
			continue
		}
		seen[t.name] = true
		switch t.name {
		case nutcracker:
			facts = append(facts, "nutcracker: "+output(ctx, t.proxy.path, "-V")+", "+checksum(t.proxy.path)+", run with -v 4")
		case cashew:
			facts = append(facts, "cashew: "+output(ctx, t.proxy.path, "-V")+", "+checksum(t.proxy.path)+", "+goVersion(ctx, t.proxy.path)+", no settings of its own")
		case direct:
			facts = append(facts, "direct: one server that has all the keys, no proxy: half the servers, and the best case for the load generator")
		case floor:
			facts = append(facts, "floor: receives and answers, and forwards nothing")
		default:
			if p := peerNamed(t.name); p != nil {
				facts = append(facts, t.name+": "+output(ctx, t.proxy.path, "--version")+", "+checksum(t.proxy.path)+", "+p.settings)
			}
		}
	}
	return append(append(facts, f.pooled()...), unmeasured(o)...)
}

// pooled describes the servers behind the proxies.
func (f *fleet) pooled() (facts []string) {
	for _, p := range f.pools {
		if p.owner != "" {
			facts = append(facts, fmt.Sprintf("Keys of %s behind %s, by server: %s", p.speaks, p.owner, strings.Join(p.spread, ", ")))
			continue
		}
		facts = append(facts,
			fmt.Sprintf("Keys behind the proxies of %s, by server: %s", p.speaks, strings.Join(p.spread, ", ")),
			fmt.Sprintf("Pool of %s, the same for both proxies: %s", p.speaks, strings.Join(strings.Fields(p.config), " ")))
	}
	return facts
}

// unmeasured names the peers of which no binary was given.
func unmeasured(o *options) (facts []string) {
	for _, p := range peers {
		if o.group != nil && o.group.name == "peers" && o.peers[p.name] == "" {
			facts = append(facts, p.name+": not measured, the path of its binary was not given")
		}
	}
	return facts
}

// kernel shortens a release to what figures depend on: a distribution's own numbers follow.
func kernel(release string) string {
	major, rest, _ := strings.Cut(release, ".")
	minor, _, _ := strings.Cut(rest, ".")
	return "Linux " + major + "." + minor
}

func cpuModel() string {
	b, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return "unknown"
	}
	for line := range strings.SplitSeq(string(b), "\n") {
		if key, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return "unknown"
}

func readLine(path string) string {
	b, err := os.ReadFile(path)
	if err != nil {
		return "unknown"
	}
	return strings.TrimSpace(string(b))
}

// output returns the first line that a program prints, to stdout or stderr.
func output(ctx context.Context, program string, args ...string) string {
	out, err := exec.CommandContext(ctx, program, args...).CombinedOutput()
	line, _, _ := strings.Cut(strings.TrimSpace(string(out)), "\n")
	if err != nil && line == "" {
		return "unknown"
	}
	return line
}

// goVersion returns the Go that built a binary.
func goVersion(ctx context.Context, binary string) string {
	s := output(ctx, "go", "version", binary)
	return s[strings.LastIndex(s, " ")+1:]
}

// checksum tells builds of the same version apart.
func checksum(path string) string {
	b, err := os.ReadFile(path)
	if err != nil {
		return "sha256 unknown"
	}
	return fmt.Sprintf("sha256 %.6x", sha256.Sum256(b))
}
