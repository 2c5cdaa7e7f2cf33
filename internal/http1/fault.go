package http1

// fault is what is wrong with bytes from the wire, for the log; "" is nothing.
type fault string

// The faults.
const (
	badRequestLine   fault = "malformed request line"
	badVersion       fault = "version that is not HTTP/1"
	badStatusLine    fault = "malformed status line"
	badFieldLine     fault = "field line without a colon"
	badName          fault = "field name that is no token"
	badValue         fault = "control character in a field value"
	tooManyLines     fault = "too many field lines"
	badHost          fault = "not exactly one valid Host"
	badLength        fault = "Content-Length that is no length"
	twoLengths       fault = "two different lengths"
	badCoding        fault = "Transfer-Encoding that is not chunked alone"
	codingInHTTP10   fault = "Transfer-Encoding in HTTP/1.0"
	badChunkSize     fault = "malformed chunk size"
	badChunkEnd      fault = "chunk longer or shorter than its size"
	costlyExtensions fault = "more chunk extensions than content"
	badTrailers      fault = "bare LF in the trailer section"
	longTrailers     fault = "trailer section too large"
	longHead         fault = "head too large"
	badSwitch        fault = "switch to a protocol that was not offered"
	manyInterim      fault = "too many 1xx responses"
	notQuiet         fault = "something has come over an unused connection"
)

func (f fault) Error() string { return string(f) }
