package socket

import "errors"

// Raw says that sockets are not read and written but through net.Conn.
const Raw = false

// Read is not there.
func Read(uintptr, []byte) (int, error) { return 0, errors.ErrUnsupported }

// ReadMuch is not there.
func ReadMuch(uintptr, []byte) (int, error) { return 0, errors.ErrUnsupported }

// Write is not there.
func Write(uintptr, []byte) (int, error) { return 0, errors.ErrUnsupported }

// Quiet is not there.
func Quiet(uintptr) bool { return false }
