package http1

import "errors"

// rawIO says that sockets are read and written through net.Conn.
const rawIO = false

func readFD(uintptr, []byte) (int, error)  { return 0, errors.ErrUnsupported }
func writeFD(uintptr, []byte) (int, error) { return 0, errors.ErrUnsupported }

func peekNothing(uintptr) bool { return false }
