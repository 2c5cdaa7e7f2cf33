// Command profiled is reverse_proxy with a CPU profile of its whole run, left
// in the folder that CPU_PROFILES names. `make pgo` uses it.
package main

import (
	"fmt"
	"os"
	"runtime/pprof"

	"go-proxy/internal/app"
)

func main() { os.Exit(run()) }

func run() int {
	f, err := os.CreateTemp(os.Getenv("CPU_PROFILES"), "*.pprof")
	if err == nil {
		defer f.Close()
		err = pprof.StartCPUProfile(f)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "profiled:", err)
		return 1
	}
	defer pprof.StopCPUProfile()
	return app.Main(os.Args[1:], os.Getenv, os.Stdout, os.Stderr)
}
