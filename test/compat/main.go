// Command compat makes the compatibility table: client libraries with their default options, against a
// real server and then through cashew. `make compat` builds and runs it and writes docs/clients.md.
//
// A library's program gets host and port as arguments. For every step it prints one line:
//
//	version: 9.23.0
//	connect: ok
//	binary: FAIL what went wrong
//	scan: none the library has no such call
//
// Before the step reconnect it prints "restart" and reads a line, which comes when what it is
// connected to has been ended and started again at the same address. It begins what it does with a
// SET of the key compat:start: what the library has sent before is its handshake.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// work is where programs are built and packages of npm installed. The dot keeps it out of ./...
const work = "bin/.compat"

func main() {
	only := flag.String("only", "", "run only the libraries whose name contains this, and write no page")
	direct := flag.Bool("direct", false, "run only against the servers themselves, which tries the programs, and write no page")
	cashew := flag.String("cashew", "bin/cashew", "the proxy")
	out := flag.String("out", "docs/clients.md", "the page with the table")
	verbose := flag.Bool("v", false, "show what programs say")
	flag.Parse()
	if err := run(*only, *direct, *verbose, *cashew, *out); err != nil {
		fmt.Fprintln(os.Stderr, "compat:", err)
		os.Exit(1)
	}
}

func run(only string, direct, verbose bool, cashew, out string) error {
	chosen := Libraries
	if only != "" {
		chosen = nil
		for _, l := range Libraries {
			if strings.Contains(l.Name, only) {
				chosen = append(chosen, l)
			}
		}
	}
	if err := install(chosen); err != nil {
		return err
	}
	fleet, err := startFleet(cashew)
	if err != nil {
		return err
	}
	defer fleet.stop()

	var results []result
	var wrong []error
	for _, l := range chosen {
		r := result{library: l}
		if !l.missing() {
			if r.direct, r.opens, err = runDirect(fleet, l); err != nil {
				return err
			}
			if !direct {
				if r.proxied, err = runProxied(fleet, l); err != nil {
					return err
				}
			}
		}
		if err := r.judge(direct); err != nil {
			wrong = append(wrong, err)
		}
		r.report(os.Stdout, verbose)
		results = append(results, r)
	}
	if only == "" && !direct {
		if err := writePage(out, results); err != nil {
			return err
		}
	}
	return errors.Join(wrong...)
}

// install gets what is missing: packages of Debian, of npm, and the programs in Go, C and Java built.
// What cannot be had is noticed when the library is run.
func install(ls []Library) error {
	packages := []string{"redis-server", "memcached"}
	need := map[string]bool{}
	for _, l := range ls {
		for _, p := range l.Debian {
			packages = append(packages, "deb:"+p)
		}
		need[l.Language] = true
	}
	if err := tool(".", "scripts/peers.sh", packages...); err != nil {
		return err
	}
	if err := os.MkdirAll(work, 0o755); err != nil {
		return err
	}
	if need["Node.js"] {
		if err := installNode(); err != nil {
			fmt.Println("npm:", err)
		}
	}
	if need["Go"] {
		bin, err := filepath.Abs(filepath.Join(work, "go"))
		if err != nil {
			return err
		}
		if err := tool("test/compat/go", "go", "build", "-o", bin+"/", "./..."); err != nil {
			return err
		}
	}
	if need["C"] {
		for _, l := range ls {
			if l.Language != "C" || len(l.Link) == 0 {
				continue
			}
			args := append([]string{"-O1", "-Wall", "-o", filepath.Join(work, l.Program), "test/compat/c/" + l.Program + ".c"}, l.Link...)
			if err := tool(".", "cc", args...); err != nil {
				fmt.Println("cc:", err)
			}
		}
	}
	return nil
}

// installNode installs exactly what the lock file names, without running scripts of packages.
func installNode() error {
	dir := filepath.Join(work, "npm")
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	if err := os.CopyFS(dir, os.DirFS("test/compat/npm")); err != nil {
		return err
	}
	return tool(dir, "npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--silent")
}

// tool runs a program to its end and says what it is.
func tool(dir, name string, args ...string) error {
	fmt.Println("+", name, strings.Join(args, " "))
	c := exec.Command(name, args...)
	c.Dir, c.Stdout, c.Stderr = dir, os.Stdout, os.Stderr
	if err := c.Run(); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}
