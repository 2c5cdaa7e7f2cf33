package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// Of what a break makes wait for ever, each wait takes its patience, and all
// of them the limit.
const (
	patience = 5 * time.Second
	limit    = 5 * time.Minute
)

// try runs the suite over a copy of the tree with the patch, and returns the
// tests that are red.
func (p patch) try(ctx context.Context) (red []string, err error) {
	tree, err := os.MkdirTemp("", "go-proxy-break-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(tree)
	if err := copyTree(tree); err != nil {
		return nil, err
	}
	if p.file != "" {
		if err := p.apply(tree); err != nil {
			return nil, err
		}
	}
	return suite(ctx, tree, p.modes, p.plane)
}

// copyTree copies the tree as it is now, with what is not committed yet.
func copyTree(to string) error {
	return filepath.WalkDir(".", func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && (path == ".git" || path == "bin" || path == ".cache"):
			return filepath.SkipDir
		case entry.IsDir():
			return os.MkdirAll(filepath.Join(to, path), 0o755)
		case !entry.Type().IsRegular():
			return nil
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(to, path), content, info.Mode())
	})
}

// suite runs e2e in the tree. Without the race detector: a break is not a race,
// and this is quicker by half. With -trimpath a package that is not broken is
// built once for all copies.
func suite(ctx context.Context, tree, modes, plane string) (red []string, err error) {
	cmd := exec.CommandContext(ctx, "go", "test", "-json", "-count=1", "-trimpath", "-vet=off", "-timeout="+limit.String(), "./e2e")
	cmd.Dir = tree
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "E2E_RACE=off", "GOFLAGS=-trimpath",
		"E2E_MODES="+modes, "E2E_PLANES="+plane, "E2E_PATIENCE="+patience.String())
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGINT) }
	cmd.WaitDelay = 10 * time.Second
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if _, failed := errors.AsType[*exec.ExitError](err); err != nil && !failed {
		return nil, err
	}
	return judge(out, stderr.String())
}

// event is a line of go test -json; see go doc test2json.
type event struct{ Action, Test, Output string }

// judge finds the tests that failed. A suite that did not get to its end, or
// never began, is an error: what it did not run might be red.
func judge(out []byte, stderr string) (red []string, err error) {
	ran := false
	var said strings.Builder
	for decoder := json.NewDecoder(bytes.NewReader(out)); decoder.More(); {
		var e event
		if err := decoder.Decode(&e); err != nil {
			return nil, fmt.Errorf("go test -json: %w", err)
		}
		ran = ran || e.Test != ""
		if e.Test == "" || strings.HasPrefix(e.Output, "panic: ") {
			said.WriteString(e.Output)
		}
		if e.Action == "fail" && e.Test != "" && !strings.Contains(e.Test, "/") {
			red = append(red, e.Test)
		}
	}
	slices.Sort(red)
	if !ran || strings.Contains(said.String(), "panic: ") {
		return red, fmt.Errorf("the suite did not come to its end:\n%s%s", stderr, said.String())
	}
	return red, nil
}
