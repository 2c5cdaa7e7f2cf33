package backendserver

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
)

// echo is a request as it was received. The text shows every byte as it came;
// JSON cannot hold what is not UTF-8 and has U+FFFD there.
type echo struct {
	Method        string      `json:"method"`
	Target        string      `json:"target"` // never decoded nor cleaned, nor are path and query
	Path          string      `json:"path"`
	Query         string      `json:"query"`
	Protocol      string      `json:"protocol"`
	Host          string      `json:"host"`
	RemoteAddress string      `json:"remote_address"`
	ContentLength int64       `json:"content_length"` // -1: not announced
	Body          received    `json:"body"`
	Headers       http.Header `json:"headers"`
	Trailers      http.Header `json:"trailers,omitempty"`
	Backend       Identity    `json:"backend"`
}

func newEcho(r *http.Request, content received, id Identity) echo {
	path, query, _ := strings.Cut(r.RequestURI, "?")
	return echo{
		Method: r.Method, Target: r.RequestURI, Path: path, Query: query, Protocol: r.Proto,
		Host: r.Host, RemoteAddress: r.RemoteAddr,
		ContentLength: r.ContentLength, Body: content,
		Headers: r.Header, Trailers: r.Trailer, Backend: id,
	}
}

func (e echo) answer(r *http.Request) answer {
	a := textAnswer(http.StatusOK, e.text())
	if acceptsJSON(r.Header) {
		a = newAnswer(http.StatusOK, "application/json", e.json())
	}
	a.fields.Set("Vary", "Accept")
	return a
}

func (e echo) json() string {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false) // an & in a query stays readable
	encoder.SetIndent("", "  ")
	encoder.Encode(e) // strings and numbers into memory: cannot fail
	return b.String()
}

func (e echo) text() string {
	length := strconv.FormatInt(e.ContentLength, 10)
	if e.ContentLength < 0 {
		length = "not announced"
	}
	rows := []row{
		{"method", e.Method}, {"target", e.Target}, {"path", e.Path}, {"query", e.Query},
		{"protocol", e.Protocol}, {"host", e.Host}, {"remote address", e.RemoteAddress},
		{"content length", length}, {"body received", fmt.Sprintf("%d bytes", e.Body.Bytes)}, {"body sha256", e.Body.SHA256},
	}
	served := []row{{"hostname", e.Backend.Hostname}, {"listening on", e.Backend.Listen}, {"reporting as", e.Backend.Name}}
	return sections(
		section{"request", rows}, section{"headers", fieldRows(e.Headers)},
		section{"trailers", fieldRows(e.Trailers)}, section{"served by", served})
}
