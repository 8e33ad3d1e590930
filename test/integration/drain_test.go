package integration

import (
	"bufio"
	"context"
	"io"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cashew-proxy/cashew/internal/config"
	"github.com/cashew-proxy/cashew/internal/redistest"
	"github.com/cashew-proxy/cashew/test/harness"
)

// A client that never stops sending and is slow to read has much on its way to it when the proxy ends, and much that
// the proxy has not read. Whatever a server has done for it is answered.
func TestDrainLosesNoReply(t *testing.T) {
	server := startServers(t, 1)[0]
	p := harness.Start(t, pool([]string{server}), config.Options{})
	c, err := net.Dial("tcp", p.Addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	go func() {
		requests := []byte(strings.Repeat(redistest.Request("INCR", "n"), 100))
		for err == nil {
			_, err = c.Write(requests)
		}
	}()
	replies, failed := 0, error(nil)
	read := make(chan struct{})
	go func() {
		defer close(read)
		r := bufio.NewReaderSize(c, 4096)
		for {
			line, err := r.ReadString('\n')
			if err != nil {
				failed = err
				return
			}
			if line[0] == ':' {
				replies++
			}
			if replies%400 == 0 {
				time.Sleep(200 * time.Microsecond) // slow
			}
		}
	}()
	time.Sleep(300 * time.Millisecond)
	ctx, cancel := context.WithTimeout(context.Background(), harness.Limit)
	defer cancel()
	if err := p.Shutdown(ctx); err != nil {
		t.Error(err)
	}
	<-read
	if failed != io.EOF && !strings.Contains(failed.Error(), "reset") {
		t.Error(failed)
	}
	done := strings.TrimSpace(redistest.Dial(t, server).Do("GET", "n"))
	_, done, _ = strings.Cut(done, "\r\n")
	if got := strconv.Itoa(replies); got != done || replies < 1000 {
		t.Errorf("the server has done %s, and %s were answered", done, got)
	}
}
