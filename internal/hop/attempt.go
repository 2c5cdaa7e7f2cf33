package hop

// Stale reports whether an attempt failed as one does whose connection the
// backend closed for being unused: any server may do that while a request is on
// its way (RFC 9112, 9.5), and it says nothing of its health. reused is whether
// the connection had carried requests before, silent whether nothing has come
// over it since this one.
func Stale(cause Cause, reused, silent bool) bool {
	return reused && silent && cause == ResetBeforeResponse
}

// Result is what an attempt says of its backend.
type Result uint8

// What there is to say.
const (
	Answered Result = iota
	Nothing         // the client left or was at fault, or the connection was stale
	Failed
)

// Judge finds the result of an attempt that ended so.
func Judge(cause Cause, stale bool) Result {
	switch {
	case cause == None || cause == TunnelIdle:
		return Answered
	case cause.Party() != Backend || stale:
		return Nothing
	}
	return Failed
}
