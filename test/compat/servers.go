package main

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// limit bounds the start and the end of a process.
const limit = 15 * time.Second

// process is a server at an address, which can be ended and started again.
type process struct {
	address string
	args    []string
	log     string // a file
	cmd     *exec.Cmd
	ended   chan struct{}
}

func (p *process) start() error {
	log, err := os.OpenFile(p.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	p.cmd = exec.Command(p.args[0], p.args[1:]...)
	p.cmd.Stdout, p.cmd.Stderr = log, log
	if err := p.cmd.Start(); err != nil {
		return err
	}
	p.ended = make(chan struct{})
	go func(c *exec.Cmd, ended chan struct{}) {
		_ = c.Wait() // how it ends is in its log
		close(ended)
	}(p.cmd, p.ended)
	for deadline := time.Now().Add(limit); ; time.Sleep(10 * time.Millisecond) {
		c, err := net.Dial("tcp", p.address)
		if err == nil {
			return c.Close()
		}
		select {
		case <-p.ended:
		default:
			if time.Now().Before(deadline) {
				continue
			}
		}
		text, _ := os.ReadFile(p.log)
		return fmt.Errorf("%s does not listen at %s: %v\n%s", p.args[0], p.address, err, text)
	}
}

func (p *process) stop() error {
	if p.cmd == nil {
		return nil
	}
	_ = p.cmd.Process.Signal(syscall.SIGTERM) // an error means that it has ended
	select {
	case <-p.ended:
		return nil
	case <-time.After(limit):
		_ = p.cmd.Process.Kill()
		<-p.ended
		return fmt.Errorf("%s did not end within %v of SIGTERM", p.args[0], limit)
	}
}

func (p *process) restart() error {
	if err := p.stop(); err != nil {
		return err
	}
	return p.start()
}

// fleet is all that libraries talk to.
type fleet struct {
	dir    string
	cashew *process
	redis  []*process // three behind the proxy, and one that libraries use directly
	memc   []*process
	pools  map[string]string // the address of the pool of a protocol
}

// free is an address that the kernel has just given.
func free() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}

func startFleet(cashew string) (f *fleet, err error) {
	f = &fleet{pools: map[string]string{}}
	if f.dir, err = os.MkdirTemp("", "cashew-compat"); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			f.stop()
		}
	}()
	for i := range 4 {
		for _, program := range []string{"redis-server", "memcached"} {
			p, err := f.server(program, i)
			if err != nil {
				return nil, err
			}
			if program == "memcached" {
				f.memc = append(f.memc, p)
			} else {
				f.redis = append(f.redis, p)
			}
			if err := p.start(); err != nil {
				return nil, err
			}
		}
	}
	text, err := f.configuration()
	if err != nil {
		return nil, err
	}
	file := filepath.Join(f.dir, "cashew.yml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		return nil, err
	}
	statistics, err := free()
	if err != nil {
		return nil, err
	}
	_, port, _ := net.SplitHostPort(statistics)
	f.cashew = &process{
		address: f.pools["Redis"], log: filepath.Join(f.dir, "cashew.log"),
		args: []string{cashew, "-c", file, "-a", "127.0.0.1", "-s", port},
	}
	return f, f.cashew.start()
}

func (f *fleet) server(program string, i int) (*process, error) {
	address, err := free()
	if err != nil {
		return nil, err
	}
	_, port, _ := net.SplitHostPort(address)
	p := &process{address: address, log: filepath.Join(f.dir, fmt.Sprintf("%s-%d.log", program, i))}
	if program == "redis-server" {
		p.args = []string{program, "--port", port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", f.dir}
	} else {
		// Room for a value of 1 MiB with its header; root must say whom it wants to be.
		p.args = []string{program, "-l", "127.0.0.1", "-p", port, "-U", "0", "-I", "8m", "-u", "nobody"}
	}
	return p, nil
}

// tagged is a pool of Redis servers with the one setting that some libraries need.
const tagged = "tagged"

// configuration has one pool per protocol, of the first three servers each, and nothing else but the
// defaults; and one with hash tags.
func (f *fleet) configuration() (string, error) {
	var b strings.Builder
	b.WriteString("cashew: {admin: none}\n") // its default port may be somebody's
	for _, protocol := range []string{"Redis", "memcached", tagged} {
		address, err := free()
		if err != nil {
			return "", err
		}
		f.pools[protocol] = address
		servers := f.redis
		if protocol == "memcached" {
			servers = f.memc
		}
		fmt.Fprintf(&b, "%s:\n  listen: %s\n  redis: %v\n", strings.ToLower(protocol), address, protocol != "memcached")
		if protocol == tagged {
			b.WriteString("  hash_tag: '{}'\n")
		}
		b.WriteString("  servers:\n")
		for _, s := range servers[:3] {
			fmt.Fprintf(&b, "    - %s:1\n", s.address)
		}
	}
	return b.String(), nil
}

// server that libraries of a protocol use without a proxy.
func (f *fleet) alone(protocol string) *process {
	if protocol == "memcached" {
		return f.memc[3]
	}
	return f.redis[3]
}

func (f *fleet) stop() {
	all := append(append([]*process{}, f.redis...), f.memc...)
	if f.cashew != nil {
		all = append([]*process{f.cashew}, all...)
	}
	for _, p := range all {
		if err := p.stop(); err != nil {
			fmt.Fprintln(os.Stderr, "compat:", err)
		}
	}
	if err := os.RemoveAll(f.dir); err != nil {
		fmt.Fprintln(os.Stderr, "compat:", err)
	}
}
