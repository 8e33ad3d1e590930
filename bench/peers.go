package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// peer is another proxy, of which only somebody's binary is known. It has servers of its own, because it places
// keys in its own way.
type peer struct {
	name     string
	text     bool // speaks memcached's text protocol as well
	settings string
	// configure returns the command line; file writes a file and returns its path.
	configure func(p *process, pool *pool, file func(name, text string) string) (args []string)
}

var peers = []*peer{
	{name: "predixy", settings: "one worker thread, its default", configure: predixyFiles},
	{name: "codis", settings: "all cores, its default; slots in equal parts", configure: codisFiles},
	{name: "overlord", text: true, settings: "all cores, its default; two connections to each server, as its makers advise", configure: overlordFiles},
}

func (p *peer) speaks(protocol string) bool { return protocol == redis || p.text }

// peerNamed returns nil if there is no peer of that name.
func peerNamed(name string) *peer {
	for _, p := range peers {
		if p.name == name {
			return p
		}
	}
	return nil
}

// start writes the peer's configuration into a directory and starts it.
func (pe *peer) start(ctx context.Context, dir string, p *process, pool *pool) error {
	var failed error
	args := pe.configure(p, pool, func(name, text string) string {
		path := filepath.Join(dir, p.name+"-"+name)
		failed = errors.Join(failed, os.WriteFile(path, []byte(text), 0o600))
		return path
	})
	if failed != nil {
		return failed
	}
	return start(ctx, p, args...)
}

func predixyFiles(p *process, pool *pool, file func(name, text string) string) []string {
	var b strings.Builder
	fmt.Fprintf(&b, "Name bench\nBind 127.0.0.1:%d\nWorkerThreads 1\nClientTimeout 0\nLog %s\n", p.port, p.logs)
	b.WriteString("StandaloneServerPool {\n    Databases 1\n    Hash crc16\n    Distribution modula\n    RefreshMethod fixed\n")
	for i, s := range pool.shards {
		fmt.Fprintf(&b, "    Group shard%d {\n        + 127.0.0.1:%d\n    }\n", i, s.port)
	}
	b.WriteString("}\n")
	return []string{file("predixy.conf", b.String())}
}

// codisSlots is how many there are.
const codisSlots = 1024

func codisFiles(p *process, pool *pool, file func(name, text string) string) []string {
	conf := fmt.Sprintf("product_name = \"bench\"\nproduct_auth = \"\"\nproto_type = \"tcp4\"\nproxy_addr = \"127.0.0.1:%d\"\nadmin_addr = \"127.0.0.1:%d\"\n"+
		"jodis_name = \"\"\njodis_addr = \"\"\nproxy_max_clients = 10000\n", p.port, p.admin)
	type slot struct {
		ID      int    `json:"id"`
		Backend string `json:"backend_addr"`
	}
	slots := make([]slot, codisSlots)
	for i := range slots {
		shard := pool.shards[i*len(pool.shards)/codisSlots]
		slots[i] = slot{i, fmt.Sprintf("127.0.0.1:%d", shard.port)}
	}
	text, err := json.Marshal(slots)
	if err != nil {
		panic(err) // numbers and strings only
	}
	return []string{"--config=" + file("proxy.toml", conf), "--log-level=WARN", "--fillslots=" + file("slots.json", string(text))}
}

func overlordFiles(p *process, pool *pool, file func(name, text string) string) []string {
	kind := "redis"
	if pool.speaks == memcached {
		kind = "memcache"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "[[clusters]]\nname = \"bench\"\nhash_method = \"fnv1a_64\"\nhash_distribution = \"ketama\"\nhash_tag = \"\"\n"+
		"cache_type = \"%s\"\nlisten_proto = \"tcp\"\nlisten_addr = \"127.0.0.1:%d\"\nredis_auth = \"\"\n", kind, p.port)
	b.WriteString("dial_timeout = 3000\nread_timeout = 3000\nwrite_timeout = 3000\nnode_connections = 2\nping_fail_limit = 3\nping_auto_eject = false\nservers = [\n")
	for i, s := range pool.shards {
		fmt.Fprintf(&b, "    \"127.0.0.1:%d:1 shard%d\",\n", s.port, i)
	}
	b.WriteString("]\n")
	return []string{"-cluster=" + file("cluster.toml", b.String())}
}
