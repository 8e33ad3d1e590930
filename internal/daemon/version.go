package daemon

import "runtime/debug"

// release is set by the linker (-X) in release builds.
var release = ""

// Version is the release, or the module's version as the go command recorded it, or "devel".
func Version() string {
	if release != "" {
		return release
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" && info.Main.Version != "(devel)" {
		return info.Main.Version
	}
	return "devel"
}
