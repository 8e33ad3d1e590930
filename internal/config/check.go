package config

import "strings"

// checkProtocol checks the keys that concern one protocol only, and each other.
func (l *loader) checkProtocol(p *Pool, given places) {
	_, auth := given["redis_auth"]
	file, both := given["redis_auth_file"]
	if auth && both {
		l.mistake(file, p.Name+".redis_auth_file", "not allowed beside redis_auth")
	}
	if user, ok := given["redis_user"]; ok && !auth && !both {
		l.mistake(user, p.Name+".redis_user", "not allowed without redis_auth or redis_auth_file")
	}
	if p.Redis {
		for _, name := range []string{"on_server_error", "allow_commands"} {
			if at, ok := given[name]; ok {
				l.mistake(at, p.Name+"."+name, "not allowed for a Redis pool; it needs \"redis: false\"")
			}
		}
		return
	}
	for _, name := range []string{"redis_auth", "redis_auth_file", "redis_user", "databases"} {
		if at, ok := given[name]; ok {
			l.mistake(at, p.Name+"."+name, "not allowed for a memcached pool; it needs \"redis: true\"")
		}
	}
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
	if strings.HasPrefix(p.Listen.Text, "*:") {
		l.warn(given["listen"], p.Name+".listen",
			"\"*\" is the loopback interface only, as in twemproxy; 0.0.0.0 and :: are all interfaces")
	}
}

// checkListens finds pools that would listen on one address. Only spellings are compared, no name
// is resolved: two names of one address are found when the second socket is opened.
func (l *loader) checkListens(pools []*Pool, given map[*Pool]places) {
	taken := map[string]*Pool{}
	for _, p := range pools {
		if p.Listen.Address == "" {
			continue // its own mistake is noted already
		}
		if other, ok := taken[p.Listen.Address]; ok {
			l.mistake(given[p]["listen"], p.Name+".listen", "%s is taken by the pool %q", quote(p.Listen.Text), other.Name)
			continue
		}
		taken[p.Listen.Address] = p
	}
}
