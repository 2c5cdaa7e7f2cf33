package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// client sends the proxy a request a second and says what came back.
type client struct {
	url  string
	out  *output
	http http.Client
}

func newClient(url string, out *output) *client {
	return &client{
		url: url,
		out: out,
		http: http.Client{
			Transport: new(http.Transport), // the default one would heed HTTP_PROXY
			Timeout:   5 * time.Second,
		},
	}
}

func (c *client) run(ctx context.Context) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		answer, err := c.get(ctx)
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			answer = err.Error()
		}
		c.out.say("client", answer)
	}
}

// get tells in a line who answered and how.
func (c *client) get(ctx context.Context) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.url, nil)
	if err != nil {
		return "", err
	}
	begin := time.Now()
	resp, err := c.http.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()

	body := bufio.NewReader(io.LimitReader(resp.Body, 1<<20))
	line, _ := body.ReadString('\n')
	if _, err := io.Copy(io.Discard, body); err != nil {
		return "", fmt.Errorf("%s, then: %w", resp.Status, err)
	}
	from := "backend " + resp.Header.Get("X-Backend")
	if from == "backend " {
		cause := strings.TrimPrefix(line, resp.Status+": ")
		from = fmt.Sprintf("the proxy itself (%.80s)", strings.TrimSpace(cause))
	}
	return fmt.Sprintf("%s from %s in %v", resp.Status, from, time.Since(begin).Round(time.Microsecond)), nil
}
