package proxy

import (
	"context"
	"crypto/tls"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/http/httputil"
	"time"

	"go-proxy/internal/config"
	"go-proxy/internal/hop"
	"go-proxy/internal/netconn"
	"go-proxy/internal/pool"
)

// upstream forwards to one backend: its httputil.ReverseProxy, and the
// http.Transport under that.
type upstream struct {
	*httputil.ReverseProxy
	proxy     *Proxy
	backend   *pool.Backend
	prefix    string // of every target
	transport *http.Transport
	links     *links // shared with those that were replaced by this one
}

func newUpstream(p *Proxy, b *pool.Backend, s *settings, l *links) *upstream {
	u := &upstream{proxy: p, backend: b, prefix: b.URL.EscapedPath(), links: l}
	u.transport = newTransport(&dialer{b, p.dial, l, s.Timeouts}, s.Limits)
	u.ReverseProxy = &httputil.ReverseProxy{
		Rewrite:    u.rewrite,
		Transport:  u, // flushes what is held back; see progress
		BufferPool: buffers,
		ErrorLog:   log.New(io.Discard, "", 0), // what it knows, attempt.end says better
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, err error) {
			w.(*responseWriter).request.attempt.fail(err)
		},
	}
	return u
}

// newTransport ignores variables like HTTP_PROXY: backends are reached
// directly or not at all.
func newTransport(d *dialer, l config.Limits) *http.Transport {
	t := d.timeouts
	return &http.Transport{
		DialContext:            d.dial,
		DialTLSContext:         d.dialTLS,
		MaxIdleConnsPerHost:    l.IdleConns,
		IdleConnTimeout:        t.BackendIdle,
		ResponseHeaderTimeout:  t.ResponseHead,
		ExpectContinueTimeout:  t.ExpectContinue,
		MaxResponseHeaderBytes: l.ResponseHeaderBytes,
		DisableCompression:     true, // what the client did not ask for it may not understand
	}
}

// RoundTrip implements http.RoundTripper: http.Transport with the checks that
// it leaves out. A request that met a connection at its end goes again while
// it may (RFC 9110, 9.2.2); http.Transport by itself does so for methods
// without content.
func (u *upstream) RoundTrip(r *http.Request) (*http.Response, error) {
	a := r.Context().Value(attemptKey{}).(*attempt)
	a.watch(httptrace.ContextClientTrace(r.Context()))
	defer a.request.out.expectHead()
	response, err := u.transport.RoundTrip(r)
	for err != nil && a.mayRepeat(r, err) {
		again := r.WithContext(r.Context())
		if r.Body != nil {
			if again.Body, err = r.GetBody(); err != nil {
				return nil, err
			}
		}
		response, err = u.transport.RoundTrip(again)
	}
	if err != nil {
		return nil, err
	}
	if err := a.decide(r, response); err != nil {
		response.Body.Close()
		return nil, err
	}
	return response, nil
}

// decide says why a response is not passed on, or nil.
func (a *attempt) decide(r *http.Request, response *http.Response) error {
	if !a.inTime() {
		return context.Cause(a.Context)
	}
	if err := a.accept(r, response); err != nil {
		return err
	}
	a.status = response.StatusCode
	if a.prefersAnother(response) {
		return errPassedOver
	}
	return nil
}

// mayRepeat ends with the first fresh connection at the latest.
func (a *attempt) mayRepeat(r *http.Request, err error) bool {
	return a.stale(a.classify(err)) && hop.MayRepeat(r.Method, hop.Progress{Sent: true, Silent: true, Kept: a.request.isKept()})
}

// answerGrace is how long an answer that came before the end of a request may
// take from the socket to http.Transport's reader.
const answerGrace = 20 * time.Millisecond

// dialer connects to a backend so that failures know their cause. Its methods
// are given an address by http.Transport: the backend knows better.
type dialer struct {
	backend  *pool.Backend
	connect  Dial
	links    *links
	timeouts config.Timeouts
}

func (d *dialer) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, d.timeouts.Dial)
	defer cancel()
	inner, err := d.connect(ctx, d.backend)
	if err != nil {
		return nil, &hop.Failure{Cause: hop.DialCause(err), Err: err}
	}
	conn := netconn.New(inner, d.timeouts.WriteStall, d.links.remove)
	conn.ReadFirst(answerGrace)
	d.links.add(conn)
	return conn, nil
}

func (d *dialer) dialTLS(ctx context.Context, network, addr string) (net.Conn, error) {
	inner, err := d.dial(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	conn := tls.Client(inner, &tls.Config{ServerName: d.backend.URL.Hostname()})
	ctx, cancel := context.WithTimeout(ctx, d.timeouts.TLSHandshake)
	defer cancel()
	if err := conn.HandshakeContext(ctx); err != nil {
		inner.Close()
		return nil, &hop.Failure{Cause: hop.TLSFailed, Err: err}
	}
	return conn, nil
}
