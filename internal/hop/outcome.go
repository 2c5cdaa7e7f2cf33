package hop

import "strconv"

// Outcome is how an attempt ended.
type Outcome struct {
	Cause  Cause
	Status int  // of the response, if there was one
	Stale  bool // see Stale

	// Suspect says that the request has failed softly on another backend: what
	// fails everywhere is the request, and must not take one backend after the
	// other down.
	Suspect bool
}

// Reason is what a failed attempt says to the operator.
func (o *Outcome) Reason(err error) string {
	if o.Cause == None {
		return "status " + strconv.Itoa(o.Status)
	}
	return (&Failure{Cause: o.Cause, Err: err}).Error()
}

// Result is what an attempt says of its backend.
type Result uint8

// What there is to say.
const (
	Answered     Result = iota
	Nothing             // the client left or was at fault, or the connection was stale
	FailedSoftly        // in a way that the request may be the reason for
	Failed              // it could not be reached
)

// Counted are the outcomes that count against a backend besides those of one
// that cannot be reached, which always do.
type Counted struct {
	causes   [numCauses]bool
	statuses [100]bool // from 500
}

// SoftCauses are the causes that may be counted or not.
func SoftCauses() (names []string) {
	for c := range numCauses {
		if c.soft() {
			names = append(names, c.String())
		}
	}
	return names
}

// NewCounted takes SoftCauses and statuses from 500 to 599.
func NewCounted(names []string) *Counted {
	counted := new(Counted)
	for _, name := range names {
		if status, err := strconv.Atoi(name); err == nil {
			counted.statuses[status-500] = true
		}
		for c := range numCauses {
			counted.causes[c] = counted.causes[c] || c.soft() && c.String() == name
		}
	}
	return counted
}

func (c Cause) soft() bool {
	switch c {
	case DialRefused, DialFailed, DialTimeout, TLSFailed:
		return false
	}
	return c.Party() == Backend
}

// Judge finds the result of an attempt that ended so.
func (c *Counted) Judge(o Outcome) Result {
	switch {
	case o.Cause == None && o.Status >= 500 && o.Status < 600 && c.statuses[o.Status-500]:
		return o.softly()
	case o.Cause == None || o.Cause == TunnelIdle:
		return Answered
	case o.Cause.Party() != Backend || o.Stale:
		return Nothing
	case !o.Cause.soft():
		return Failed
	case c.causes[o.Cause]:
		return o.softly()
	}
	return Nothing
}

func (o *Outcome) softly() Result {
	if o.Suspect {
		return Nothing
	}
	return FailedSoftly
}
