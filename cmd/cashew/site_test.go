package main

import "testing"

func TestSite(t *testing.T) {
	nothing := func(string) bool { return false }
	everything := func(string) bool { return true }
	for _, c := range []struct {
		name   string
		exists func(string) bool
		want   site
	}{
		{"/usr/sbin/nutcracker", everything, debians},
		{"/sbin/nutcracker", everything, debians},
		{"/usr/sbin/nutcracker", nothing, usual},
		{"/usr/sbin/nutcracker", func(path string) bool { return path == "/run/nutcracker" }, site{usual.config, "", debians.pid}},
		{"/usr/local/sbin/nutcracker", everything, usual},
		{"/usr/sbin/cashew", everything, usual},
		{"./nutcracker", everything, usual},
		{"cashew", everything, usual},
	} {
		if got := siteOf(c.name, c.exists); got != c.want {
			t.Errorf("%s: %+v, want %+v", c.name, got, c.want)
		}
	}
}

// TestSiteAndFlags: what is given wins, an empty value too; a pid file is for the background.
func TestSiteAndFlags(t *testing.T) {
	for _, c := range []struct{ line, config, log, pid string }{
		{"", debians.config, debians.log, ""},
		{"-d", debians.config, debians.log, debians.pid},
		{"-d -p '' -o ''", debians.config, "", ""},
		{"-d -c c -o o -p p", "c", "o", "p"},
		{"-p p", debians.config, debians.log, "p"},
	} {
		o, _, err := parseFlags("nutcracker", debians, words(c.line))
		if err != nil || o.ConfigFile != c.config || o.LogFile != c.log || o.PidFile != c.pid {
			t.Errorf("%s: %q, %q, %q, %v", c.line, o.ConfigFile, o.LogFile, o.PidFile, err)
		}
	}
}
