package http1

import "syscall"

const (
	spliceMove     = 1    // SPLICE_F_MOVE (Linux, linux/splice.h)
	spliceNonblock = 2    // SPLICE_F_NONBLOCK
	setPipeSize    = 1031 // F_SETPIPE_SZ (linux/fcntl.h)
)

// newPipe returns a pipe, or nil if there cannot be one. It is smaller than
// asked for where the system has set a limit, which costs only time.
func newPipe() *pipe {
	var ends [2]int
	if syscall.Pipe2(ends[:], syscall.O_CLOEXEC|syscall.O_NONBLOCK) != nil {
		return nil
	}
	_, _, _ = syscall.Syscall(syscall.SYS_FCNTL, uintptr(ends[1]), setPipeSize, pipeSize)
	return &pipe{r: ends[0], w: ends[1]}
}

func (p *pipe) close() {
	syscall.Close(p.r)
	syscall.Close(p.w)
}

// fill takes up to most bytes from a socket; none where the system cannot.
func (p *pipe) fill(fd uintptr, most int) (int, error) {
	n, err := splice(int(fd), p.w, most)
	switch p.held += n; err {
	case syscall.EINVAL, syscall.ENOSYS, syscall.EPERM: // in a sandbox
		err = nil
	}
	return n, err
}

// empty gives what is held to a socket, as far as that takes it.
func (p *pipe) empty(fd uintptr) (int, error) {
	n, err := splice(p.r, int(fd), p.held)
	p.held -= n
	return n, err
}

func splice(from, to, most int) (int, error) {
	for {
		n, err := syscall.Splice(from, nil, to, nil, most, spliceMove|spliceNonblock)
		switch err {
		case nil:
			return int(n), nil
		case syscall.EINTR:
		default:
			return 0, err
		}
	}
}
