//go:build !linux

package main

import (
	"errors"
	"time"
)

// This program measures on Linux only; elsewhere it has to compile.

var errLinux = errors.New("only on Linux")

type poller struct{}

type ready struct {
	id             int
	read, writable bool
}

func newPoller() (*poller, error) { return nil, errLinux }

func (*poller) close()                                             {}
func (*poller) add(int, int) error                                 { return errLinux }
func (*poller) change(int, int, bool) error                        { return errLinux }
func (*poller) wait(dst []ready, _ time.Duration) ([]ready, error) { return dst, errLinux }

func (*poller) waitExactly(dst []ready, _ time.Duration) ([]ready, error) { return dst, errLinux }

func exactTimers() {}

func dialSocket(int) (int, error)          { return -1, errLinux }
func listenSocket(int) (int, error)        { return -1, errLinux }
func acceptSocket(int) (int, error)        { return -1, errLinux }
func readSocket(int, []byte) (int, error)  { return 0, errLinux }
func writeSocket(int, []byte) (int, error) { return 0, errLinux }
func closeSocket(int)                      {}
func localPort(int) (int, error)           { return 0, errLinux }
