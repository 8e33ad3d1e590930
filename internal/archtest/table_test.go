package archtest

// kind says which laws hold for a room.
type kind uint8

const (
	engineRoom  kind = iota // the data plane: no net, os, sync, log, goroutine, channel or wall clock
	hostRoom                // may talk to the system, gets the time from the event loop
	controlRoom             // ordinary Go with goroutines, contexts and the wall clock
	simRoom                 // tests only and deterministic: no wall clock
	fakeRoom                // tests only, on real sockets
)

// room is a package of internal/ with everything below it, or cmd/cashew.
type room struct {
	name string
	kind kind
}

// rooms is the architecture: a room imports only rooms above it. A new package gets its line here,
// as high as what it imports allows, and in the table of the design.
var rooms = []room{
	{"clock", engineRoom},
	{"bytebuf", engineRoom},
	{"stats", engineRoom},
	{"hashkit", engineRoom},
	{"ring", engineRoom},
	{"resp", engineRoom},
	{"memcached", engineRoom},
	{"command", engineRoom},
	{"topology", engineRoom},
	{"message", engineRoom},
	{"route", engineRoom},
	{"fragment", engineRoom},
	{"upstream", engineRoom},
	{"downstream", engineRoom},
	{"engine", engineRoom},
	{"eventloop", controlRoom},
	{"proxy", hostRoom},
	{"config", hostRoom},
	{"redisclient", controlRoom},
	{"health", controlRoom},
	{"control", controlRoom},
	{"metrics", controlRoom},
	{"admin", controlRoom},
	{"daemon", controlRoom},
	{"demo", controlRoom},
	{"console", controlRoom},
	{"cmd", controlRoom},
	{"servertest", fakeRoom},
	{"redistest", fakeRoom},
	{"memcachedtest", fakeRoom},
	{"sim", simRoom},
}

// strangers are pairs of rooms that must not know each other although the order would allow it.
var strangers = map[[2]string]string{
	{"downstream", "upstream"}: "client sessions and server connections meet only in engine",
}

// engineMay lists what single engine rooms may import of the packages that are refused to all.
var engineMay = map[[2]string]string{
	{"stats", "sync/atomic"}:             "counters are published once per turn for other goroutines to read",
	{"bytebuf", "golang.org/x/sys/unix"}: "large buffers are mapped, so that they really go back to the system",
	{"hashkit", "crypto/md5"}:            "md5 is one of twemproxy's hashes",
	{"ring", "crypto/md5"}:               "ketama's points are md5 sums",
	{"downstream", "crypto/subtle"}:      "passwords are compared in constant time",
}

// inTests stands for _test.go files and the rooms that only tests use.
const inTests = "tests"

// libraries are the reviewed modules and who may import them. One more needs a decision record.
var libraries = map[string][]string{
	"github.com/goccy/go-yaml":            {"config"},
	"github.com/spf13/cobra":              {"cmd"},
	"github.com/prometheus/client_golang": {"metrics", "admin", "daemon"},
	"github.com/prometheus/client_model":  {inTests},
	"github.com/prometheus/common":        {inTests},
	"github.com/alicebob/miniredis/v2":    {"demo", inTests},
	"golang.org/x/sys":                    {"bytebuf", "eventloop", "proxy", "daemon", "cmd", inTests},
	"github.com/redis/go-redis/v9":        {inTests},
	"github.com/bradfitz/gomemcache":      {inTests},
	"pgregory.net/rapid":                  {inTests},
	"go.uber.org/goleak":                  {inTests},
	"github.com/google/go-cmp":            {inTests},
	"charm.land/bubbletea/v2":             {"console"},

	"github.com/santhosh-tekuri/jsonschema/v6": {inTests},
	"github.com/getkin/kin-openapi":            {inTests},
}

// Sizes that no reader should have to exceed, in lines.
const (
	maxFileLines = 600
	maxFuncLines = 100
)

// longFuncs are the functions that may be longer, each with its reason. The key is the file's path in
// the repository, a space, and the function's name. An entry that is not needed any more is an error.
var longFuncs = map[string]string{}
