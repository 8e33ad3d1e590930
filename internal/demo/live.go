package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
)

// introduce says what runs, and what to type next.
func (s *stage) introduce(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "cashew listens on 127.0.0.1:%d, in front of %d Redis servers inside this process.\n", s.port, len(s.servers))
	fmt.Fprintf(&b, "Its configuration, which nutcracker would read as well:\n\n")
	for line := range strings.Lines(s.config) {
		b.WriteString("    " + line)
	}
	fmt.Fprintf(&b, "\nIn another terminal:\n\n")
	type step struct{ command, what string }
	steps := []step{
		{fmt.Sprintf("redis-cli -p %d set user:1 Ada", s.port), "goes to the server that owns the key"},
		{fmt.Sprintf("redis-cli -p %d get user:1", s.port), ""},
		{fmt.Sprintf("redis-cli -p %d mset apple 1 pear 2 fig 3 plum 4", s.port), "split over all three servers"},
		{fmt.Sprintf("redis-cli -p %d mget apple pear fig plum", s.port), "and put together again"},
		{fmt.Sprintf("redis-benchmark -p %d -t set,get -r 10000 -P 16 -q", s.port), "load, to watch the line below"},
	}
	for _, server := range s.servers {
		steps = append(steps, step{
			fmt.Sprintf("redis-cli -p %s keys '*'", server.redis.Port()), "what server " + server.name + " has, without the proxy",
		})
	}
	steps = append(steps, step{fmt.Sprintf(`printf 'PING\r\nQUIT\r\n' | nc 127.0.0.1 %d`, s.port), "without redis-cli"})
	for _, step := range steps {
		if step.what != "" {
			step.what = "# " + step.what
		}
		b.WriteString(strings.TrimRight(fmt.Sprintf("    %-58s %s", step.command, step.what), " ") + "\n")
	}
	fmt.Fprintf(&b, "\nCtrl-C stops everything.\n\n")
	_, err := io.WriteString(w, b.String())
	return err
}

// watch writes live lines until ctx ends, or the proxy does.
func (s *stage) watch(ctx context.Context, o Options, every time.Duration) error {
	tick := time.NewTicker(every)
	defer tick.Stop()
	last, then := s.count(), time.Now()
	shown := ""
	if o.Terminal {
		defer func() { fmt.Fprintln(o.Out) }() // the live line is not ended
	}
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-s.proxy.Ended():
			return errors.New("the proxy has ended by itself")
		case <-tick.C:
		}
		count, now := s.count(), time.Now()
		s.pass(now.Sub(then))
		line := s.liveLine(count, rate(last, count, now.Sub(then)))
		last, then = count, now
		var err error
		if o.Terminal {
			_, err = fmt.Fprintf(o.Out, "\r%s\x1b[K", line) // the sequence clears what was there before
		} else if line != shown {
			_, err = fmt.Fprintln(o.Out, line)
		}
		if err != nil {
			return err
		}
		shown = line
	}
}

// rate is the number of requests per second between two counts. The counts begin anew when the
// worker had to.
func rate(before, after counted, took time.Duration) float64 {
	if after.requests < before.requests {
		before.requests = 0
	}
	return float64(after.requests-before.requests) / took.Seconds()
}

// liveLine is what there is to see at this moment; it fits a terminal of 80 columns.
func (s *stage) liveLine(c counted, rate float64) string {
	var keys []string
	for _, server := range s.servers {
		keys = append(keys, fmt.Sprintf("%s %d", server.name, len(server.redis.Keys())))
	}
	return fmt.Sprintf("%8.0f requests/s  %4d clients  keys: %s", rate, c.clients, strings.Join(keys, "  "))
}
