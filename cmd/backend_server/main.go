// Command backend_server is a sample backend: it echoes requests, answers
// /health, and can misbehave on demand.
package main

import (
	"os"

	"go-proxy/internal/backendserver"
)

func main() {
	os.Exit(backendserver.Main(os.Args[1:], os.Getenv, os.Stdout, os.Stderr))
}
