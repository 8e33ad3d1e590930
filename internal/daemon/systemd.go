package daemon

import (
	"net"
	"os"
	"strconv"
	"time"
)

// notifier tells systemd how the process does, by sd_notify(3)'s datagrams. Without systemd its methods
// do nothing.
type notifier struct {
	conn  *net.UnixConn // nil if nobody listens
	every time.Duration // how often systemd wants a sign of life; 0 is never
}

// newNotifier reads what systemd has left in the environment.
func newNotifier(getenv func(string) string) *notifier {
	n := &notifier{}
	path := getenv("NOTIFY_SOCKET")
	if path == "" {
		return n
	}
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		return n // systemd will say that it has heard nothing
	}
	n.conn = conn
	if pid := getenv("WATCHDOG_PID"); pid != "" && pid != strconv.Itoa(os.Getpid()) {
		return n // it is meant for another process
	}
	if micros, err := strconv.ParseInt(getenv("WATCHDOG_USEC"), 10, 64); err == nil && micros > 0 {
		n.every = time.Duration(micros) * time.Microsecond / 2
	}
	return n
}

// say sends one state. A systemd that does not take it is systemd's problem.
func (n *notifier) say(state string) {
	if n.conn != nil {
		_, _ = n.conn.Write([]byte(state))
	}
}

// stopMargin is what the end may take beyond the time for clients, until systemd kills what is left.
const stopMargin = 5 * time.Second

// sayStopping says that the process ends, and how long that may take: TimeoutStopSec= does not know the configuration.
func (n *notifier) sayStopping(timeout time.Duration) {
	n.say("STOPPING=1\nEXTEND_TIMEOUT_USEC=" + strconv.FormatInt((timeout+stopMargin).Microseconds(), 10))
}

// watch sends signs of life until the function that it returns is called. Each one comes from the worker:
// alive returns a channel that the worker closes when it turns. One that is stuck gets no other question,
// so that systemd hears nothing and acts.
func (n *notifier) watch(alive func() <-chan struct{}) (end func()) {
	if n.conn == nil || n.every == 0 {
		return func() {}
	}
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(n.every)
		defer tick.Stop()
		for {
			select {
			case <-alive():
				n.say("WATCHDOG=1")
			case <-stop:
				return
			}
			select {
			case <-tick.C:
			case <-stop:
				return
			}
		}
	}()
	return func() { close(stop); <-done }
}

func (n *notifier) close() {
	if n.conn != nil {
		n.conn.Close()
	}
}
