package message

// Failure is why a request got no reply from its server. Its text is what the client reads after
// the protocol's error word; the texts are twemproxy's, which are glibc's.
type Failure struct{ Text string }

func (f *Failure) Error() string { return f.Text }

// The failures that the engine itself finds. The event loop adds those of the system's calls.
var (
	// ErrTimeout: no reply within the pool's timeout.
	ErrTimeout = &Failure{"Connection timed out"}
	// ErrEOF: the server closed the connection.
	ErrEOF = &Failure{"unknown"}
	// ErrReply: the server sent what is no reply, or a reply nobody asked for.
	ErrReply = &Failure{"Invalid argument"}
	// ErrNoServer: all servers of the pool are ejected.
	ErrNoServer = &Failure{"Connection refused"}
	// ErrVerdict: the server has just failed, and whether it is ejected is not known yet. No client gets to
	// read it: the request is to be tried again.
	ErrVerdict = &Failure{"server is being judged"}
	// ErrQueueFull: the server's queue holds server_queue_limit bytes.
	ErrQueueFull = &Failure{"server queue is full"}
	// ErrNoFiles: connections to other databases than the pool's take open files from the clients'.
	ErrNoFiles = &Failure{"no open files left for a connection to this database: raise the limit (ulimit -n, LimitNOFILE)"}
	// ErrMemory: the worker buffers memory_limit bytes.
	ErrMemory = &Failure{"proxy memory limit reached"}
	// ErrUnused: nobody has needed the connection for a while.
	ErrUnused = &Failure{"not used"}
	// ErrRemoved: the configuration has the server no more.
	ErrRemoved = &Failure{"server was removed"}
	// ErrShutdown: the proxy ends.
	ErrShutdown = &Failure{"proxy is shutting down"}
)
