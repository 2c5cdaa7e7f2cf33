package stack

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/moby/moby/client"
	"github.com/testcontainers/testcontainers-go"
	tclog "github.com/testcontainers/testcontainers-go/log"
)

// ErrNoDocker says why containers cannot be run.
var ErrNoDocker = errors.New("e2e: the container mode needs a Docker engine, and none answers")

// docker is the engine, asked once.
var docker = sync.OnceValues(func() (*client.Client, error) {
	engine, err := client.New(client.FromEnv)
	if err != nil {
		return nil, fmt.Errorf("%w (%v)", ErrNoDocker, err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if _, err := engine.Ping(ctx, client.PingOptions{}); err != nil {
		return nil, fmt.Errorf("%w (%v)", ErrNoDocker, err)
	}
	return engine, nil
})

// Prepare looks what the engine can do, and sets up testcontainers
// accordingly, before its first use.
func Prepare() error {
	engine, err := docker()
	if err != nil {
		return err
	}
	tclog.SetDefault(quiet{})
	if !hasReaper(engine) {
		_ = os.Setenv("TESTCONTAINERS_RYUK_DISABLED", "true")
	}
	if isLocal(engine) {
		// Published ports are on this host, whatever a /.dockerenv says.
		_ = os.Setenv("TESTCONTAINERS_HOST_OVERRIDE", "127.0.0.1")
	}
	return sweep(engine)
}

type quiet struct{}

func (quiet) Printf(string, ...any) {}

// reaper is the image that testcontainers would run.
//
//lint:ignore SA1019 there is no other way to ask which one this version wants
var reaper = testcontainers.ReaperDefaultImage

// hasReaper reports whether the image of testcontainers' reaper is there, or
// can be had quickly. Without it, what a crash leaves is swept by Prepare.
func hasReaper(engine *client.Client) bool {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if _, err := engine.ImageInspect(ctx, reaper); err == nil {
		return true
	}
	pull, err := engine.ImagePull(ctx, reaper, client.ImagePullOptions{})
	if err != nil {
		return false
	}
	defer pull.Close()
	if _, err := io.Copy(io.Discard, pull); err != nil {
		return false
	}
	_, err = engine.ImageInspect(ctx, reaper)
	return err == nil
}

// isLocal reports whether the engine's bridge is an interface of this host.
func isLocal(engine *client.Client) bool {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	bridge, err := engine.NetworkInspect(ctx, "bridge", client.NetworkInspectOptions{})
	if err != nil || len(bridge.Network.IPAM.Config) == 0 {
		return false
	}
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return false
	}
	for _, addr := range addrs {
		if ip, _, err := net.ParseCIDR(addr.String()); err == nil && ip.String() == bridge.Network.IPAM.Config[0].Gateway.String() {
			return true
		}
	}
	return false
}

// label marks all that the suite makes, with the process that made it.
const label = "go-proxy.e2e"

// sweep removes what runs that crashed have left.
func sweep(engine *client.Client) error {
	return remove(engine, func(pid string) bool { return !alive(pid) })
}

// making is held for reading while something is made in the engine.
var making sync.RWMutex

// RemoveOwn removes what this process has made, when it ends before its time.
// From then on nothing can be made.
func RemoveOwn() {
	making.Lock()
	if engine, err := docker(); err == nil {
		_ = remove(engine, func(pid string) bool { return pid == fmt.Sprint(os.Getpid()) })
	}
}

// remove removes containers and networks by the process that made them.
func remove(engine *client.Client, unwanted func(pid string) bool) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	ours := make(client.Filters).Add("label", label)
	containers, err := engine.ContainerList(ctx, client.ContainerListOptions{All: true, Filters: ours})
	if err != nil {
		return fmt.Errorf("e2e: list containers: %w", err)
	}
	for _, c := range containers.Items {
		if unwanted(c.Labels[label]) {
			_, _ = engine.ContainerRemove(ctx, c.ID, client.ContainerRemoveOptions{Force: true})
		}
	}
	networks, err := engine.NetworkList(ctx, client.NetworkListOptions{Filters: ours})
	if err != nil {
		return fmt.Errorf("e2e: list networks: %w", err)
	}
	for _, n := range networks.Items {
		if unwanted(n.Labels[label]) {
			_, _ = engine.NetworkRemove(ctx, n.ID, client.NetworkRemoveOptions{})
		}
	}
	return nil
}

// alive reports whether the process that a label names is still there.
func alive(pid string) bool {
	_, err := os.Stat(filepath.Join("/proc", pid))
	return pid != "" && err == nil
}

// Finish removes what the stacks have shared. What it cannot remove Leaks names.
func Finish() {
	if !enabled()[Containers] {
		return
	}
	removeSpares()
	if nw, err := sharedNetwork(); err == nil {
		_ = nw.Remove(context.Background())
	}
}

// Made is what a process has made in the engine and not removed.
func Made(pid int) ([]string, error) {
	engine, err := docker()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), Patience)
	defer cancel()
	ours := make(client.Filters).Add("label", fmt.Sprintf("%s=%d", label, pid))
	containers, err := engine.ContainerList(ctx, client.ContainerListOptions{All: true, Filters: ours})
	if err != nil {
		return nil, fmt.Errorf("e2e: list containers: %w", err)
	}
	networks, err := engine.NetworkList(ctx, client.NetworkListOptions{Filters: ours})
	if err != nil {
		return nil, fmt.Errorf("e2e: list networks: %w", err)
	}
	var left []string
	for _, c := range containers.Items {
		left = append(left, "container "+c.Names[0])
	}
	for _, n := range networks.Items {
		left = append(left, "network "+n.Name)
	}
	return left, nil
}
