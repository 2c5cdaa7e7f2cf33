package http1

import (
	"fmt"
	"runtime/debug"
)

// caught logs what recover returned, if that is a panic, and reports whether it
// is: one exchange must not take the others with it.
func (p *Plane) caught(fault any) bool {
	if fault == nil {
		return false
	}
	p.log.Error("panic in an exchange", "error", fmt.Sprint(fault), "stack", string(debug.Stack()))
	return true
}
