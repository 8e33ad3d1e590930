package integration

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/cashew-proxy/cashew/internal/config"
	"github.com/cashew-proxy/cashew/internal/redistest"
	"github.com/cashew-proxy/cashew/test/harness"
)

// libraryOptions are those that people use: none, and the one for proxies that speak RESP2 only.
var libraryOptions = map[string]redis.Options{
	"default options": {},
	"protocol 2":      {Protocol: 2},
	"a password":      {Protocol: 2, Password: "secret"},
	"user and RESP3":  {Username: "default", Password: "secret"},
	"database 0":      {Protocol: 2, DB: 0},
	"a database":      {DB: 3, ClientName: "app"},
	"all of it":       {Username: "default", Password: "secret", DB: 5, ClientName: "app", IdentitySuffix: "test"},
}

// library connects go-redis with options.
func library(t *testing.T, o redis.Options, network, addr string) (*redis.Client, context.Context) {
	t.Helper()
	o.Network, o.Addr = network, addr
	c := redis.NewClient(&o)
	t.Cleanup(func() { c.Close() })
	ctx, cancel := context.WithTimeout(context.Background(), harness.Limit)
	t.Cleanup(cancel)
	return c, ctx
}

func TestGoRedis(t *testing.T) {
	for name, o := range libraryOptions {
		t.Run(name, func(t *testing.T) {
			var args, settings []string
			if o.Password != "" {
				args, settings = []string{"--requirepass", o.Password}, []string{"redis_auth: " + o.Password}
			}
			p := harness.Start(t, pool(startServers(t, 3, args...), settings...), config.Options{})
			c, ctx := library(t, o, "tcp", p.Addr)
			useLibrary(t, ctx, c)
		})
	}
}

// TestGoRedisAsksTheProxy: what the library asks of a server and takes apart with rules of its own, in both protocols.
func TestGoRedisAsksTheProxy(t *testing.T) {
	for _, protocol := range []int{2, 3} {
		t.Run(fmt.Sprint("RESP", protocol), func(t *testing.T) {
			p := harness.Start(t, pool(startServers(t, 1), "allow_commands: [flushdb]"), config.Options{})
			c, ctx := library(t, redis.Options{Protocol: protocol, DB: 2, ClientName: "app", PoolSize: 1}, "tcp", p.Addr)
			info, err := c.ClientInfo(ctx).Result()
			if err != nil || info.Name != "app" || info.DB != 2 || info.Resp != protocol || !strings.HasPrefix(info.LibName, "go-redis") || info.LibVer == "" {
				t.Errorf("ClientInfo: %+v, %v", info, err)
			}
			if id, err := c.ClientID(ctx).Result(); err != nil || id != info.ID {
				t.Errorf("ClientID: %d, %v; ClientInfo has %d", id, err, info.ID)
			}
			if name, err := c.ClientGetName(ctx).Result(); err != nil || name != "app" {
				t.Errorf("ClientGetName: %q, %v", name, err)
			}
			if m, err := c.ConfigGet(ctx, "maxmemory*").Result(); err != nil || m["maxmemory"] != "0" || m["maxmemory-policy"] != "noeviction" {
				t.Errorf("ConfigGet: %v, %v", m, err)
			}
			if m, err := c.InfoMap(ctx, "replication").Result(); err != nil || m["Replication"]["role"] != "master" {
				t.Errorf("InfoMap: %v, %v", m, err)
			}
			if cmds, err := c.Command(ctx).Result(); err != nil || cmds["get"] == nil || !cmds["get"].ReadOnly {
				t.Errorf("Command: %d, %v", len(cmds), err)
			}
			other := redistest.Dial(t, p.Addr)
			other.Do("PING")
			if n, err := c.ClientKillByFilter(ctx, "ADDR", other.Conn().LocalAddr().String()).Result(); err != nil || n != 1 {
				t.Errorf("ClientKillByFilter: %d, %v", n, err)
			}
			if _, err := other.TryRead(); err != io.EOF {
				t.Errorf("who was killed reads %v", err)
			}
			useLoneServer(t, ctx, c)
		})
	}
}

// useLoneServer does what only a pool of one server can.
func useLoneServer(t *testing.T, ctx context.Context, c *redis.Client) {
	t.Helper()
	for i := range 50 {
		if err := c.Set(ctx, fmt.Sprint("scanned", i), i, 0).Err(); err != nil {
			t.Fatal(err)
		}
	}
	found := 0
	it := c.Scan(ctx, 0, "scanned*", 7).Iterator()
	for it.Next(ctx) {
		found++
	}
	if err := it.Err(); err != nil || found != 50 {
		t.Errorf("Scan: %d keys, %v", found, err)
	}
	if err := c.FlushDB(ctx).Err(); err != nil {
		t.Errorf("FlushDB: %v", err)
	}
	if n, err := c.DBSize(ctx).Result(); err != nil || n != 0 {
		t.Errorf("DBSize: %d, %v", n, err)
	}
	if err := c.FlushAll(ctx).Err(); err == nil || err.Error() != "ERR FLUSHALL is not allowed through the proxy" {
		t.Errorf("FlushAll: %v", err)
	}
	if _, err := c.TxPipelined(ctx, func(p redis.Pipeliner) error { p.Get(ctx, "k"); return nil }); err == nil ||
		!strings.Contains(err.Error(), "MULTI is not supported by the proxy") {
		t.Errorf("TxPipelined: %v", err)
	}
	if err := c.Ping(ctx).Err(); err != nil {
		t.Errorf("Ping: %v", err)
	}
}

func TestGoRedisOverUnixSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "cashew.sock")
	text := strings.Replace(pool(startServers(t, 3)), harness.AnyPort, path, 1)
	p := harness.Start(t, text, config.Options{})
	c, ctx := library(t, redis.Options{}, "unix", p.Addr)
	useLibrary(t, ctx, c)
}

// useLibrary does what applications do.
func useLibrary(t *testing.T, ctx context.Context, c *redis.Client) {
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(c.Ping(ctx).Err())
	must(c.Set(ctx, "k", "v", time.Hour).Err())
	if v, err := c.Get(ctx, "k").Result(); v != "v" || err != nil {
		t.Errorf("Get: %q, %v", v, err)
	}
	if ttl, err := c.TTL(ctx, "k").Result(); err != nil || ttl <= 50*time.Minute || ttl > time.Hour {
		t.Errorf("TTL: %v, %v", ttl, err)
	}
	if _, err := c.Get(ctx, "missing").Result(); err != redis.Nil {
		t.Errorf("Get of a missing key: %v", err)
	}
	must(c.MSet(ctx, "a", 1, "b", 2, "c", 3).Err())
	if v, err := c.MGet(ctx, "a", "missing", "c", "b").Result(); err != nil || fmt.Sprint(v) != "[1 <nil> 3 2]" {
		t.Errorf("MGet: %v, %v", v, err)
	}
	if n, err := c.Del(ctx, "a", "b", "c", "missing").Result(); n != 3 || err != nil {
		t.Errorf("Del: %d, %v", n, err)
	}
	must(c.Expire(ctx, "k", time.Minute).Err())
	script := redis.NewScript("return {KEYS[1], ARGV[1]}")
	if v, err := script.Run(ctx, c, []string{"k"}, "x").StringSlice(); err != nil || !slices.Equal(v, []string{"k", "x"}) {
		t.Errorf("script: %v, %v", v, err)
	}
	useHash(t, ctx, c)
	usePipeline(t, ctx, c)
	if err := c.LPush(ctx, "k", "x").Err(); err == nil || !strings.HasPrefix(err.Error(), "WRONGTYPE") {
		t.Errorf("LPush to a string: %v", err)
	}
	if v, err := c.Info(ctx, "server").Result(); err != nil || !strings.Contains(v, "redis_version:") {
		t.Errorf("Info: %q, %v", v, err)
	}
	if err := c.Save(ctx).Err(); err == nil || !strings.HasPrefix(err.Error(), "ERR unknown command") {
		t.Errorf("Save: %v", err)
	}
	must(c.Ping(ctx).Err())
}

func useHash(t *testing.T, ctx context.Context, c *redis.Client) {
	want := map[string]string{}
	for i := range 1000 {
		want[fmt.Sprintf("field%d", i)] = strconv.Itoa(i)
	}
	if err := c.HSet(ctx, "hash", want).Err(); err != nil {
		t.Fatal(err)
	}
	if got, err := c.HGetAll(ctx, "hash").Result(); err != nil || len(got) != 1000 || got["field7"] != "7" {
		t.Errorf("HGetAll: %d fields, %v", len(got), err)
	}
	scanned := map[string]string{}
	for it := c.HScan(ctx, "hash", 0, "", 50).Iterator(); ; {
		if !it.Next(ctx) {
			if err := it.Err(); err != nil {
				t.Errorf("HScan: %v", err)
			}
			break
		}
		field := it.Val()
		if !it.Next(ctx) {
			t.Fatalf("HScan: a field without a value; %v", it.Err())
		}
		scanned[field] = it.Val()
	}
	if len(scanned) != 1000 || scanned["field999"] != "999" {
		t.Errorf("HScan: %d fields", len(scanned))
	}
}

func usePipeline(t *testing.T, ctx context.Context, c *redis.Client) {
	pipe := c.Pipeline()
	var gets []*redis.StringCmd
	for i := range 500 {
		key := fmt.Sprintf("pipe%d", i)
		pipe.Set(ctx, key, i, 0)
		gets = append(gets, pipe.Get(ctx, key))
	}
	if _, err := pipe.Exec(ctx); err != nil {
		t.Fatal(err)
	}
	for i, g := range gets {
		if g.Val() != strconv.Itoa(i) {
			t.Errorf("reply %d of the pipeline is %q", i, g.Val())
		}
	}
}

// TestGoRedisLoad: fifty goroutines with keys of their own; each knows what it must read.
func TestGoRedisLoad(t *testing.T) {
	for _, protocol := range []int{2, 3} {
		t.Run(fmt.Sprint("RESP", protocol), func(t *testing.T) { load(t, protocol) })
	}
}

func load(t *testing.T, protocol int) {
	p := harness.Start(t, pool(startServers(t, 3), "server_connections: 2"), config.Options{})
	c, ctx := library(t, redis.Options{Protocol: protocol, PoolSize: 50}, "tcp", p.Addr)
	var all sync.WaitGroup
	for g := range 50 {
		all.Go(func() {
			for i := range 100 {
				if err := step(ctx, c, g, i); err != nil {
					t.Errorf("goroutine %d, step %d: %v", g, i, err)
					return
				}
			}
		})
	}
	all.Wait()
	if got := redistest.Dial(t, p.Addr).Do("PING"); got != "+PONG\r\n" {
		t.Errorf("afterwards: %q", got)
	}
}

// step writes two values and reads them in several ways.
func step(ctx context.Context, c *redis.Client, g, i int) error {
	a, b := fmt.Sprintf("load%d:a%d", g, i%7), fmt.Sprintf("load%d:b%d", g, i%5)
	va, vb := fmt.Sprintf("%d-%d", g, i), strings.Repeat(fmt.Sprintf("%d.%d ", g, i), 1+i*20)
	if err := c.MSet(ctx, a, va, b, vb).Err(); err != nil {
		return err
	}
	both, err := c.MGet(ctx, a, b).Result()
	if err != nil {
		return err
	}
	if both[0] != va || both[1] != vb {
		return fmt.Errorf("MGet: %.40v and %.40v, want %s and %.40s", both[0], both[1], va, vb)
	}
	counter := fmt.Sprintf("load%d:n", g)
	if n, err := c.Incr(ctx, counter).Result(); err != nil || n != int64(i)+1 {
		return fmt.Errorf("Incr: %d, %v", n, err)
	}
	if v, err := c.Get(ctx, b).Result(); err != nil || v != vb {
		return fmt.Errorf("Get: %.40s, %v", v, err)
	}
	return nil
}
