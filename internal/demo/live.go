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
	fmt.Fprintf(&b, "cashew listens on 127.0.0.1:%d for %d Redis servers inside this process,\n", s.port, len(s.redis))
	fmt.Fprintf(&b, "and on 127.0.0.1:%d for %d memcached servers.\n", s.cachePort, len(s.caches))
	fmt.Fprintf(&b, "Its configuration, which nutcracker would read as well:\n\n")
	for line := range strings.Lines(s.config) {
		b.WriteString("    " + line)
	}
	fmt.Fprintf(&b, "\nIn another terminal:\n")
	for _, step := range s.steps() {
		fmt.Fprintf(&b, "\n    # %s\n", step.what)
		for _, command := range step.commands {
			fmt.Fprintf(&b, "    %s\n", command)
		}
	}
	fmt.Fprintf(&b, "\nThe line below shows requests, clients, and how many keys each server has.\nCtrl-C stops everything.\n\n")
	_, err := io.WriteString(w, b.String())
	return err
}

// step is something to type, and what it shows.
type step struct {
	what     string
	commands []string
}

func (s *stage) steps() []step {
	redis := fmt.Sprintf("redis-cli -p %d ", s.port)
	cache := fmt.Sprintf(" | nc 127.0.0.1 %d", s.cachePort)
	var alone []string
	for i, m := range s.redis {
		alone = append(alone, fmt.Sprintf("redis-cli -p %s keys '*'    # server %s", m.Port(), redisNames[i]))
	}
	return []step{
		{"a key is on the server that owns it", []string{redis + "set user:1 Ada", redis + "get user:1"}},
		{"keys of all three servers: split, and put together again", []string{
			redis + "mset apple 1 pear 2 fig 3 plum 4", redis + "mget apple pear fig plum",
		}},
		{"load, to watch the line below", []string{fmt.Sprintf("redis-benchmark -p %d -t set,get -r 10000 -P 16 -q", s.port)}},
		{"what each server has, without the proxy", alone},
		{"without redis-cli", []string{fmt.Sprintf(`printf 'PING\r\nQUIT\r\n' | nc 127.0.0.1 %d`, s.port)}},
		{"memcached; then keys of both servers, and one that is missing", []string{
			`printf 'set a 0 0 1\r\nx\r\nget a\r\nquit\r\n'` + cache,
			`printf 'set tea 0 0 1\r\ny\r\nget a tea b\r\nquit\r\n'` + cache,
		}},
	}
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
	var ofRedis, ofMemcached []int
	for _, m := range s.redis {
		ofRedis = append(ofRedis, len(m.Keys()))
	}
	for _, c := range s.caches {
		ofMemcached = append(ofMemcached, c.items.count())
	}
	return liveText(c, rate, ofRedis, ofMemcached)
}

func liveText(c counted, rate float64, ofRedis, ofMemcached []int) string {
	return fmt.Sprintf("%7.0f requests/s %3d clients  keys: Redis%s  memcached%s", rate, c.clients, list(ofRedis), list(ofMemcached))
}

// list shows numbers of keys, in thousands or millions where they would be too long for the line.
func list(numbers []int) string {
	var b strings.Builder
	for _, n := range numbers {
		switch {
		case n < 10_000:
			fmt.Fprintf(&b, " %d", n)
		case n < 1_000_000:
			fmt.Fprintf(&b, " %dk", n/1000)
		default:
			fmt.Fprintf(&b, " %dM", n/1_000_000)
		}
	}
	return b.String()
}
