// Command rueidis tries rueidis, with the argument cache as it is by default, with a cache on the
// client's side, and with nocache without.
package main

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"github.com/redis/rueidis"

	"github.com/cashew-proxy/cashew/test/compat/go/step"
)

func main() {
	cache := step.Option() == "cache"
	step.Version("github.com/redis/rueidis")
	ctx := context.Background()
	var c rueidis.Client
	step.Do("connect", func() (err error) {
		c, err = rueidis.NewClient(rueidis.ClientOption{InitAddress: []string{step.Addr()}, DisableCache: !cache})
		if err != nil {
			return err
		}
		return c.Do(ctx, c.B().Set().Key(step.Start).Value("1").Build()).Error()
	})
	defer c.Close()
	step.Do("handshake", func() error {
		if !cache {
			return c.Do(ctx, c.B().Ping().Build()).Error()
		}
		// A value that somebody else changes must not stay in the cache.
		err1 := c.DoCache(ctx, c.B().Get().Key(step.Start).Cache(), time.Minute).Error()
		second := c.DoCache(ctx, c.B().Get().Key(step.Start).Cache(), time.Minute)
		return step.Check(second.IsCacheHit(), "nothing was cached", err1, second.Error())
	})
	step.Do("binary", func() error {
		err1 := c.Do(ctx, c.B().Set().Key("rueidis:b").Value(rueidis.BinaryString(step.Value())).Build()).Error()
		got, err2 := c.Do(ctx, c.B().Get().Key("rueidis:b").Build()).AsBytes()
		return step.Check(bytes.Equal(got, step.Value()), "another value came back", err1, err2)
	})
	step.Do("pipeline", func() error {
		commands := make([]rueidis.Completed, step.N)
		for i := range commands {
			if i%2 == 0 {
				commands[i] = c.B().Set().Key(fmt.Sprint("rueidis:p", i)).Value(fmt.Sprint(i)).Build()
			} else {
				commands[i] = c.B().Get().Key(fmt.Sprint("rueidis:p", i-1)).Build()
			}
		}
		for i, r := range c.DoMulti(ctx, commands...) {
			if got, err := r.ToString(); err != nil || i%2 == 1 && got != fmt.Sprint(i-1) {
				return fmt.Errorf("reply %d is %q, %v", i, got, err)
			}
		}
		return nil
	})
	step.Do("expiry", func() error {
		err1 := c.Do(ctx, c.B().Set().Key("rueidis:e").Value("v").ExSeconds(100).Build()).Error()
		ttl, err2 := c.Do(ctx, c.B().Ttl().Key("rueidis:e").Build()).AsInt64()
		err3 := c.Do(ctx, c.B().Pexpire().Key("rueidis:e").Milliseconds(20).Build()).Error()
		time.Sleep(100 * time.Millisecond)
		n, err4 := c.Do(ctx, c.B().Exists().Key("rueidis:e").Build()).AsInt64()
		return step.Check(ttl > 90 && n == 0, fmt.Sprint("TTL ", ttl, ", then ", n), err1, err2, err3, err4)
	})
	step.Do("counters", func() error {
		err0 := c.Do(ctx, c.B().Del().Key("rueidis:c").Build()).Error()
		err1 := c.Do(ctx, c.B().Incr().Key("rueidis:c").Build()).Error()
		err2 := c.Do(ctx, c.B().Incrby().Key("rueidis:c").Increment(41).Build()).Error()
		n, err3 := c.Do(ctx, c.B().Decr().Key("rueidis:c").Build()).AsInt64()
		return step.Check(n == 41, fmt.Sprint("counted to ", n), err0, err1, err2, err3)
	})
	step.Do("hashes", func() error {
		err0 := c.Do(ctx, c.B().Del().Key("rueidis:h").Build()).Error()
		err1 := c.Do(ctx, c.B().Hset().Key("rueidis:h").FieldValue().FieldValue("f", "v").FieldValue("g", "w").Build()).Error()
		m, err2 := c.Do(ctx, c.B().Hgetall().Key("rueidis:h").Build()).AsStrMap()
		return step.Check(len(m) == 2 && m["f"] == "v" && m["g"] == "w", fmt.Sprint(m), err0, err1, err2)
	})
	step.Do("scan", func() error {
		members := make([]string, step.N)
		for i := range members {
			members[i] = fmt.Sprint("m", i)
		}
		if err := c.Do(ctx, c.B().Sadd().Key("rueidis:s").Member(members...).Build()).Error(); err != nil {
			return err
		}
		seen := map[string]bool{}
		for cursor := uint64(0); ; {
			e, err := c.Do(ctx, c.B().Sscan().Key("rueidis:s").Cursor(cursor).Build()).AsScanEntry()
			if err != nil {
				return err
			}
			for _, m := range e.Elements {
				seen[m] = true
			}
			if cursor = e.Cursor; cursor == 0 {
				break
			}
		}
		return step.Check(len(seen) == step.N, fmt.Sprint("saw ", len(seen)))
	})
	step.Restart()
	step.Do("reconnect", func() error {
		return step.Again(func() error { return c.Do(ctx, c.B().Set().Key("rueidis:r").Value("1").Build()).Error() })
	})
	step.End()
}
