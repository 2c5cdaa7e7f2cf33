package backendserver

import (
	"io"
	"net/http"
	"strings"
)

const textType = "text/plain; charset=utf-8"

// answer is a response before it is sent; the fault lab changes it, or how
// it is sent.
type answer struct {
	status int
	fields http.Header
	body   io.Reader
	length int64
}

func newAnswer(status int, contentType, body string) answer {
	return answer{
		status: status,
		fields: http.Header{"Content-Type": {contentType}},
		body:   strings.NewReader(body),
		length: int64(len(body)),
	}
}

func textAnswer(status int, text string) answer {
	return newAnswer(status, textType, text)
}

// hasContent tells whether the answer may have a body at all (RFC 9110,
// 9.3.2, 15.3.5, 15.3.6 and 15.4.5).
func (a answer) hasContent(method string) bool {
	switch a.status {
	case http.StatusNoContent, http.StatusResetContent, http.StatusNotModified:
		return false
	}
	return method != http.MethodHead
}
