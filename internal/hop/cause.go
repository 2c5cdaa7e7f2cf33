package hop

// Cause says why an exchange failed. The list is closed: it labels logs and
// metrics and is told to clients.
type Cause uint8

// The causes, in the order of the README's table.
const (
	None Cause = iota
	NoBackendAlive
	Overloaded
	DialRefused
	DialFailed
	DialTimeout
	TLSFailed
	ResetBeforeResponse
	BadResponse
	ResponseTimeout
	TruncatedByBackend
	BackendBodyTimeout
	AttemptTimeout
	TotalTimeout
	ClientGone
	ClientTimeout
	ClientWriteTimeout
	BadRequest
	MethodNotAllowed
	ExpectationFailed
	BodyTooLarge
	TargetTooLong
	HeaderTooLarge
	TunnelIdle
	Shutdown
	BackendRemoved
	Internal
	numCauses
)

// Party is who is to blame.
type Party uint8

// Only a backend's failures reach its health.
const (
	Nobody Party = iota
	Client
	Backend
	Proxy
)

var causes = [numCauses]struct {
	name   string
	status int // RFC 9110, 15.5 and 15.6; 499 is sent to nobody
	party  Party
}{
	None:                {"", 0, Nobody},
	NoBackendAlive:      {"no_backend_alive", 503, Proxy},
	Overloaded:          {"overloaded", 503, Proxy},
	DialRefused:         {"dial_refused", 502, Backend},
	DialFailed:          {"dial_failed", 502, Backend},
	DialTimeout:         {"dial_timeout", 504, Backend},
	TLSFailed:           {"tls_failed", 502, Backend},
	ResetBeforeResponse: {"reset_before_response", 502, Backend},
	BadResponse:         {"bad_response", 502, Backend},
	ResponseTimeout:     {"response_timeout", 504, Backend},
	TruncatedByBackend:  {"truncated_by_backend", 502, Backend},
	BackendBodyTimeout:  {"backend_body_timeout", 504, Backend},
	AttemptTimeout:      {"attempt_timeout", 504, Backend},
	TotalTimeout:        {"total_timeout", 504, Proxy},
	ClientGone:          {"client_gone", 499, Client},
	ClientTimeout:       {"client_timeout", 408, Client},
	ClientWriteTimeout:  {"client_write_timeout", 499, Client},
	BadRequest:          {"bad_request", 400, Client},
	MethodNotAllowed:    {"method_not_allowed", 405, Client},
	ExpectationFailed:   {"expectation_failed", 417, Client},
	BodyTooLarge:        {"body_too_large", 413, Client},
	TargetTooLong:       {"target_too_long", 414, Client},
	HeaderTooLarge:      {"header_too_large", 431, Client},
	TunnelIdle:          {"tunnel_idle", 0, Nobody},
	Shutdown:            {"shutdown", 503, Proxy},
	BackendRemoved:      {"backend_removed", 503, Proxy},
	Internal:            {"internal", 500, Proxy},
}

func (c Cause) String() string { return causes[c].name }

// Status is what the client is answered while no response head has been sent.
func (c Cause) Status() int { return causes[c].status }

// Party is who is to blame.
func (c Cause) Party() Party { return causes[c].party }

// Failure is an error that knows its Cause.
type Failure struct {
	Cause Cause
	Err   error // the detail, for the log; never for the client
}

func (f *Failure) Error() string {
	if f.Err == nil {
		return f.Cause.String()
	}
	return f.Cause.String() + ": " + f.Err.Error()
}

func (f *Failure) Unwrap() error { return f.Err }
