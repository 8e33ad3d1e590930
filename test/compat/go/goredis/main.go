// Command goredis tries go-redis.
package main

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/cashew-proxy/cashew/test/compat/go/step"
)

func main() {
	step.Version("github.com/redis/go-redis/v9")
	ctx := context.Background()
	c := redis.NewClient(&redis.Options{Addr: step.Addr()})
	defer c.Close()
	step.Do("connect", func() error { return c.Set(ctx, step.Start, "1", 0).Err() })
	step.Do("handshake", func() error { return c.Ping(ctx).Err() })
	step.Do("binary", func() error {
		err1 := c.Set(ctx, "goredis:b", step.Value(), 0).Err()
		got, err2 := c.Get(ctx, "goredis:b").Bytes()
		return step.Check(bytes.Equal(got, step.Value()), "another value came back", err1, err2)
	})
	step.Do("pipeline", func() error {
		replies, err := c.Pipelined(ctx, func(p redis.Pipeliner) error {
			for i := range step.N {
				if i%2 == 0 {
					p.Set(ctx, fmt.Sprint("goredis:p", i), i, 0)
				} else {
					p.Get(ctx, fmt.Sprint("goredis:p", i-1))
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
		for i := 1; i < step.N; i += 2 {
			if got := replies[i].(*redis.StringCmd).Val(); got != fmt.Sprint(i-1) {
				return fmt.Errorf("reply %d is %q", i, got)
			}
		}
		return nil
	})
	step.Do("expiry", func() error {
		err1 := c.Set(ctx, "goredis:e", "v", 100*time.Second).Err()
		ttl, err2 := c.TTL(ctx, "goredis:e").Result()
		err3 := c.PExpire(ctx, "goredis:e", 20*time.Millisecond).Err()
		time.Sleep(100 * time.Millisecond)
		n, err4 := c.Exists(ctx, "goredis:e").Result()
		return step.Check(ttl > 90*time.Second && n == 0, fmt.Sprint("TTL ", ttl, ", then ", n), err1, err2, err3, err4)
	})
	step.Do("counters", func() error {
		err0 := c.Del(ctx, "goredis:c").Err()
		_, err1 := c.Incr(ctx, "goredis:c").Result()
		_, err2 := c.IncrBy(ctx, "goredis:c", 41).Result()
		n, err3 := c.Decr(ctx, "goredis:c").Result()
		return step.Check(n == 41, fmt.Sprint("counted to ", n), err0, err1, err2, err3)
	})
	step.Do("hashes", func() error {
		err0 := c.Del(ctx, "goredis:h").Err()
		err1 := c.HSet(ctx, "goredis:h", "f", "v", "g", "w").Err()
		m, err2 := c.HGetAll(ctx, "goredis:h").Result()
		return step.Check(len(m) == 2 && m["f"] == "v" && m["g"] == "w", fmt.Sprint(m), err0, err1, err2)
	})
	step.Do("scan", func() error {
		members := make([]any, step.N)
		for i := range members {
			members[i] = fmt.Sprint("m", i)
		}
		if err := c.SAdd(ctx, "goredis:s", members...).Err(); err != nil {
			return err
		}
		seen := map[string]bool{}
		it := c.SScan(ctx, "goredis:s", 0, "", 0).Iterator()
		for it.Next(ctx) {
			seen[it.Val()] = true
		}
		return step.Check(len(seen) == step.N, fmt.Sprint("saw ", len(seen)), it.Err())
	})
	step.Restart()
	step.Do("reconnect", func() error {
		return step.Again(func() error { return c.Set(ctx, "goredis:r", "1", 0).Err() })
	})
	step.End()
}
