package sim

// Stream returns n requests as one client of a fleet would make them, each as its bytes, and some of them
// empty: for tests that hold a real server against the proxy. Their replies do not depend on the number of servers.
func Stream(seed uint64, memcached bool, n int) []string {
	c := FromSeed(seed, false)
	c.Memcached, c.Plain, c.FlushAll = memcached, true, true
	c.Lanes, c.Databases, c.Database, c.Auth, c.User = false, 16, 0, "", ""
	c.Servers, c.Clients, c.Requests = 1, 1, n
	c.Keys, c.Value, c.Huge = 4, 300, 0
	w := newWorld(c)
	client := w.clients[0]
	requests := make([]string, n)
	for i := range requests {
		client.made++
		w.dialect.request(client)
		requests[i] = string(client.send.bytes())
		client.send.drop(client.send.size())
	}
	return requests
}
