package hop

// Stale reports whether an attempt failed as one does whose connection the
// backend closed for being unused: any server may do that while a request is on
// its way (RFC 9112, 9.5), and it says nothing of its health. reused is whether
// the connection had carried requests before, silent whether nothing has come
// over it since this one.
func Stale(cause Cause, reused, silent bool) bool {
	return reused && silent && cause == ResetBeforeResponse
}

// Progress is how far an attempt came that failed.
type Progress struct {
	Sent   bool // a part of the request, as far as can be told
	Silent bool // the backend has sent nothing for it
	Kept   bool // what was read of the request is there to be sent again
}

// MayRepeat reports whether the request may be sent again: if nothing of it was
// sent, or if carrying it out twice is like once and nothing has been received
// (RFC 9110, 9.2.2).
func MayRepeat[S Text](method S, p Progress) bool {
	return p.Kept && (!p.Sent || p.Silent && Idempotent(method))
}

// MayRetry reports whether a request that failed so may be tried on another
// backend.
func MayRetry[S Text](method S, cause Cause, p Progress) bool {
	return cause.Party() == Backend && MayRepeat(method, p)
}
