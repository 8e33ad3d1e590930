// Command radix tries radix.
package main

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"github.com/mediocregopher/radix/v4"

	"github.com/cashew-proxy/cashew/test/compat/go/step"
)

func main() {
	step.Version("github.com/mediocregopher/radix/v4")
	ctx := context.Background()
	var c radix.Client
	do := func(rcv any, command string, args ...string) error {
		return c.Do(ctx, radix.Cmd(rcv, command, args...))
	}
	step.Do("connect", func() (err error) {
		if c, err = (radix.PoolConfig{}).New(ctx, "tcp", step.Addr()); err != nil {
			return err
		}
		return do(nil, "SET", step.Start, "1")
	})
	defer c.Close()
	step.Do("handshake", func() error { return do(nil, "PING") })
	step.Do("binary", func() error {
		var got []byte
		err1 := do(nil, "SET", "radix:b", string(step.Value()))
		err2 := do(&got, "GET", "radix:b")
		return step.Check(bytes.Equal(got, step.Value()), "another value came back", err1, err2)
	})
	step.Do("pipeline", func() error {
		p, got := radix.NewPipeline(), make([]string, step.N)
		for i := range step.N {
			if i%2 == 0 {
				p.Append(radix.Cmd(nil, "SET", fmt.Sprint("radix:p", i), fmt.Sprint(i)))
			} else {
				p.Append(radix.Cmd(&got[i], "GET", fmt.Sprint("radix:p", i-1)))
			}
		}
		if err := c.Do(ctx, p); err != nil {
			return err
		}
		for i := 1; i < step.N; i += 2 {
			if got[i] != fmt.Sprint(i-1) {
				return fmt.Errorf("reply %d is %q", i, got[i])
			}
		}
		return nil
	})
	step.Do("expiry", func() error {
		var ttl, n int
		err1 := do(nil, "SETEX", "radix:e", "100", "v")
		err2 := do(&ttl, "TTL", "radix:e")
		err3 := do(nil, "PEXPIRE", "radix:e", "20")
		time.Sleep(100 * time.Millisecond)
		err4 := do(&n, "EXISTS", "radix:e")
		return step.Check(ttl > 90 && n == 0, fmt.Sprint("TTL ", ttl, ", then ", n), err1, err2, err3, err4)
	})
	step.Do("counters", func() error {
		var n int
		err0 := do(nil, "DEL", "radix:c")
		err1 := do(nil, "INCR", "radix:c")
		err2 := do(nil, "INCRBY", "radix:c", "41")
		err3 := do(&n, "DECR", "radix:c")
		return step.Check(n == 41, fmt.Sprint("counted to ", n), err0, err1, err2, err3)
	})
	step.Do("hashes", func() error {
		var m map[string]string
		err0 := do(nil, "DEL", "radix:h")
		err1 := do(nil, "HSET", "radix:h", "f", "v", "g", "w")
		err2 := do(&m, "HGETALL", "radix:h")
		return step.Check(len(m) == 2 && m["f"] == "v" && m["g"] == "w", fmt.Sprint(m), err0, err1, err2)
	})
	step.Do("scan", func() error {
		args := []string{"radix:s"}
		for i := range step.N {
			args = append(args, fmt.Sprint("m", i))
		}
		if err := do(nil, "SADD", args...); err != nil {
			return err
		}
		seen, member := map[string]bool{}, ""
		s := (radix.ScannerConfig{Command: "SSCAN", Key: "radix:s"}).New(c)
		for s.Next(ctx, &member) {
			seen[member] = true
		}
		return step.Check(len(seen) == step.N, fmt.Sprint("saw ", len(seen)), s.Close())
	})
	step.Restart()
	step.Do("reconnect", func() error {
		return step.Again(func() error { return do(nil, "SET", "radix:r", "1") })
	})
	step.End()
}
