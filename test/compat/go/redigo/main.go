// Command redigo tries redigo, with its pool, which makes a new connection for one that broke.
package main

import (
	"bytes"
	"fmt"
	"time"

	"github.com/gomodule/redigo/redis"

	"github.com/cashew-proxy/cashew/test/compat/go/step"
)

func main() {
	step.Version("github.com/gomodule/redigo")
	pool := &redis.Pool{MaxIdle: 3, Dial: func() (redis.Conn, error) { return redis.Dial("tcp", step.Addr()) }}
	defer pool.Close()
	do := func(command string, args ...any) (any, error) {
		c := pool.Get()
		defer c.Close()
		return c.Do(command, args...)
	}
	step.Do("connect", func() error { _, err := do("SET", step.Start, "1"); return err })
	step.Do("handshake", func() error { _, err := do("PING"); return err })
	step.Do("binary", func() error {
		_, err1 := do("SET", "redigo:b", step.Value())
		got, err2 := redis.Bytes(do("GET", "redigo:b"))
		return step.Check(bytes.Equal(got, step.Value()), "another value came back", err1, err2)
	})
	step.Do("pipeline", func() error {
		c := pool.Get()
		defer c.Close()
		for i := range step.N {
			var err error
			if i%2 == 0 {
				err = c.Send("SET", fmt.Sprint("redigo:p", i), i)
			} else {
				err = c.Send("GET", fmt.Sprint("redigo:p", i-1))
			}
			if err != nil {
				return err
			}
		}
		if err := c.Flush(); err != nil {
			return err
		}
		for i := range step.N {
			got, err := redis.String(c.Receive())
			if err != nil || i%2 == 1 && got != fmt.Sprint(i-1) {
				return fmt.Errorf("reply %d is %q, %v", i, got, err)
			}
		}
		return nil
	})
	step.Do("expiry", func() error {
		_, err1 := do("SET", "redigo:e", "v", "EX", 100)
		ttl, err2 := redis.Int(do("TTL", "redigo:e"))
		_, err3 := do("PEXPIRE", "redigo:e", 20)
		time.Sleep(100 * time.Millisecond)
		n, err4 := redis.Int(do("EXISTS", "redigo:e"))
		return step.Check(ttl > 90 && n == 0, fmt.Sprint("TTL ", ttl, ", then ", n), err1, err2, err3, err4)
	})
	step.Do("counters", func() error {
		_, err0 := do("DEL", "redigo:c")
		_, err1 := do("INCR", "redigo:c")
		_, err2 := do("INCRBY", "redigo:c", 41)
		n, err3 := redis.Int(do("DECR", "redigo:c"))
		return step.Check(n == 41, fmt.Sprint("counted to ", n), err0, err1, err2, err3)
	})
	step.Do("hashes", func() error {
		_, err0 := do("DEL", "redigo:h")
		_, err1 := do("HSET", "redigo:h", "f", "v", "g", "w")
		m, err2 := redis.StringMap(do("HGETALL", "redigo:h"))
		return step.Check(len(m) == 2 && m["f"] == "v" && m["g"] == "w", fmt.Sprint(m), err0, err1, err2)
	})
	step.Do("scan", func() error {
		args := redis.Args{"redigo:s"}
		for i := range step.N {
			args = args.Add(fmt.Sprint("m", i))
		}
		if _, err := do("SADD", args...); err != nil {
			return err
		}
		seen := map[string]bool{}
		for cursor := "0"; ; {
			parts, err := redis.Values(do("SSCAN", "redigo:s", cursor))
			if err != nil {
				return err
			}
			var members []string
			if _, err := redis.Scan(parts, &cursor, &members); err != nil {
				return err
			}
			for _, m := range members {
				seen[m] = true
			}
			if cursor == "0" {
				break
			}
		}
		return step.Check(len(seen) == step.N, fmt.Sprint("saw ", len(seen)))
	})
	step.Restart()
	step.Do("reconnect", func() error {
		return step.Again(func() error { _, err := do("SET", "redigo:r", "1"); return err })
	})
	step.End()
}
