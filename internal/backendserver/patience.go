package backendserver

import (
	"io"
	"net/http"
	"time"
)

// stall is how long a client may send nothing of a body, or take nothing of
// an answer. It counts from the last progress, so that a slow transfer lives
// as long as it moves. Progress of an answer shows with each Write, of 32 KiB
// at most.
const stall = 60 * time.Second

// patientReader reads a request's body. Where the server cannot set a
// deadline (a test's recorder), there is no connection that could stall.
type patientReader struct {
	io.Reader
	rc *http.ResponseController
}

func (p patientReader) Read(b []byte) (int, error) {
	p.rc.SetReadDeadline(time.Now().Add(stall))
	return p.Reader.Read(b)
}

// patientWriter writes an answer.
type patientWriter struct {
	http.ResponseWriter
	rc *http.ResponseController
}

func newPatientWriter(w http.ResponseWriter) *patientWriter {
	p := &patientWriter{w, http.NewResponseController(w)}
	p.extend() // for a 100 Continue: the deadline of the request before may be over
	return p
}

func (p *patientWriter) extend() { p.rc.SetWriteDeadline(time.Now().Add(stall)) }

func (p *patientWriter) WriteHeader(status int) {
	p.extend()
	p.ResponseWriter.WriteHeader(status)
}

func (p *patientWriter) Write(b []byte) (int, error) {
	p.extend()
	return p.ResponseWriter.Write(b)
}

// Unwrap lets http.ResponseController reach the connection.
func (p *patientWriter) Unwrap() http.ResponseWriter { return p.ResponseWriter }
