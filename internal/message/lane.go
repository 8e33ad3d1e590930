package message

// Lane is in what the connections to one server differ: a client's requests travel on the lane of the
// database and the protocol that it has chosen. The zero value is database 0 in RESP2.
type Lane struct {
	Database int
	RESP3    bool
}
