package downstream

import (
	"bytes"
	"strings"

	"github.com/cashew-proxy/cashew/internal/command"
	"github.com/cashew-proxy/cashew/internal/resp"
)

// client answers the subcommands of CLIENT. They concern the connections of the pool's clients to the proxy;
// those to the servers are shared, and nobody's. Texts and layouts are Redis' own, because libraries parse them.
func (s *Session) client(spec *command.Spec, r *request) {
	reply := s.desk.scratch[:0]
	resp3 := s.lane.RESP3
	switch spec.Name {
	case "client|getname":
		if s.name == "" {
			reply = resp.AppendNull(reply, resp3)
		} else {
			reply = resp.AppendBulkString(reply, s.name)
		}
	case "client|setname":
		reply = append(reply, s.setName(r.arg(2))...)
	case "client|setinfo":
		reply = append(reply, s.setInfo(r.arg(2), r.arg(3))...)
	case "client|id":
		reply = resp.AppendInt(reply, int64(s.Number))
	case "client|info":
		reply = resp.AppendVerbatim(reply, string(appendInfo(nil, s.Pool, s.portray(), spec.Name)), resp3)
	case "client|list":
		reply = s.listClients(reply, spec, r)
	case "client|kill":
		s.killClients(r)
		return
	case "client|no-evict":
		reply = append(reply, setSwitch(&s.noEvict, r.arg(2))...)
	case "client|no-touch":
		reply = append(reply, setSwitch(&s.noTouch, r.arg(2))...)
	case "client|reply":
		s.setReplies(r.arg(2))
		return
	case "client|pause":
		text, inForce := s.pauseClients(r)
		if !inForce {
			s.awaitPeers()
			return
		}
		reply = append(reply, text...)
	case "client|unpause":
		s.desk.Owner.Pause(s, PauseNone, 0)
		reply = append(reply, okay...)
	case "client|unblock":
		reply = append(reply, s.unblock(r)...)
	case "client|getredir":
		reply = resp.AppendInt(reply, -1)
	case "client|trackinginfo":
		reply = resp.AppendMap(reply, 3, resp3)
		reply = resp.AppendSet(resp.AppendBulkString(reply, "flags"), 1, resp3)
		reply = resp.AppendInt(resp.AppendBulkString(resp.AppendBulkString(reply, "off"), "redirect"), -1)
		reply = resp.AppendArray(resp.AppendBulkString(reply, "prefixes"), 0)
	case "client|tracking":
		reply = s.tracking(reply, r)
	case "client|caching":
		// Tracking is off, always.
		reply = append(reply, "-ERR CLIENT CACHING can be called only when the client is in tracking mode with OPTIN or OPTOUT mode enabled\r\n"...)
	case "client|help":
		reply = appendHelp(reply, clientHelp)
	default:
		panic("downstream: the command table names a local command that has no answer: " + spec.Name)
	}
	s.answerLocally(reply)
}

const (
	okay        = "+OK\r\n"
	syntaxError = "-ERR syntax error\r\n"
)

// setName gives the client a name, or takes it away.
func (s *Session) setName(name []byte) string {
	if wrong := wrongName(name); wrong != "" {
		return wrong
	}
	s.note(&s.name, string(name))
	return okay
}

// note keeps what a client has said of itself, which counts as memory in use.
func (s *Session) note(what *string, text string) {
	s.desk.Pool.Charge(int64(len(text) - len(*what)))
	*what = text
}

// longestName bounds what a client may have noted of itself, each name by itself. In Redis nothing does.
const longestName = 1024

// setInfo notes what library the client uses. The rules are those of Redis 7.2.
func (s *Session) setInfo(attribute, value []byte) string {
	what := &s.libraryName
	switch {
	case bytes.EqualFold(attribute, []byte("lib-name")):
	case bytes.EqualFold(attribute, []byte("lib-ver")):
		what = &s.libraryVersion
	default:
		return "-ERR Unrecognized option '" + printableText(attribute) + "'\r\n"
	}
	if len(value) > longestName {
		return "-ERR " + printableText(attribute) + " cannot be longer than 1024 bytes.\r\n"
	}
	if !printableName(value) {
		return "-ERR " + printableText(attribute) + " cannot contain spaces, newlines or special characters.\r\n"
	}
	s.note(what, string(value))
	return okay
}

// setSwitch takes ON or OFF.
func setSwitch(what *bool, arg []byte) string {
	switch {
	case bytes.EqualFold(arg, []byte("on")):
		*what = true
	case bytes.EqualFold(arg, []byte("off")):
		*what = false
	default:
		return syntaxError
	}
	return okay
}

// tracking refuses to tell of changes: the servers would tell a connection that many clients share. The error
// is that of a server too old for it, by which libraries go on without a cache of their own.
func (s *Session) tracking(dst []byte, r *request) []byte {
	switch {
	case bytes.EqualFold(r.arg(2), []byte("on")):
		return command.AppendUnknownSubcommand(dst, r.arg(0), r.arg(1))
	case bytes.EqualFold(r.arg(2), []byte("off")) && trackingOptions(r):
		return append(dst, okay...)
	}
	return append(dst, syntaxError...)
}

// trackingOptions says whether there is nothing behind CLIENT TRACKING OFF but what may be there, and means nothing.
func trackingOptions(r *request) bool {
	for i := 3; i < len(r.args); i++ {
		switch option := strings.ToLower(printableText(r.arg(i))); option {
		case "bcast", "optin", "optout", "noloop":
		case "redirect", "prefix":
			if i++; i == len(r.args) {
				return false
			}
		default:
			return false
		}
	}
	return true
}

// unblock finds no client that waits for a key: none does.
func (s *Session) unblock(r *request) string {
	if len(r.args) > 4 {
		return subcommandArity(r)
	}
	if len(r.args) == 4 && !bytes.EqualFold(r.arg(3), []byte("timeout")) && !bytes.EqualFold(r.arg(3), []byte("error")) {
		return "-ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR\r\n"
	}
	if _, ok := integer(r.arg(2)); !ok {
		return notInteger
	}
	return ":0\r\n"
}

// subcommandArity is the error for more arguments than a subcommand takes.
func subcommandArity(r *request) string {
	return "-ERR unknown subcommand or wrong number of arguments for '" + printableText(r.arg(1)) + "'. Try " +
		strings.ToUpper(printableText(r.arg(0))) + " HELP.\r\n"
}

// appendHelp appends lines of text as an array.
func appendHelp(dst []byte, text string) []byte {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	dst = resp.AppendArray(dst, len(lines))
	for _, line := range lines {
		dst = append(append(append(dst, '+'), line...), "\r\n"...)
	}
	return dst
}

// clientHelp leaves out what is not served.
const clientHelp = `
CLIENT <subcommand> [<arg> [value] [opt] ...]. Subcommands are:
GETREDIR
    Return the client ID we are redirecting to when tracking is enabled.
GETNAME
    Return the name of the current connection.
ID
    Return the ID of the current connection.
INFO
    Return information about the current client connection.
KILL <ip:port>
    Kill connection made from <ip:port>.
KILL <option> <value> [<option> <value> [...]]
    Kill connections. Options are:
    * ID <client-id>
      Kill the connection of that ID.
    * ADDR (<ip:port>|<unixsocket>:0)
      Kill connections made from the specified address
    * LADDR (<ip:port>|<unixsocket>:0)
      Kill connections made to specified local address
    * TYPE (NORMAL|MASTER|REPLICA|PUBSUB)
      Kill connections by type.
    * USER <username>
      Kill connections authenticated by <username>.
    * MAXAGE <seconds>
      Kill connections older than the specified age.
    * SKIPME (YES|NO)
      Skip killing current connection (default: yes).
LIST [options ...]
    Return information about client connections. Options:
    * TYPE (NORMAL|MASTER|REPLICA|PUBSUB)
      Return clients of specified type.
    * ID <client-id> [<client-id> ...]
      Return the clients of those IDs.
UNPAUSE
    Stop the current client pause, resuming traffic.
PAUSE <timeout> [WRITE|ALL]
    Suspend all, or just write, clients for <timeout> milliseconds.
REPLY (ON|OFF|SKIP)
    Control the replies sent to the current connection.
SETNAME <name>
    Assign the name <name> to the current connection.
SETINFO <option> <value>
    Set client meta attr. Options are:
    * LIB-NAME: the client lib name.
    * LIB-VER: the client lib version.
UNBLOCK <clientid> [TIMEOUT|ERROR]
    Unblock the specified blocked client: none ever is.
TRACKING OFF
    Key tracking is not supported through the proxy.
TRACKINGINFO
    Report tracking status for the current connection.
NO-EVICT (ON|OFF)
    Accepted; the proxy evicts nobody.
NO-TOUCH (ON|OFF)
    Accepted; the servers do not hear of it.
HELP
    Prints this help.
`
