// Command reverse_proxy spreads HTTP requests over backends.
package main

import (
	"os"

	"go-proxy/internal/app"
)

func main() {
	os.Exit(app.Main(os.Args[1:], os.Getenv, os.Stdout, os.Stderr))
}
