package config

import (
	"slices"
	"strings"

	"github.com/cashew-proxy/cashew/internal/topology"
)

// checkProtocol checks the keys that concern one protocol only, and each other.
func (l *loader) checkProtocol(p *Pool, given places) {
	for _, name := range p.AllowCommands {
		if ofMemcached := name == "flush_all"; ofMemcached == p.Redis {
			l.mistake(given["allow_commands"], p.Name+".allow_commands", "%q is not allowed for a %s pool; it has: %s",
				name, p.protocol(), strings.Join(guardedOf(p.Redis), ", "))
		}
	}
	_, auth := given["redis_auth"]
	file, both := given["redis_auth_file"]
	if auth && both {
		l.mistake(file, p.Name+".redis_auth_file", "not allowed beside redis_auth")
	}
	if user, ok := given["redis_user"]; ok && !auth && !both {
		l.mistake(user, p.Name+".redis_user", "not allowed without redis_auth or redis_auth_file")
	}
	for _, k := range poolKeys {
		if at, ok := given[k.name]; ok && !k.fits(p.Redis) {
			l.mistake(at, p.Name+"."+k.name, "not allowed for a %s pool; it needs \"redis: %v\"", p.protocol(), !p.Redis)
		}
	}
}

// checkProcess checks the keys of the process that concern each other.
func (l *loader) checkProcess(p *Process, given places) {
	if file, ok := given["admin_token_file"]; ok && given["admin_token"] != (position{}) {
		l.mistake(file, processName+".admin_token_file", "not allowed beside admin_token")
	}
	if p.Admin.Network != "" && !p.Admin.Local() && p.AdminToken == "" {
		l.mistake(given["admin"], processName+".admin",
			"others can reach %s, who could steer the process: set admin_token or admin_token_file, or choose 127.0.0.1 or a path", quote(p.Admin.Text))
	}
}

// fits tells whether a pool may have the key.
func (k *key[T]) fits(redis bool) bool {
	return k.only == anyProtocol || redis == (k.only == onlyRedis)
}

func (p *Pool) protocol() string {
	if p.Redis {
		return "Redis"
	}
	return "memcached"
}

// guardedOf are the commands that a pool of a protocol can allow.
func guardedOf(redis bool) []string {
	if redis {
		return guarded[1:]
	}
	return guarded[:1]
}

// warnPool warns about settings that are valid and have no effect.
func (l *loader) warnPool(p *Pool, given places) {
	if at, ok := given["redis_db"]; ok && !p.Redis && p.RedisDB != 0 {
		l.warn(at, p.Name+".redis_db", "no effect in a memcached pool")
	}
	if l.compat && p.ClientConnections != 0 {
		p.ClientConnections = 0
		l.warn(given["client_connections"], p.Name+".client_connections",
			"no effect under this name, as in twemproxy; under the name cashew it is enforced")
	}
	emptying := func(name string) bool { return name != ownCommand }
	if at, ok := given["allow_commands"]; ok && p.Redis && len(p.Servers) > 1 && slices.ContainsFunc(p.AllowCommands, emptying) {
		l.warn(at, p.Name+".allow_commands", "no effect yet in a Redis pool of several servers")
	}
	if at, ok := given["eject_limit"]; ok && p.AutoEjectHosts && p.EjectLimit*len(p.Servers) < 100 {
		l.warn(at, p.Name+".eject_limit", "%d percent of %d is less than one server: none is ever ejected",
			p.EjectLimit, len(p.Servers))
	}
	if strings.HasPrefix(p.Listen.Text, "*:") {
		l.warn(given["listen"], p.Name+".listen",
			"\"*\" is the loopback interface only, as in twemproxy; 0.0.0.0 and :: are all interfaces")
	}
}

// checkListens finds pools that would listen on one address, or be in each other's way or in that of the admin API. Only
// what is written is compared, no name is resolved: two names of one address are found when the second socket is opened.
func (l *loader) checkListens(c *Config, process places, given map[*Pool]places) {
	for i, p := range c.Pools {
		if p.Listen.Address == "" {
			continue // its own mistake is noted already
		}
		for _, other := range c.Pools[:i] {
			if other.Listen.Address == p.Listen.Address {
				l.mistake(given[p]["listen"], p.Name+".listen", "%s is taken by the pool %q", quote(p.Listen.Text), other.Name)
				break
			}
			if other.Listen.Address != "" && other.endpoint().Overlaps(p.endpoint()) {
				l.mistake(given[p]["listen"], p.Name+".listen", "%s and %s, where the pool %q listens, are in each other's way",
					quote(p.Listen.Text), quote(other.Listen.Text), other.Name)
				break
			}
		}
		l.checkAdminListen(c, p, process, given[p]["listen"])
	}
}

// checkAdminListen finds a pool in the way of the admin API. If the file says nothing of that, the pool goes first.
func (l *loader) checkAdminListen(c *Config, p *Pool, process places, at position) {
	admin := &c.Process.Admin
	if admin.Network == "" || !p.endpoint().Overlaps(topology.Listen{Network: admin.Network, Address: admin.Address}) {
		return
	}
	if _, ok := process["admin"]; ok {
		l.mistake(at, p.Name+".listen", "%s is taken by the admin API, %s under %q", quote(p.Listen.Text), quote(admin.Text), processName)
		return
	}
	l.warn(at, p.Name+".listen", "%s is the default address of the admin API, so there is none; set admin under %q to another", quote(p.Listen.Text), processName)
	*admin = Listen{}
}

// endpoint is where the pool listens.
func (p *Pool) endpoint() topology.Listen {
	return topology.Listen{Network: p.Listen.Network, Address: p.Listen.Address, ReusePort: p.ReusePort}
}
