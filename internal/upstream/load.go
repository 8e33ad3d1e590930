package upstream

import "sort"

// Load is what a connection has to do at one moment.
type Load struct {
	Connected, Connecting bool
	// Requests that wait to be sent, and those that were sent and await their reply. One of which the
	// first bytes were sent still waits.
	Queued, InFlight           int
	QueuedBytes, InFlightBytes int64
}

// Load looks at the connection for a report. It is not for the request path.
func (c *Conn) Load() Load {
	sent := sort.Search(int(c.fifo.n), func(i int) bool { return c.fifo.at(uint32(i)).end > c.sentTo })
	edge := c.doneTo // where the first request begins that was not sent whole
	if sent > 0 {
		edge = c.fifo.at(uint32(sent - 1)).end
	}
	return Load{
		Connected:  c.state == greeting || c.state == ready,
		Connecting: c.state == dialing,
		Queued:     int(c.fifo.n) - sent, QueuedBytes: int64(c.queuedTo - edge),
		InFlight: sent, InFlightBytes: int64(edge - c.doneTo),
	}
}
