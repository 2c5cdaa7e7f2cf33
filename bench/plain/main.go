// Command plain is the plainest proxy that one can write: httputil's, as it
// comes, on the default Transport. It is a row of the comparison.
//
//	plain ADDRESS BACKEND-URL
package main

import (
	"fmt"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
)

func main() {
	backend, err := url.Parse(os.Args[2])
	if err == nil {
		err = http.ListenAndServe(os.Args[1], httputil.NewSingleHostReverseProxy(backend))
	}
	fmt.Fprintln(os.Stderr, "plain:", err)
	os.Exit(1)
}
