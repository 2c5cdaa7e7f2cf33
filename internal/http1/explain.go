package http1

import records "go-proxy/internal/exchange"

// explanation is how the response came to be, for a client that may know, or
// nil. The attempt that it comes from is not on the record yet.
func (x *exchange) explanation() []string {
	if !x.explains {
		return nil
	}
	lines := append(x.plane.pool.Explain(), x.record.ExplainAttempts()...)
	if x.leased {
		lines = append(lines, "attempt answered@"+x.lease.Backend.String())
	}
	return lines
}

func appendExplanation(dst []byte, lines []string) []byte {
	for _, line := range lines {
		dst = appendField(dst, records.ExplainField, line)
	}
	return dst
}

// describe finds what is believed of the client, and told to it.
func (x *exchange) describe() {
	x.from = peer{addr: x.client.host(), proto: "http"}
	x.from.trusted = x.settings.Trusted.Contains(x.from.addr)
	if x.from.trusted {
		value, _ := x.Line(records.ExplainField, 0)
		x.explains = x.settings.AsksToExplain(x.from.trusted, string(value))
	}
}
