// Command breaks tests the tests: each patch beside it breaks one promise of
// the README, and must turn exactly the tests that it names red. The tree is
// copied for that and never touched.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

func main() {
	only := flag.String("only", "", "the patches to try, by name and comma separated; all of them if empty")
	atATime := flag.Int("at-a-time", 5, "patches tried side by side; a suite mostly waits")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *only, *atATime); err != nil {
		fmt.Fprintln(os.Stderr, "breaks:", err)
		os.Exit(1)
	}
}

// run tries the breaks, and before them the tree as it is: what is red by
// itself would show nothing.
func run(ctx context.Context, only string, atATime int) error {
	breaks, err := load(filepath.Join("e2e", "breaks"))
	if err != nil {
		return err
	}
	if breaks, err = chosen(breaks, only); err != nil {
		return err
	}
	begin, wrong := time.Now(), 0
	for _, group := range [][]patch{unbroken(breaks), breaks} {
		wrong += tryAll(ctx, group, atATime)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if wrong > 0 && group[0].file == "" {
			return fmt.Errorf("the tree is red before anything is broken")
		}
	}
	fmt.Printf("breaks: %d tried in %s\n", len(breaks), time.Since(begin).Round(time.Second))
	if wrong > 0 {
		return fmt.Errorf("%d of %d did not turn exactly their tests red", wrong, len(breaks))
	}
	return nil
}

func chosen(breaks []patch, only string) ([]patch, error) {
	if only == "" {
		return breaks, nil
	}
	var some []patch
	for name := range strings.SplitSeq(only, ",") {
		i := slices.IndexFunc(breaks, func(p patch) bool { return p.name == name })
		if i < 0 {
			return nil, fmt.Errorf("there is no break named %q", name)
		}
		some = append(some, breaks[i])
	}
	return some, nil
}

// unbroken is a patch without changes for each mode and plane that the breaks
// have.
func unbroken(breaks []patch) []patch {
	var all []patch
	for _, p := range breaks {
		if !slices.ContainsFunc(all, func(q patch) bool { return q.modes == p.modes && q.plane == p.plane }) {
			all = append(all, patch{name: "(nothing broken)", modes: p.modes, plane: p.plane})
		}
	}
	return all
}

// tryAll prints a row for each patch as soon as it is known, and returns how
// many were not as they should be.
func tryAll(ctx context.Context, patches []patch, atATime int) (wrong int) {
	var mu sync.Mutex
	var all sync.WaitGroup
	turns := make(chan struct{}, atATime)
	for _, p := range patches {
		turns <- struct{}{}
		all.Go(func() {
			defer func() { <-turns }()
			begin := time.Now()
			red, err := p.try(ctx)
			mu.Lock()
			defer mu.Unlock()
			if !report(p, red, err, time.Since(begin)) {
				wrong++
			}
		})
	}
	all.Wait()
	return wrong
}

// report prints a row, and whether all is as it should be.
func report(p patch, red []string, err error, took time.Duration) bool {
	differences := compare(p.red, red)
	verdict := "ok"
	if err != nil || len(differences) > 0 {
		verdict = "WRONG"
	}
	fmt.Printf("%-5s  %-32s  %-9s  %-7s  %3d red  %3.0fs\n", verdict, p.name, p.modes, p.plane, len(red), took.Seconds())
	for _, d := range differences {
		fmt.Println("       " + d)
	}
	if err != nil {
		fmt.Println("       " + strings.ReplaceAll(err.Error(), "\n", "\n       "))
	}
	return verdict == "ok"
}

// compare says which tests are red and should not be, or the other way round.
func compare(want, got []string) (differences []string) {
	for _, name := range want {
		if !slices.Contains(got, name) {
			differences = append(differences, "stays green: "+name)
		}
	}
	for _, name := range got {
		if !slices.Contains(want, name) {
			differences = append(differences, "also red:    "+name)
		}
	}
	return differences
}
