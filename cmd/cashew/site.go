package main

import "os/exec"

// site are the files that a command line leaves to the program.
type site struct {
	config string
	log    string // "" is standard error
	pid    string // only in the background; "" is none
}

// usual is twemproxy's.
var usual = site{config: "conf/nutcracker.yml"}

// debians is what Debian has built into its nutcracker. Its unit and its init script count on it.
var debians = site{
	config: "/etc/nutcracker/nutcracker.yml",
	log:    "/var/log/nutcracker/nutcracker.log",
	pid:    "/run/nutcracker/nutcracker.pid",
}

// siteOf returns the files for a program that was called as name. In the place of Debian's nutcracker it
// has Debian's, each as far as there is a place for it; under other names it has twemproxy's.
func siteOf(name string, exists func(path string) bool) site {
	if found, err := exec.LookPath(name); err == nil {
		name = found
	}
	s := usual
	if name != "/usr/sbin/nutcracker" && name != "/sbin/nutcracker" {
		return s
	}
	if exists(debians.config) {
		s.config = debians.config
	}
	if exists("/var/log/nutcracker") {
		s.log = debians.log
	}
	if exists("/run/nutcracker") {
		s.pid = debians.pid
	}
	return s
}
