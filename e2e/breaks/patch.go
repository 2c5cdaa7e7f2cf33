package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// patch breaks one promise. Its file begins with lines of "# key: value":
// once the promise, a quote from the README's table in e2e; once the modes
// that the suite runs in, like E2E_MODES; the plane, if it is not the default;
// and each test that turns red.
type patch struct {
	name    string
	file    string // absolute; "" for a patch that changes nothing
	promise string
	modes   string
	plane   string
	red     []string
}

// load reads all patches of the folder.
func load(folder string) ([]patch, error) {
	files, err := filepath.Glob(filepath.Join(folder, "*.patch"))
	if err != nil {
		return nil, err
	}
	patches := make([]patch, len(files))
	for i, file := range files {
		if patches[i], err = read(file); err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
	}
	return patches, nil
}

func read(file string) (patch, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return patch{}, err
	}
	p := patch{name: strings.TrimSuffix(filepath.Base(file), ".patch"), plane: "http1"}
	if p.file, err = filepath.Abs(file); err != nil {
		return patch{}, err
	}
	for line := range strings.Lines(string(text)) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
		switch key {
		case "# promise":
			p.promise = value
		case "# modes":
			p.modes = value
		case "# plane":
			p.plane = value
		case "# red":
			p.red = append(p.red, value)
		}
		if !strings.HasPrefix(line, "# ") {
			break
		}
	}
	slices.Sort(p.red)
	if p.promise == "" || p.modes == "" || len(p.red) == 0 {
		return patch{}, fmt.Errorf("lacks a promise, modes or a red test")
	}
	return p, nil
}

// apply applies the patch to the tree, or only looks whether it could. Git
// finds a hunk whose lines have moved.
func (p patch) apply(tree string, options ...string) error {
	cmd := exec.Command("git", append(append([]string{"apply"}, options...), p.file)...)
	cmd.Dir = tree
	cmd.Env = append(os.Environ(), "GIT_CEILING_DIRECTORIES="+filepath.Dir(tree)) // a copy is no repository
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("does not apply: %w\n%s", err, out)
	}
	return nil
}
