package sim

// Sabotage is something that is broken on purpose, once in a run: the oracle must notice.
type Sabotage uint8

// What can be broken. The first ones are servers' doing that a proxy could not notice; the others stand
// for mistakes of a proxy or of its event loop.
const (
	Nothing       Sabotage = iota
	SwapReplies            // a server exchanges two replies
	LoseReply              // a server forgets one reply
	DoubleReply            // a server answers twice although another request waits
	StaleReply             // a server answers with what another key holds
	WrongServer            // a connection goes to another server than the one asked for
	LoseByte               // one byte of a client's output is lost
	ForgetOutput           // a connection with output is not written to
	StayDeaf               // a paused connection is not read from again
	LeakBuffer             // a buffer is not given back
	WrongProtocol          // a Redis answers in the other version of the protocol
	WrongDatabase          // a Redis answers from another database
	LoseValue              // a memcached forgets one of several values
	ShowNoreply            // the reply of a request with noreply is shown
	ShowMiss               // the miss of a quiet mg is shown
	sabotages
)

// sabotage says whether to break something now.
func (w *world) sabotage(s Sabotage) bool {
	if w.cfg.Sabotage != s || s == Nothing {
		return false
	}
	w.chances++
	if w.chances != w.cfg.After+1 {
		return false
	}
	w.result.Sabotaged = true
	w.log("SABOTAGE %d", s)
	return true
}

// smuggle puts a reply before the next one to a client that was not to be shown.
func (w *world) smuggle(p *pipe) {
	c := p.client
	if c.recv.size() > 0 || p.out.size() > 0 || len(c.waiting) == 0 {
		return // it must be seen whole
	}
	if c.waiting[0].silence == never && w.sabotage(ShowNoreply) {
		p.out.add([]byte("STORED\r\n"))
		return
	}
	i := 0
	for i < len(c.waiting)-1 && c.waiting[i].silence == never {
		i++
	}
	if e := &c.waiting[i]; e.silence == unlessNews && e.args[0] == "mg" && w.sabotage(ShowMiss) {
		p.out.add([]byte("EN " + e.token + "\r\n"))
	}
}
