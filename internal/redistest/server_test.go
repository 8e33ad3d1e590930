package redistest

import (
	"net"
	"testing"

	"github.com/cashew-proxy/cashew/internal/servertest"
)

func TestServerAnswersAndEnds(t *testing.T) {
	var addr string
	t.Run("one test", func(t *testing.T) {
		addr = StartServer(t)
		if err := ping(addr, servertest.Limit); err != nil {
			t.Fatal(err)
		}
	})
	if conn, err := net.Dial("tcp", addr); err == nil {
		conn.Close()
		t.Errorf("the server at %s outlived its test", addr)
	}
}

func TestServersDoNotShareAPort(t *testing.T) {
	if a, b := StartServer(t), StartServer(t); a == b {
		t.Errorf("two servers at %s", a)
	}
}

func TestServerWithPassword(t *testing.T) {
	StartServer(t, "--requirepass", "secret")
}

func TestTakenPortIsReported(t *testing.T) {
	addr := StartServer(t)
	if err := program.TryStartAt(t, addr, nil); err == nil {
		t.Errorf("a second server claims to have started at %s", addr)
	}
}
