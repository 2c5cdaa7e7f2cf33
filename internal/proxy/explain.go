package proxy

import "go-proxy/internal/exchange"

func (x *request) asksToExplain() bool {
	value, asks := x.Line(exchange.ExplainField, 0)
	return asks && x.settings.AsksToExplain(x.settings.Trusted.Contains(x.Peer()), value)
}

// explanation is how the response came to be. The attempt that it comes from is
// not on the record yet.
func (x *request) explanation() []string {
	lines := append(x.proxy.pool.Explain(), x.record.ExplainAttempts()...)
	if a := x.attempt; a != nil && !a.ended {
		lines = append(lines, "attempt answered@"+a.lease.Backend.String())
	}
	return lines
}
