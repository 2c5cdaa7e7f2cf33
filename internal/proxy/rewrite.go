package proxy

import (
	"net/http"
	"net/http/httputil"
	"strings"

	"go-proxy/internal/exchange"
	"go-proxy/internal/hop"
)

// rewrite makes the request what the backend is to see. httputil has taken the
// hop-by-hop fields out before, so a client cannot nominate ours.
func (u *upstream) rewrite(pr *httputil.ProxyRequest) {
	u.retarget(pr.In, pr.Out)
	pr.Out.Host = "" // the backend's own, from the URL
	delete(pr.Out.Header, exchange.ExplainField)
	setForwarded(u.proxy.settings.Load().Trusted, pr.In, pr.Out.Header)
	if len(pr.In.Header["Upgrade"]) > 0 {
		restrictUpgrade(pr.In, pr.Out.Header)
	}
	// httputil sends a copy that was made before the trailers came.
	pr.Out.Trailer = pr.In.Trailer
}

// retarget keeps path and query byte for byte. net/url would re-encode some
// bytes of a path and httputil drops parameters that it cannot parse, so the
// target goes through URL.Opaque, which is sent as it is.
func (u *upstream) retarget(in, out *http.Request) {
	out.URL.Scheme, out.URL.Host = u.backend.URL.Scheme, u.backend.URL.Host
	target, _ := hop.Target(in.Method, in.RequestURI)
	if u.prefix != "" || target == "" || target[0] == '?' {
		target = string(hop.AppendTarget(nil, in.Method, u.prefix, target))
	}
	if strings.HasPrefix(target, "//") {
		// As Opaque this would become an authority. Path and RawPath say the
		// same but for bytes that no URI may hold: those are escaped.
		out.URL.Path, out.URL.RawPath = in.URL.Path, in.URL.RawPath
		out.URL.RawQuery, out.URL.ForceQuery = in.URL.RawQuery, in.URL.ForceQuery
		return
	}
	out.URL.Opaque = target
	out.URL.Path, out.URL.RawPath, out.URL.RawQuery, out.URL.ForceQuery = "", "", "", false
}

// restrictUpgrade keeps out of Upgrade what may not cross this hop.
func restrictUpgrade(in *http.Request, out http.Header) {
	if protocols := upgradeTo(in); protocols != "" {
		out["Upgrade"] = []string{protocols}
		return
	}
	delete(out, "Upgrade")
	delete(out, "Connection")
	delete(out, "Http2-Settings")
}

// setForwarded says who the client is, whatever a stranger said before.
func setForwarded(trusted hop.Trusted, in *http.Request, out http.Header) {
	client := hop.HostOf(in.RemoteAddr)
	forwarded := [3]string{client, in.Host, "http"}
	if in.TLS != nil {
		forwarded[2] = "https"
	}
	if trusted.Contains(client) {
		believe(in.Header, &forwarded)
	} else {
		for name := range out {
			if hop.IsForwarding(name) {
				delete(out, name)
			}
		}
	}
	out["X-Forwarded-For"] = forwarded[0:1:1]
	if forwarded[1] != "" { // HTTP/1.0 need not say it
		out["X-Forwarded-Host"] = forwarded[1:2:2]
	}
	out["X-Forwarded-Proto"] = forwarded[2:3:3]
}

// believe extends what a trusted proxy said, unless it told us in Connection
// to ignore it.
func believe(in http.Header, forwarded *[3]string) {
	said := func(name string) string {
		for _, v := range in["Connection"] {
			if hop.HasName(v, name) {
				return ""
			}
		}
		return strings.Join(in[name], ", ")
	}
	if earlier := said("X-Forwarded-For"); earlier != "" {
		forwarded[0] = string(hop.AppendForwardedFor(nil, earlier, forwarded[0]))
	}
	if host := said("X-Forwarded-Host"); host != "" {
		forwarded[1] = host
	}
	if proto := said("X-Forwarded-Proto"); proto != "" {
		forwarded[2] = proto
	}
}
