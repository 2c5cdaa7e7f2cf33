package proxy_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"go-proxy/internal/config"
	"go-proxy/internal/hop"
	"go-proxy/internal/testkit"
)

// The system's certificates are, for these tests, the one of httptest; and
// there is an HTTP proxy, which nobody may use.
func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		panic(err)
	}
	s := httptest.NewTLSServer(nil)
	roots := filepath.Join(dir, "roots.pem")
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})
	s.Close()
	if err := os.WriteFile(roots, text, 0o600); err != nil {
		panic(err)
	}
	os.Setenv("SSL_CERT_FILE", roots)
	os.Setenv("SSL_CERT_DIR", dir)
	os.Setenv("HTTP_PROXY", "http://127.0.0.1:1") // so that a name that is none would not be asked for
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
}

// tlsBackend is an httptest server, by default with a certificate that is
// trusted.
func tlsBackend(t *testing.T, handler http.HandlerFunc, certificates ...tls.Certificate) string {
	s := httptest.NewUnstartedServer(handler)
	s.Config.ErrorLog = discard
	s.TLS = &tls.Config{Certificates: certificates}
	s.StartTLS()
	t.Cleanup(s.Close)
	return s.URL
}

// stranger is a certificate that nobody has vouched for.
func stranger(t *testing.T) tls.Certificate {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	raw, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	require.NoError(t, err)
	return tls.Certificate{Certificate: [][]byte{raw}, PrivateKey: key}
}

func TestBackendMaySpeakTLS(t *testing.T) {
	r := newRig(t, []string{tlsBackend(t, func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, r.TLS != nil, r.Header["X-Forwarded-Proto"])
	})})
	response, body := r.get("/")
	require.Equal(t, 200, response.StatusCode)
	require.Equal(t, "true [http]", body, "the latter is how the client came")
	r.nobodyBlamed()
}

func TestIdempotentRequestSurvivesAStaleConnectionUnderTLS(t *testing.T) {
	var received atomic.Int64
	r := newRig(t, []string{tlsBackend(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if received.Add(1) == 2 {
			conn, _, _ := http.NewResponseController(w).Hijack()
			conn.(*tls.Conn).NetConn().Close()
			return
		}
		w.Write(body)
	})})
	for _, attempts := range []int{1, 2} {
		response, body := r.do(httptest.NewRequest("PUT", r.url("/"), strings.NewReader("body")))
		require.Equal(t, 200, response.StatusCode)
		require.Equal(t, "body", body)
		require.Len(t, r.record().Attempts, attempts)
	}
	r.nobodyBlamed()
}

func TestConnectionWhoseHandshakeFailsIsClosed(t *testing.T) {
	ended := make(chan error, 1)
	r := newRig(t, []string{"https://" + testkit.Script(t, func(p *testkit.Peer) {
		p.Send("HTTP/1.1 400 Bad Request\r\n\r\n")
		_, err := p.Rest()
		ended <- err
	})})
	r.get("/")
	require.NotErrorIs(t, <-ended, os.ErrDeadlineExceeded)
}

// A server that closes TLS properly says so first; that is no answer.
func TestIdempotentRequestSurvivesAStaleConnectionUnderTLSWithCloseNotify(t *testing.T) {
	var received atomic.Int64
	r := newRig(t, []string{tlsBackend(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if received.Add(1) == 2 {
			panic(http.ErrAbortHandler)
		}
		w.Write(body)
	})})
	for _, attempts := range []int{1, 2} {
		response, body := r.do(httptest.NewRequest("PUT", r.url("/"), strings.NewReader("body")))
		require.Equal(t, 200, response.StatusCode)
		require.Equal(t, "body", body)
		require.Len(t, r.record().Attempts, attempts)
	}
	r.nobodyBlamed()
}

func TestPostOnAStaleTLSConnectionIsNotBlamed(t *testing.T) {
	var received atomic.Int64
	r := newRig(t, []string{tlsBackend(t, func(w http.ResponseWriter, r *http.Request) {
		io.ReadAll(r.Body)
		if received.Add(1) == 2 {
			panic(http.ErrAbortHandler)
		}
	})})
	r.do(httptest.NewRequest("POST", r.url("/"), strings.NewReader("body")))
	r.record()
	r.do(httptest.NewRequest("POST", r.url("/"), strings.NewReader("body")))
	require.EqualValues(t, 2, received.Load())
	r.failed(hop.ResetBeforeResponse, 502, false)
}

func TestTLSBackendThatDiesDuringAPausedUploadIsNoticed(t *testing.T) {
	r := newRig(t, []string{tlsBackend(t, func(w http.ResponseWriter, r *http.Request) {
		io.ReadFull(r.Body, make([]byte, 4))
		conn, _, _ := http.NewResponseController(w).Hijack()
		conn.Close()
	})}, func(c *config.Config) { c.Timeouts.ClientBody = time.Hour })
	got := r.raw("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nhalf")
	require.True(t, strings.HasPrefix(got, "HTTP/1.1 502 "), got)
	r.failed(hop.ResetBeforeResponse, 502, true)
}
