package exchange

// ExplainField asks a proxy, in a request of a trusted client, how it came to
// its response, and in that response says so: a line for each fact.
const ExplainField = "X-Proxy-Explain"

// ExplainAttempts are the lines for the attempts.
func (r *Record) ExplainAttempts() []string {
	lines := make([]string, len(r.Attempts))
	for i, a := range r.Attempts {
		lines[i] = "attempt " + a.Outcome() + "@" + a.Backend
	}
	return lines
}

// AsksToExplain reports whether the client wants to know, and may.
func (s *Settings) AsksToExplain(trusted bool, value string) bool { return trusted && value == "1" }
