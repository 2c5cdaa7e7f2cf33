package app

// ballastSize is how much garbage is let lie, roughly.
const ballastSize = 16 << 20

// ballast returns memory that nobody touches, so that none is taken for it. The
// collector counts it as in use, and so lets as much garbage come together
// again before it runs. Without it a process as small as this one collects
// every 4 MiB, which is hundreds of times a second under load.
//
// A GOGC raised for that would multiply a large heap, too, and a memory limit
// to bound that makes the collector run without end once live memory has
// outgrown it, which with tunnels enough any limit will be. This adds the same
// at every size. An operator who sets one of them decides alone.
func ballast(getenv func(string) string) []byte {
	if getenv("GOGC") != "" || getenv("GOMEMLIMIT") != "" {
		return nil
	}
	return make([]byte, ballastSize)
}
