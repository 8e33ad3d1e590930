package main

import "path/filepath"

// Library is one row of the table.
type Library struct {
	Name     string
	Protocol string // Redis or memcached
	Language string
	Program  string   // its file, or what is built of it
	Args     []string // before host and port
	Debian   []string // packages that bring it
	Link     []string // what a program in C is linked with
	Steps    []string // its own, if those of the protocol do not fit
	NotYet   NotYet
	Tagged   bool   // it uses the pool with hash_tag
	Note     string // what users must know
}

// NotYet is the step at which a library is known to fail through cashew, and why.
type NotYet struct{ Step, Reason string }

// steps are what libraries of a protocol are asked to do, in this order.
func steps(protocol string) []string {
	if protocol == "memcached" {
		return []string{"connect", "handshake", "binary", "multiget", "expiry", "counters", "cas", "append", "reconnect"}
	}
	return []string{"connect", "handshake", "binary", "pipeline", "expiry", "counters", "hashes", "scan", "reconnect"}
}

var (
	queueSteps = []string{"connect", "add", "work"}
	onlyBinary = NotYet{"connect", "it speaks memcached's binary protocol, which memcached itself calls obsolete"}
	binaryOnly = []string{"connect", "reconnect"}
	noTracking = NotYet{"connect", "its cache on the client's side needs `CLIENT TRACKING`, which is refused: set `DisableCache`"}
	noWaiting  = NotYet{"work", "with `hash_tag: '{}'` jobs are added, and taken if they are there; its workers wait by `BZPOPMIN`, which is refused"}
	noNews     = NotYet{"work", "with `hash_tag: '{}'` jobs are added; its workers begin by `SUBSCRIBE`, which is refused"}
	noScripts  = NotYet{"add", "its scripts have keys on several servers, its workers block"}
)

// Libraries is the table of libraries, with the outcome that is expected of each. What is not named
// NotYet works.
var Libraries = []Library{
	{Name: "redis-cli", Protocol: "Redis", Language: "shell", Program: "redis-cli.sh", Args: []string{"redis-cli"}, Note: "the pipeline is 1000 `SET` with `--pipe`", Debian: []string{"redis-tools"}},
	{Name: "redis-cli -3", Protocol: "Redis", Language: "shell", Program: "redis-cli.sh", Args: []string{"redis-cli", "-3"}, Debian: []string{"redis-tools"}},
	{Name: "go-redis", Protocol: "Redis", Language: "Go", Program: "goredis"},
	{Name: "go-redis 8", Protocol: "Redis", Language: "Go", Program: "goredis8"},
	{Name: "rueidis", Protocol: "Redis", Language: "Go", Program: "rueidis", Args: []string{"cache"}, NotYet: noTracking},
	{Name: "rueidis, DisableCache", Protocol: "Redis", Language: "Go", Program: "rueidis", Args: []string{"nocache"}},
	{Name: "valkey-go", Protocol: "Redis", Language: "Go", Program: "valkeygo", Args: []string{"cache"}, NotYet: noTracking},
	{Name: "valkey-go, DisableCache", Protocol: "Redis", Language: "Go", Program: "valkeygo", Args: []string{"nocache"}},
	{Name: "redigo", Protocol: "Redis", Language: "Go", Program: "redigo"},
	{Name: "radix", Protocol: "Redis", Language: "Go", Program: "radix"},
	{Name: "ioredis", Protocol: "Redis", Language: "Node.js", Program: "ioredis.mjs", Args: []string{"ioredis"}},
	{Name: "ioredis 5", Protocol: "Redis", Language: "Node.js", Program: "ioredis.mjs", Args: []string{"ioredis5"}},
	{Name: "iovalkey", Protocol: "Redis", Language: "Node.js", Program: "ioredis.mjs", Args: []string{"iovalkey"}},
	{Name: "node-redis", Protocol: "Redis", Language: "Node.js", Program: "noderedis.mjs", Args: []string{"redis"}},
	{Name: "node-redis 5", Protocol: "Redis", Language: "Node.js", Program: "noderedis.mjs", Args: []string{"redis5"}},
	{Name: "node-redis 4", Protocol: "Redis", Language: "Node.js", Program: "noderedis.mjs", Args: []string{"redis4"}},
	{Name: "node-redis 3", Protocol: "Redis", Language: "Node.js", Program: "noderedis3.mjs"},
	{Name: "Valkey GLIDE", Protocol: "Redis", Language: "Node.js", Program: "glide.mjs"},
	{Name: "BullMQ", Protocol: "Redis", Language: "Node.js", Program: "queue.mjs", Args: []string{"bullmq"}, Steps: queueSteps, NotYet: noScripts},
	{Name: "Bull", Protocol: "Redis", Language: "Node.js", Program: "queue.mjs", Args: []string{"bull"}, Steps: queueSteps, NotYet: noScripts},
	{Name: "BullMQ, prefix `{q}`", Protocol: "Redis", Language: "Node.js", Program: "queue.mjs", Args: []string{"bullmq{}"}, Tagged: true, Steps: queueSteps, NotYet: noWaiting},
	{Name: "Bull, prefix `{q}`", Protocol: "Redis", Language: "Node.js", Program: "queue.mjs", Args: []string{"bull{}"}, Tagged: true, Steps: queueSteps, NotYet: noNews},
	{
		Name: "redis-py", Protocol: "Redis", Language: "Python", Program: "redispy.py", Args: []string{"python"}, Debian: []string{"python3-redis"},
		Note: "`pipeline()` begins a transaction unless it is called with `transaction=False`",
	},
	{
		Name: "redis-py with hiredis", Protocol: "Redis", Language: "Python", Program: "redispy.py", Args: []string{"hiredis"},
		Debian: []string{"python3-redis", "python3-hiredis"}, Note: "as redis-py",
	},
	{Name: "aioredis", Protocol: "Redis", Language: "Python", Program: "aioredis1.py", Debian: []string{"python3-aioredis"}},
	{Name: "hiredis", Protocol: "Redis", Language: "C", Program: "hiredis", Debian: []string{"libhiredis-dev", "gcc", "libc6-dev"}, Link: []string{"-lhiredis"}},
	{Name: "phpredis", Protocol: "Redis", Language: "PHP", Program: "redis.php", Args: []string{"phpredis"}, Debian: []string{"php-cli", "php-redis"}},
	{Name: "predis", Protocol: "Redis", Language: "PHP", Program: "redis.php", Args: []string{"predis"}, Debian: []string{"php-cli", "php-predis"}},
	{Name: "redis-rb", Protocol: "Redis", Language: "Ruby", Program: "redis.rb", Debian: []string{"ruby", "ruby-redis"}},
	{Name: "redis-rb with hiredis", Protocol: "Redis", Language: "Ruby", Program: "redis.rb", Args: []string{"hiredis"}, Debian: []string{"ruby", "ruby-redis", "ruby-hiredis"}},
	{Name: "redis-lua", Protocol: "Redis", Language: "Lua", Program: "redis.lua", Debian: []string{"lua5.1", "lua-redis"}},
	{Name: "Redis.pm", Protocol: "Redis", Language: "Perl", Program: "redis.pl", Args: []string{"Redis"}, Debian: []string{"libredis-perl"}},
	{Name: "Redis::Fast", Protocol: "Redis", Language: "Perl", Program: "redis.pl", Args: []string{"Redis::Fast"}, Debian: []string{"libredis-fast-perl"}},

	{Name: "gomemcache", Protocol: "memcached", Language: "Go", Program: "gomemcache"},
	{Name: "pymemcache", Protocol: "memcached", Language: "Python", Program: "memc.py", Args: []string{"pymemcache"}, Debian: []string{"python3-pymemcache"}},
	{Name: "pylibmc", Protocol: "memcached", Language: "Python", Program: "memc.py", Args: []string{"pylibmc"}, Debian: []string{"python3-pylibmc"}},
	{Name: "python-memcached", Protocol: "memcached", Language: "Python", Program: "memc.py", Args: []string{"python-memcached"}, Debian: []string{"python3-memcache"}},
	{
		Name: "python-binary-memcached", Protocol: "memcached", Language: "Python", Program: "memc.py", Args: []string{"bmemcached"},
		Debian: []string{"python3-binary-memcached"}, Steps: binaryOnly, NotYet: onlyBinary,
	},
	{Name: "php-memcached", Protocol: "memcached", Language: "PHP", Program: "memcached.php", Args: []string{"memcached"}, Debian: []string{"php-cli", "php-memcached"}},
	{Name: "php-memcache", Protocol: "memcached", Language: "PHP", Program: "memcached.php", Args: []string{"memcache"}, Debian: []string{"php-cli", "php-memcache"}},
	{Name: "libmemcached's tools", Protocol: "memcached", Language: "shell", Program: "memc-tools.sh", Debian: []string{"libmemcached-tools"}},
	{Name: "dalli", Protocol: "memcached", Language: "Ruby", Program: "dalli.rb", Debian: []string{"ruby", "ruby-dalli"}, Steps: binaryOnly, NotYet: onlyBinary},
	{
		Name: "memcached (npm)", Protocol: "memcached", Language: "Node.js", Program: "memcached.mjs", Args: []string{"memcached"},
		Note: "the value has 512 KiB, because the library counts most bytes twice up to its limit of 1 MiB",
	},
	{Name: "memcache (npm)", Protocol: "memcached", Language: "Node.js", Program: "memcached.mjs", Args: []string{"memcache"}},
	{Name: "memcache-client (npm)", Protocol: "memcached", Language: "Node.js", Program: "memcached.mjs", Args: []string{"memcache-client"}},
	{Name: "memjs", Protocol: "memcached", Language: "Node.js", Program: "memcached.mjs", Args: []string{"memjs"}, Steps: binaryOnly, NotYet: onlyBinary},
	{Name: "Cache::Memcached", Protocol: "memcached", Language: "Perl", Program: "memcached.pl", Args: []string{"Cache::Memcached"}, Debian: []string{"libcache-memcached-perl"}},
	{Name: "Cache::Memcached::Fast", Protocol: "memcached", Language: "Perl", Program: "memcached.pl", Args: []string{"Cache::Memcached::Fast"}, Debian: []string{"libcache-memcached-fast-perl"}},
	{
		Name: "spymemcached", Protocol: "memcached", Language: "Java", Program: "Spymemcached.java", Args: []string{spymemcached},
		Debian: []string{"default-jdk-headless", "libspymemcached-java"},
	},
}

// spymemcached is the version in Debian, which the library itself does not tell.
const spymemcached = "2.12.3"

// command is how the library's program is run, from the repository's root.
func (l Library) command() []string {
	dir := "test/compat/"
	var c []string
	switch l.Language {
	case "shell":
		c = []string{dir + "shell/" + l.Program}
	case "Go":
		c = []string{filepath.Join(work, "go", l.Program)}
	case "C":
		c = []string{filepath.Join(work, l.Program)}
	case "Node.js":
		c = []string{"node", filepath.Join(work, "npm", l.Program)}
	case "Python":
		c = []string{"/usr/bin/python3", dir + "python/" + l.Program}
	case "PHP":
		c = []string{"php", dir + "php/" + l.Program}
	case "Ruby":
		c = []string{"ruby", dir + "ruby/" + l.Program}
	case "Lua":
		c = []string{"lua5.1", dir + "lua/" + l.Program}
	case "Perl":
		c = []string{"perl", dir + "perl/" + l.Program}
	case "Java":
		c = []string{"java", "-cp", "/usr/share/java/spymemcached.jar", dir + "java/" + l.Program}
	}
	return append(c, l.Args...)
}
