// Package config turns a configuration file into a validated, immutable Config.
//
// The format is twemproxy's YAML: a map of pools, and the reserved name "cashew" for settings of the
// whole process. All mistakes of a file are reported at once, each with its line and column. One
// table of keys (keys.go) drives decoding, defaults, bounds, Show, Diff, the reference page and the JSON
// Schema.
//
// The control plane and the command line use it, from any goroutine: nothing here keeps state. Load
// reads the file and the password files that it names, and does nothing else: no name is resolved,
// no port is opened.
package config

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// Config is a valid configuration. It is immutable once Load has returned it.
type Config struct {
	Path    string  // as given to Load
	Pools   []*Pool // at least one; by length of the name, then by bytes, as twemproxy sorts them
	Process Process

	listens map[string]position // of the pools' listen, in the file
}

// Process has the settings under "cashew:".
type Process struct {
	Threads         int           // workers; 0 is as many as are worth it
	MemoryLimit     int64         // bytes buffered by the process; 0 leaves the choice to the daemon
	ShutdownTimeout time.Duration // from the signal to the end of clients that are still busy
	LogFormat       string        // "text" or "json"
	Watch           bool          // reload when a file changes
	Admin           Listen        // without a network: none
	AdminToken      string        // "" is none
	ClientLimit     int           // clients of all pools, as the daemon finds out; 0 is no bound
}

// Pool is one pool. Durations of zero mean "none".
type Pool struct {
	Name    string
	Listen  Listen
	Servers []Server // at least one; by length of the ring name, then by bytes

	Redis        bool   // false is memcached
	Hash         string // a name that hashkit.ByName knows
	HashTag      string // "" or exactly two bytes
	Distribution string // "ketama", "modula" or "random"

	Timeout           time.Duration
	ConnectTimeout    time.Duration
	ClientIdleTimeout time.Duration

	Backlog           int
	ReusePort         bool
	ClientConnections int // 0 is no bound; under compat always 0
	ServerConnections int
	Preconnect        bool
	TCPKeepAlive      bool
	ClientKeepAlive   bool

	RedisAuth string // from redis_auth or from the file that redis_auth_file names
	RedisUser string
	RedisDB   int
	Databases int
	FirstKey  bool // cross_server: first_key

	CoalesceReads bool

	MissOnError   bool     // on_server_error: miss
	AllowCommands []string // names of commands that are refused elsewhere

	AutoEjectHosts     bool
	ServerRetryTimeout time.Duration
	ServerFailureLimit int
	EjectLimit         int  // percent
	FailOnEject        bool // on_eject: fail

	RequestSizeLimit      int64
	RequestArgumentsLimit int
	InlineSizeLimit       int
	ReplyNestingLimit     int
	ClientOutputLimit     int64
	ClientOutputTimeout   time.Duration
	ServerQueueLimit      int64

	SlowLogThreshold time.Duration // 0 is none
	BigKeyThreshold  int64         // bytes; 0 is none
	HotKeysSample    int           // one of so many; 0 is none
	AccessLogSample  int
}

// Listen is where a pool listens.
type Listen struct {
	Text    string // as the file has it; "" of a default
	Network string // "tcp" or "unix"
	Address string // "host:port", IPv6 in brackets; or a path
	Mode    uint32 // permissions of a unix socket; 0 leaves the umask's
}

// Server is one line of a pool's servers.
type Server struct {
	Name    string // the ring name, as twemproxy computes it
	Named   bool   // the line gives the name itself
	Network string // "tcp" or "unix"
	Address string // "host:port", IPv6 in brackets; or a path
	Weight  int
}

// Options say how to load.
type Options struct {
	// Compat selects twemproxy's default wherever the usual one is safer.
	Compat bool
}

// maxFile bounds a configuration file. A pool of 1000 servers takes about 40 KiB.
const maxFile = 16 << 20

// Load reads and checks the file at path. Warnings concern settings that are valid and do not do
// what their name says; they come in the order of the file. The error is Mistakes if the file could
// be read.
func Load(path string, o Options) (*Config, []Mistake, error) {
	text, err := readBounded(path, maxFile)
	if err != nil {
		return nil, nil, err
	}
	return parse(path, text, o, readSecret)
}

// parse is Load without the file system: secret reads the file that a redis_auth_file names.
func parse(path string, text []byte, o Options, secret func(string) (string, error)) (*Config, []Mistake, error) {
	l := &loader{path: path, compat: o.Compat, secret: secret}
	c := l.load(text)
	if len(l.mistakes) > 0 {
		sortMistakes(l.mistakes)
		return nil, nil, Mistakes(l.mistakes)
	}
	sortMistakes(l.warnings)
	return c, l.warnings, nil
}

// Files are the files that a configuration is made of, be it valid or not: the one at path, and the password files
// that it names, as far as it can be read.
func Files(path string) []string {
	files := []string{path}
	if text, err := readBounded(path, maxFile); err == nil {
		l := &loader{path: path, secret: func(file string) (string, error) {
			files = append(files, file)
			return "any", nil
		}}
		l.load(text)
	}
	return files
}

// ListenMistake is what only the system finds wrong with where a pool listens, with its place in the file.
func (c *Config) ListenMistake(pool, text string) Mistake {
	at := c.listens[pool]
	return Mistake{c.Path, at.line, at.column, pool + ".listen", text}
}

// WithMemoryLimit returns a copy of c with another memory limit, in bytes. The pools are shared.
func (c *Config) WithMemoryLimit(bytes int64) *Config {
	d := *c
	d.Process.MemoryLimit = bytes
	return &d
}

// WithClientLimit returns a copy of c with another limit of clients. The pools are shared.
func (c *Config) WithClientLimit(clients int) *Config {
	d := *c
	d.Process.ClientLimit = clients
	return &d
}

// InForceAfter returns c as it is in force in a process that has begun with old: keys that need a restart have
// their old values. What is the same is shared.
func (c *Config) InForceAfter(old *Config) *Config {
	d := *c
	d.Process.LogFormat = old.Process.LogFormat
	d.Process.Admin, d.Process.AdminToken = old.Process.Admin, old.Process.AdminToken
	d.Pools = nil
	for _, p := range c.Pools {
		if q := old.Pool(p.Name); q != nil && q.ReusePort != p.ReusePort {
			kept := *p
			kept.ReusePort = q.ReusePort
			p = &kept
		}
		d.Pools = append(d.Pools, p)
	}
	return &d
}

// Pool returns the pool called name, or nil.
func (c *Config) Pool(name string) *Pool {
	for _, p := range c.Pools {
		if p.Name == name {
			return p
		}
	}
	return nil
}

// PoolNames returns the names of the pools in their order.
func (c *Config) PoolNames() []string {
	names := make([]string, len(c.Pools))
	for i, p := range c.Pools {
		names[i] = p.Name
	}
	return names
}

// shorter orders names as twemproxy does: by length, then by bytes. The order of servers decides
// modula's slots and ketama's ties, so it is part of the placement.
func shorter(a, b string) int {
	return cmp.Or(cmp.Compare(len(a), len(b)), cmp.Compare(a, b))
}

func sortPools(pools []*Pool) {
	slices.SortFunc(pools, func(a, b *Pool) int { return shorter(a.Name, b.Name) })
	for _, p := range pools {
		slices.SortFunc(p.Servers, func(a, b Server) int { return shorter(a.Name, b.Name) })
	}
}

// readBounded reads a regular file of at most limit bytes: a pipe would be empty the second time,
// and a device might never end.
func readBounded(path string, limit int64) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a regular file", path)
	}
	if info.Size() > limit {
		return nil, fmt.Errorf("%s has %d bytes; at most %d are allowed", path, info.Size(), limit)
	}
	return os.ReadFile(path)
}

// maxSecret bounds a password file.
const maxSecret = 64 << 10

func readSecret(path string) (string, error) {
	text, err := readBounded(path, maxSecret)
	return string(text), err
}

// beside resolves name as seen from the directory of the configuration file.
func (l *loader) beside(name string) string {
	if filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(filepath.Dir(l.path), name)
}
