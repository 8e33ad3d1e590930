// Package step is what the programs of the compatibility table have in common.
package step

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"strings"
	"time"
)

// N is the size of pipelines and collections.
const N = 1000

// Start is the key with which every program begins.
const Start = "compat:start"

var failed bool

// Value is 1 MiB of every byte there is.
func Value() []byte {
	all := make([]byte, 256)
	for i := range all {
		all[i] = byte(i)
	}
	return bytes.Repeat(all, 4096)
}

// Addr is the address given.
func Addr() string { return os.Args[1+extra] + ":" + os.Args[2+extra] }

// extra arguments of the program stand before host and port.
var extra int

// Option takes the program's own argument.
func Option() string {
	extra = 1
	return os.Args[1]
}

// Version tells the version of a module in this program.
func Version(module string) {
	info, _ := debug.ReadBuildInfo()
	for _, d := range info.Deps {
		if d.Path == module {
			fmt.Println("version:", strings.TrimPrefix(d.Version, "v"))
		}
	}
}

// Do runs one step and tells its outcome.
func Do(name string, f func() error) {
	if err := f(); err != nil {
		failed = true
		fmt.Printf("%s: FAIL %s\n", name, strings.ReplaceAll(err.Error(), "\n", " "))
		if name == "connect" {
			os.Exit(1)
		}
		return
	}
	fmt.Printf("%s: ok\n", name)
}

// None tells that the library does not have something.
func None(name, why string) { fmt.Printf("%s: none %s\n", name, why) }

// Restart returns when the other side has been restarted.
func Restart() {
	fmt.Println("restart")
	_, _ = bufio.NewReader(os.Stdin).ReadString('\n')
}

// Again repeats f for some seconds until it succeeds.
func Again(f func() error) error {
	var err error
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if err = f(); err == nil {
			return nil
		}
	}
	return err
}

// Check returns the first error, or one that says what is wrong.
func Check(ok bool, what string, errs ...error) error {
	if err := errors.Join(errs...); err != nil {
		return err
	}
	if !ok {
		return errors.New(what)
	}
	return nil
}

// End ends the program.
func End() {
	if failed {
		os.Exit(1)
	}
}
