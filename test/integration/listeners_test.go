package integration

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cashew-proxy/cashew/internal/control"
	"github.com/cashew-proxy/cashew/internal/redistest"
	"github.com/cashew-proxy/cashew/test/harness"
)

// A reload judges the listeners before anything changes, and so does a dry run, which leaves none behind: what is wrong is
// told with its place in the file. The mode of a socket that stays is changed.
func TestReloadJudgesListeners(t *testing.T) {
	path, err := cashew()
	if err != nil {
		t.Fatal(err)
	}
	server := redistest.StartServer(t)
	dir := t.TempDir()
	admin, socket, file := filepath.Join(dir, "admin.sock"), filepath.Join(dir, "pool.sock"), filepath.Join(dir, "cashew.yml")
	main, fresh, another := harness.FreeAddr(t), harness.FreeAddr(t), harness.FreeAddr(t)
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	port := func(address string) string { return address[strings.LastIndexByte(address, ':')+1:] }
	write := func(listens ...string) {
		t.Helper()
		text := fmt.Sprintf("cashew: {admin: \"%s 0600\"}\n", admin)
		for i, l := range listens {
			text += fmt.Sprintf("%c: {redis: true, servers: [\"%s:1\"], listen: \"%s\"}\n", 'a'+i, server, l)
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	column := len(fmt.Sprintf("a: {redis: true, servers: [\"%s:1\"], listen: ", server)) + 1
	mode := func() fs.FileMode {
		t.Helper()
		info, err := os.Stat(socket)
		if err != nil {
			t.Fatal(err)
		}
		return info.Mode().Perm()
	}
	write(main, socket+" 0600")
	p := harness.Run(t, path, "-c", file, "-a", "")
	p.Err.Await(t, "msg=started")
	o := newOperator(t, admin)
	client := redistest.Dial(t, main)
	const dry, wet = `{"dry_run": true}`, "{}"
	serves := func(address string) bool {
		c, err := redistest.TryDial(t, address)
		return err == nil && c.Do("PING") == "+PONG\r\n"
	}
	for _, c := range []struct {
		what    string
		listens []string
		want    []string // the beginning of each mistake, behind the file's name
	}{
		{
			"another process listens there",
			[]string{main, socket + " 0666", fresh, taken.Addr().String()},
			[]string{fmt.Sprintf(":5:%d: d.listen: listen on %s: Address already in use: another process listens there", column, taken.Addr())},
		},
		{
			"this process listens there",
			[]string{"0.0.0.0:" + port(main), socket + " 0666", fresh},
			[]string{fmt.Sprintf(":2:%d: a.listen: listen on 0.0.0.0:%s: pool a of this process listens on %s, which is in the way", column, port(main), main)},
		},
		{
			"new ones are in each other's way, by a name",
			[]string{main, socket + " 0666", "0.0.0.0:" + port(fresh), "localhost:" + port(fresh)},
			[]string{fmt.Sprintf(":5:%d: d.listen: listen on localhost:%s: it overlaps 0.0.0.0:%s, where pool c is to listen", column, port(fresh), port(fresh))},
		},
		{
			"new ones are in each other's way",
			[]string{main, socket, "0.0.0.0:" + port(fresh), fresh},
			[]string{fmt.Sprintf(":5:%d: d.listen: \"%s\" and \"0.0.0.0:%s\", where the pool \"c\" listens, are in each other's way", column, fresh, port(fresh))},
		},
		{
			"two mistakes",
			[]string{main, filepath.Join(dir, "none", "s"), taken.Addr().String()},
			[]string{
				fmt.Sprintf(":3:%d: b.listen: listen on %s: No such file or directory: the directory does not exist", column, filepath.Join(dir, "none", "s")),
				fmt.Sprintf(":4:%d: c.listen: listen on %s: Address already in use", column, taken.Addr()),
			},
		},
	} {
		write(c.listens...)
		for _, body := range []string{dry, wet} {
			var answer struct{ Mistakes []string }
			o.ask("POST", "/api/reload", body, 422, &answer)
			if len(answer.Mistakes) != len(c.want) {
				t.Fatalf("%s, %s: %q", c.what, body, answer.Mistakes)
			}
			for i, m := range answer.Mistakes {
				if !strings.HasPrefix(m, file+c.want[i]) {
					t.Errorf("%s, %s:\n%s\nwant %s", c.what, body, m, c.want[i])
				}
			}
			if serves(fresh) || client.Do("PING") != "+PONG\r\n" || mode() != 0o600 {
				t.Errorf("%s, %s: something has changed", c.what, body)
			}
		}
	}

	// What can be done is told, and done afterwards.
	write(main, socket+" 0660", fresh, filepath.Join(dir, "new.sock"))
	var d control.Differences
	if o.ask("POST", "/api/reload", dry, 200, &d); len(d.Changes) != 3 || d.NeedsRestart != 0 {
		t.Errorf("%+v", d)
	}
	if _, err := os.Lstat(filepath.Join(dir, "new.sock")); !errors.Is(err, fs.ErrNotExist) || serves(fresh) || mode() != 0o600 {
		t.Error("the dry run has changed something: ", err)
	}
	o.ask("POST", "/api/reload", wet, 200, nil)
	if mode() != 0o660 || !serves(socket) || !serves(fresh) || !serves(filepath.Join(dir, "new.sock")) || client.Do("PING") != "+PONG\r\n" {
		t.Error("it is not done")
	}

	// A listener may go to another pool, and the mode of a socket with it, or be left out.
	write(another, fresh, socket)
	o.ask("POST", "/api/reload", wet, 200, nil)
	if !serves(another) || !serves(fresh) || serves(main) || !serves(socket) || mode() == 0o660 {
		t.Error("the listeners have not moved")
	}

	// Nobody can be let in at a socket that is not there any more.
	if err := os.Remove(socket); err != nil {
		t.Fatal(err)
	}
	write(another, fresh, socket+" 0600")
	for _, body := range []string{dry, wet} {
		var answer struct{ Mistakes json.RawMessage }
		if o.ask("POST", "/api/reload", body, 422, &answer); !strings.Contains(string(answer.Mistakes), "removed or replaced by somebody else") {
			t.Errorf("%s: %s", body, answer.Mistakes)
		}
	}
}
