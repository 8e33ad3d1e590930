// Command gomemcache tries gomemcache.
package main

import (
	"bytes"
	"fmt"
	"time"

	"github.com/bradfitz/gomemcache/memcache"

	"github.com/cashew-proxy/cashew/test/compat/go/step"
)

func main() {
	step.Version("github.com/bradfitz/gomemcache")
	c := memcache.New(step.Addr())
	set := func(key, value string, seconds int32) error {
		return c.Set(&memcache.Item{Key: key, Value: []byte(value), Expiration: seconds})
	}
	step.Do("connect", func() error { return set(step.Start, "1", 0) })
	step.Do("handshake", c.Ping)
	step.Do("binary", func() error {
		if err := set("gomemcache:b", string(step.Value()), 0); err != nil {
			return err
		}
		got, err := c.Get("gomemcache:b")
		return step.Check(err == nil && bytes.Equal(got.Value, step.Value()), "another value came back", err)
	})
	step.Do("multiget", func() error {
		var keys []string
		for i := range step.N {
			keys = append(keys, fmt.Sprint("gomemcache:m", i))
			if err := set(keys[i], fmt.Sprint(i), 0); err != nil {
				return err
			}
		}
		items, err := c.GetMulti(keys)
		for i, k := range keys {
			if err == nil && (items[k] == nil || string(items[k].Value) != fmt.Sprint(i)) {
				return fmt.Errorf("%s has another value, of %d items", k, len(items))
			}
		}
		return err
	})
	step.Do("expiry", func() error {
		err1 := set("gomemcache:e", "v", 100)
		_, err2 := c.Get("gomemcache:e")
		err3 := c.Touch("gomemcache:e", 1)
		time.Sleep(2200 * time.Millisecond)
		_, err := c.Get("gomemcache:e")
		return step.Check(err == memcache.ErrCacheMiss, fmt.Sprint("not expired: ", err), err1, err2, err3)
	})
	step.Do("counters", func() error {
		err1 := set("gomemcache:c", "1", 0)
		_, err2 := c.Increment("gomemcache:c", 41)
		n, err3 := c.Decrement("gomemcache:c", 1)
		return step.Check(n == 41, fmt.Sprint("counted to ", n), err1, err2, err3)
	})
	step.Do("cas", func() error {
		err1 := set("gomemcache:cas", "old", 0)
		item, err2 := c.Get("gomemcache:cas")
		if err := step.Check(true, "", err1, err2); err != nil {
			return err
		}
		item.Value = []byte("new")
		err1 = c.CompareAndSwap(item)
		err2 = c.CompareAndSwap(item)
		return step.Check(err2 == memcache.ErrCASConflict, fmt.Sprint("the second: ", err2), err1)
	})
	step.Do("append", func() error {
		_ = c.Delete("gomemcache:a") // perhaps it is not there
		err1 := c.Add(&memcache.Item{Key: "gomemcache:a", Value: []byte("a")})
		err2 := c.Append(&memcache.Item{Key: "gomemcache:a", Value: []byte("b")})
		got, err3 := c.Get("gomemcache:a")
		return step.Check(err3 == nil && string(got.Value) == "ab", "another value", err1, err2, err3)
	})
	step.Restart()
	step.Do("reconnect", func() error { return step.Again(func() error { return set("gomemcache:r", "1", 0) }) })
	step.End()
}
