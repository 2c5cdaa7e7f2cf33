package config

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"time"
)

// together finds values that are each valid but do not go together.
type together struct {
	*Config
	origins map[string]Origin
	known   Problems // of single values
	found   Problems
}

// checkTogether makes the default that depends on another setting, and returns
// what does not go together.
func (c *Config) checkTogether(origins map[string]Origin, known Problems) Problems {
	t := &together{c, origins, known, nil}
	if t.sure("health.interval", "health.timeout") {
		t.healthTimeout()
	}
	if t.sure("limits.target_bytes", "limits.header_bytes") {
		t.targetInHead()
	}
	if t.Watch && t.File == "" && t.sure("watch") {
		t.blame("watch", t.origins["watch"], "a file named by -config", "there is no file to be watched")
	}
	if t.sure("listen", "backends") {
		t.backendsElsewhere()
	}
	if t.sure("policy", "backends", "slow_start", "hash_key", "hash_bound") {
		t.unusedByPolicy()
	}
	if t.sure("retries", "retry_on", "queue", "max_in_flight", "backend_max_in_flight", "backends", "health.ejection", "health.ejection_most") {
		t.unusedByResilience()
	}
	if t.sure("half_close", "plane") {
		t.halfClose()
	}
	return t.found
}

// sure reports whether the settings have the values that were meant. One that
// has a problem has not, and one that the file should have need not.
func (t *together) sure(keys ...string) bool {
	return !slices.ContainsFunc(t.known, func(p Problem) bool {
		return slices.Contains(keys, p.Key) || p.Key == fileKey || p.Key == "" && p.Excerpt != ""
	})
}

func (t *together) blame(key string, o Origin, valid, format string, args ...any) {
	t.found = append(t.found, Problem{Key: key, Source: o.Source, Value: o.Value, Err: fmt.Errorf(format, args...), Valid: valid, Excerpt: o.Excerpt})
}

func (t *together) healthTimeout() {
	h := &t.Health
	if h.Timeout == 0 {
		h.Timeout = min(2*time.Second, h.Interval)
	}
	if h.Timeout > h.Interval {
		t.blame("health.timeout", t.origins["health.timeout"], "a duration above 0, up to the interval",
			"longer than health.interval, which is %v (%s)", h.Interval, t.origins["health.interval"].Source)
	}
}

// halfClose is one thing that net/http cannot be told.
func (t *together) halfClose() {
	if t.HalfClose && t.Plane == "nethttp" {
		t.blame("half_close", t.origins["half_close"], "off with that",
			"not possible with plane nethttp (%s)", t.origins["plane"].Source)
	}
}

// targetInHead leaves the defaults alone: of those the smaller one counts.
func (t *together) targetInHead() {
	o := t.origins["limits.target_bytes"]
	if l := t.Limits; l.TargetBytes > l.HeaderBytes && o.Source != "default" {
		t.blame("limits.target_bytes", o, "a size up to that",
			"larger than limits.header_bytes, which is %s (%s)", sizeText(l.HeaderBytes), t.origins["limits.header_bytes"].Source)
	}
}

func (t *together) backendsElsewhere() {
	for i, b := range t.Backends {
		if !isOwn(t.Listen, b) {
			continue
		}
		o := t.origins["backends"]
		if o.items != nil {
			o = o.items[i]
		}
		t.blame("backends", o, "addresses of other programs",
			"%q is the proxy itself: listen is %s (%s)", b.URL, t.Listen, t.origins["listen"].Source)
	}
}

// isOwn reports whether requests for the backend would come back to the
// listening address, as far as that can be told without asking the network.
func isOwn(listen string, b Backend) bool {
	host, port, _ := net.SplitHostPort(listen)
	if b.Port() != port {
		return false
	}
	target := b.URL.Hostname()
	addr, _ := netip.ParseAddr(target)
	local := target == "localhost" || addr.Unmap().IsLoopback()
	at, err := netip.ParseAddr(host)
	if host == "" || err == nil && at.IsUnspecified() {
		return local
	}
	return target == host || target == "localhost" && at.IsLoopback()
}

// unusedByPolicy finds what is given to a policy that does nothing with it. A
// default may be given to any.
func (t *together) unusedByPolicy() {
	unused := func(key string, o Origin, what, by string) {
		t.blame(key, o, "this with policy "+by, "%s is not used by policy %s (%s)", what, t.Balancing.Policy, t.origins["policy"].Source)
	}
	const hashing = "consistent_hash"
	if !t.Balancing.Hashes() && t.Balancing.HashKey.Part != KeyClientAddress {
		unused("hash_key", t.origins["hash_key"], "it", hashing)
	}
	if !t.Balancing.Hashes() && t.Balancing.HashBound > 0 {
		unused("hash_bound", t.origins["hash_bound"], "it", hashing)
	}
	if t.Balancing.Weighs() {
		return
	}
	const weighing = "weighted_round_robin, least_connections, power_of_two, random or consistent_hash"
	if t.Balancing.SlowStart > 0 {
		unused("slow_start", t.origins["slow_start"], "it", weighing)
	}
	for i, b := range t.Backends {
		if b.Weight > 1 {
			unused("backends", t.origins["backends"].items[i], fmt.Sprintf("the weight of %s", b.URL), weighing)
		}
	}
}

// unusedByResilience finds what only has a meaning beside something else.
func (t *together) unusedByResilience() {
	if len(t.Retries.On) > 0 && t.Retries.Most == 0 {
		t.blame("retry_on", t.origins["retry_on"], "it with retries of 1 or more", "not used without retries (%s)", t.origins["retries"].Source)
	}
	if t.Bounds.Queue > 0 && !t.bounded() {
		t.blame("queue", t.origins["queue"], "it with max_in_flight or backend_max_in_flight", "nobody ever waits without a bound of the requests in flight")
	}
	if h := &t.Health; h.Ejection > h.EjectionMost {
		t.blame("health.ejection", t.origins["health.ejection"], "a duration up to that",
			"longer than health.ejection_most, which is %v (%s)", h.EjectionMost, t.origins["health.ejection_most"].Source)
	}
}

func (t *together) bounded() bool {
	return t.Bounds.InFlight > 0 || t.Bounds.BackendInFlight > 0 ||
		slices.ContainsFunc(t.Backends, func(b Backend) bool { return b.MaxInFlight > 0 })
}
