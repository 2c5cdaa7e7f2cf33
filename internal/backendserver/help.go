package backendserver

import (
	"fmt"
	"io"
	"runtime"
	"runtime/debug"
	"strings"

	"go-proxy/internal/config"
)

const program = "backend_server"

const usageHead = `backend_server is a sample backend: it echoes requests (as text, or as JSON for
Accept: application/json), answers /health, and can misbehave on demand.

usage: backend_server [flags]
       backend_server version

Settings, by flag or environment variable; a flag wins:

`

func writeUsage(w io.Writer) {
	io.WriteString(w, usageHead)
	config.WriteUsage(w, new(settings).table())
	fmt.Fprintf(w, "\n%s", labHelp())
}

// labHelp describes the fault lab, for -h and GET /faults.
func labHelp() string {
	var b strings.Builder
	b.WriteString("Fault lab, with BACKEND_FAULTS=on. Query parameters of a request to any path make\n" +
		"its answer misbehave; they can be combined:\n\n")
	writeParameters(&b, "  ", new(fault).parameters())
	b.WriteString("\n")
	for _, k := range kinds {
		writeEntry(&b, "  ", "fault="+k.name, k.help)
	}
	b.WriteString("\nControl plane:\n\n")
	for _, c := range commands() {
		fmt.Fprintf(&b, "  %s %s\n", c.method, c.path)
		fmt.Fprintf(&b, "      %s\n", c.help)
		writeParameters(&b, "      ", c.parameters)
	}
	return b.String()
}

// version is the program's name, version, and what it was built with and for.
func version() string {
	v := "(devel)"
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		v = info.Main.Version
	}
	return fmt.Sprintf("%s %s %s %s/%s", program, v, runtime.Version(), runtime.GOOS, runtime.GOARCH)
}
