package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// process is a server or a proxy that this program started. It is ended by its id, never by its name.
type process struct {
	name   string
	path   string // of the executable
	port   int
	admin  int    // cashew's and codis' other port
	speaks string // redis or memcached
	logs   string // path of its log file
	args   []string
	cmd    *exec.Cmd
	exited chan struct{}
}

// freePort returns a port of loopback that was free a moment ago.
func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}

// start runs a program and waits until it answers on its port.
func start(ctx context.Context, p *process, args ...string) error {
	path, err := exec.LookPath(p.path)
	if err != nil {
		return fmt.Errorf("%s: %w", p.name, err)
	}
	p.path, p.args = path, args
	p.cmd = exec.Command(path, args...)
	p.cmd.Dir = filepath.Dir(p.logs)
	p.cmd.SysProcAttr = childAttr()
	// Some have a log file of their own and append to the same; some only know stderr.
	log, err := os.OpenFile(p.logs, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return fmt.Errorf("%s: %w", p.name, err)
	}
	p.cmd.Stderr = log
	err = errors.Join(p.cmd.Start(), log.Close()) // the process has a descriptor of its own
	if err != nil {
		return fmt.Errorf("%s: %w", p.name, err)
	}
	p.exited = make(chan struct{})
	go func() {
		_ = p.cmd.Wait() // how it ended does not matter: it must not end
		close(p.exited)
	}()
	if err := p.ready(ctx); err != nil {
		p.stop()
		return fmt.Errorf("%s did not come up: %w%s", p.name, err, p.tail())
	}
	return nil
}

func (p *process) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	var last error
	for {
		if last = p.ping(); last == nil {
			return nil
		}
		select {
		case <-tick.C:
		case <-p.exited:
			return fmt.Errorf("it ended (%s)", p.cmd.ProcessState)
		case <-ctx.Done():
			return errors.Join(ctx.Err(), last)
		}
	}
}

func (p *process) ping() error { return ping(p.port, p.speaks) }

// stop asks the process to end, and ends it if it does not.
func (p *process) stop() {
	if p.exited == nil {
		return
	}
	_ = p.cmd.Process.Signal(syscall.SIGTERM) // fails only if it has ended
	select {
	case <-p.exited:
	case <-time.After(3 * time.Second):
		_ = p.cmd.Process.Kill()
		<-p.exited
	}
}

// restart ends the process and starts it once more, as it was.
func (p *process) restart(ctx context.Context) error {
	p.stop()
	return start(ctx, p, p.args...)
}

// tail returns the end of the log, for an error message.
func (p *process) tail() string {
	b, err := os.ReadFile(p.logs)
	if err != nil || len(b) == 0 {
		return ""
	}
	lines := strings.Split(strings.TrimSpace(string(b)), "\n")
	return "\n  the end of its log:\n  " + strings.Join(lines[max(0, len(lines)-5):], "\n  ")
}
