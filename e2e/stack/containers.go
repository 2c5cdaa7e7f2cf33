package stack

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/moby/moby/api/pkg/stdcopy"
	apicontainer "github.com/moby/moby/api/types/container"
	apinetwork "github.com/moby/moby/api/types/network"
	"github.com/moby/moby/client"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/testcontainers/testcontainers-go"
	"github.com/testcontainers/testcontainers-go/network"
)

// containerHost runs each program in a container, on a network of the suite.
type containerHost struct {
	t       testing.TB
	engine  *client.Client
	network *testcontainers.DockerNetwork
	onePort bool   // for all backends
	files   string // folder of the proxy's file, on this host; "": none

	mu   sync.Mutex
	made []*container
}

func newContainerHost(t testing.TB) host {
	engine, err := docker()
	require.NoError(t, err)
	nw, err := sharedNetwork()
	require.NoError(t, err)
	require.True(t, inUse.CompareAndSwap(false, true), "there is one stack of containers at a time: its names are taken")
	h := &containerHost{t: t, engine: engine, network: nw}
	t.Cleanup(h.remove)
	return h
}

// sharedNetwork is made once, for that takes its time. A stack has it for itself,
// but for spares: there is one at a time.
var sharedNetwork = sync.OnceValues(func() (*testcontainers.DockerNetwork, error) {
	making.RLock()
	defer making.RUnlock()
	return network.New(context.Background(), network.WithLabels(labels(os.Getpid())))
})

// inUse tells whether a stack has the network and the names on it.
var inUse atomic.Bool

// remove ends all that the host has, but for backends that the next stack can
// have. It must be gone when that uses the same names.
func (h *containerHost) remove() {
	defer inUse.Store(false)
	var all sync.WaitGroup
	for _, c := range h.made {
		if c.reusable() {
			spares.Store(c.peerAddr(), c)
			continue
		}
		all.Go(func() {
			if assert.NoError(h.t, c.Terminate(context.Background(), testcontainers.StopTimeout(0))) {
				c.awaitOutput()
			}
		})
	}
	all.Wait()
}

// spares are running backends by address. To make and remove a container takes
// the engine half a second of a core, and a backend is not what is on trial: it
// is used again if nothing has happened to it that it cannot be told to forget.
var spares sync.Map

// removeSpares ends them: when they are not needed any more, or their names are
// to be others'.
func removeSpares() {
	spares.Range(func(addr, c any) bool {
		spares.Delete(addr)
		_ = c.(*container).Terminate(context.Background(), testcontainers.StopTimeout(0)) // Leaks names it
		return true
	})
}

// onOnePort is for backends that have one name and port together.
func (h *containerHost) onOnePort() {
	h.onePort = true
	removeSpares() // which have that name, too
}

func labels(pid int) map[string]string { return map[string]string{label: fmt.Sprint(pid)} }

// LeaveBehind makes a network as one that the process pid has left.
func LeaveBehind(t testing.TB, pid int) {
	t.Helper()
	nw, err := network.New(context.Background(), network.WithLabels(labels(pid)))
	require.NoError(t, err)
	t.Cleanup(func() { _ = nw.Remove(context.Background()) }) // it should be gone
}

// image builds the image of a program once, from the Dockerfile that users
// get; nothing is pulled.
var images = map[string]func() (string, error){
	"reverse_proxy":  sync.OnceValues(func() (string, error) { return buildImage("reverse_proxy") }),
	"backend_server": sync.OnceValues(func() (string, error) { return buildImage("backend_server") }),
}

func buildImage(program string) (string, error) {
	dir, err := Static()
	if err != nil {
		return "", err
	}
	// The Dockerfile copies from bin/, so that is what its context looks like.
	contextDir, err := os.MkdirTemp("", "go-proxy-image-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(contextDir)
	dockerfile, err := os.ReadFile(filepath.Join("..", "Dockerfile"))
	if err != nil {
		return "", err
	}
	binary, err := os.ReadFile(filepath.Join(dir, program))
	if err != nil {
		return "", err
	}
	for name, content := range map[string][]byte{"Dockerfile": dockerfile, "bin/" + program: binary} {
		path := filepath.Join(contextDir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return "", err
		}
		if err := os.WriteFile(path, content, 0o755); err != nil {
			return "", err
		}
	}
	provider, err := testcontainers.NewDockerProvider()
	if err != nil {
		return "", err
	}
	defer provider.Close()
	return provider.BuildImage(context.Background(), &testcontainers.ContainerRequest{FromDockerfile: testcontainers.FromDockerfile{
		Context: contextDir, Repo: "go-proxy-e2e", Tag: program, KeepImage: true,
		BuildArgs: map[string]*string{"PROGRAM": &program},
	}})
}

// everyBackend is a name that all backends of a stack have besides their own.
const everyBackend = "backends"

func (h *containerHost) backend(name string, n int) instance {
	port := fmt.Sprint(8081 + n)
	if h.onePort {
		port = "8081"
	}
	if spare, found := spares.LoadAndDelete(name + ":" + port); found {
		c := spare.(*container)
		c.t, c.host, c.spare = h.t, h, true
		h.keep(c)
		return c
	}
	return h.container("backend_server", name, port, map[string]string{
		"BACKEND_LISTEN_ADDR": ":" + port, "BACKEND_FAULTS": "on"})
}

// filesAt is where a proxy's container has the folder with its file. What is
// mounted is the folder, as with Kubernetes: a file could not be replaced.
const filesAt = "/etc/reverse_proxy"

func (h *containerHost) file(text string) (seen, here string) {
	h.files = Files{proxyJSON: text}.folder(h.t)
	return filesAt + "/" + proxyJSON, filepath.Join(h.files, proxyJSON)
}

func (h *containerHost) proxy(env map[string]string) instance {
	env["PROXY_LISTEN_ADDR"] = ":9000"
	return h.container("reverse_proxy", "proxy", "9000", env)
}

func (h *containerHost) container(program, name, port string, env map[string]string) instance {
	image, err := images[program]()
	require.NoError(h.t, err)
	c := &container{t: h.t, host: h, name: name, port: port}
	making.RLock()
	c.DockerContainer, err = testcontainers.Run(context.Background(), image,
		testcontainers.WithEnv(env), testcontainers.WithLabels(labels(os.Getpid())), testcontainers.WithExposedPorts(port+"/tcp"),
		testcontainers.WithHostConfigModifier(h.mount),
		network.WithNetwork(c.names(), h.network),
		testcontainers.WithNoStart())
	making.RUnlock()
	require.NoError(h.t, err)
	h.keep(c)
	return c
}

// keep has the container end with the stack.
func (h *containerHost) keep(c *container) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.made = append(h.made, c)
}

func (h *containerHost) mount(c *apicontainer.HostConfig) {
	if h.files != "" {
		c.Binds = append(c.Binds, h.files+":"+filesAt+":ro")
	}
}

// container is a program in its container.
type container struct {
	*testcontainers.DockerContainer
	outputs
	t          testing.TB
	host       *containerHost
	name, port string
	started    bool
	spare      bool          // from an earlier stack, and not yet started by this one
	touched    bool          // signalled, paused or disconnected
	followed   chan struct{} // closed when nothing more can come from the program
}

func (c *container) names() []string {
	if c.name == "proxy" {
		return []string{c.name}
	}
	return []string{c.name, everyBackend}
}

// start attaches first, so that not a byte of the output is missed. The log that
// testcontainers can follow is asked for anew every few seconds, and what is
// written meanwhile is lost.
func (c *container) start() {
	if c.spare {
		c.spare = false
		for _, order := range []string{"/faults/health?state=up", "/faults/requests"} {
			require.NoError(c.t, post(c.addr(), order))
		}
		return
	}
	id := c.GetContainerID()
	output, err := c.host.engine.ContainerAttach(context.Background(), id, client.ContainerAttachOptions{Stream: true, Stdout: true, Stderr: true})
	require.NoError(c.t, err)
	followed := make(chan struct{})
	c.followed = followed
	go func() {
		defer close(followed)
		defer output.Close()
		_, _ = stdcopy.StdCopy(&c.out, &c.err, output.Reader) // until the program ends
	}()
	if c.started {
		_, err = c.host.engine.ContainerStart(context.Background(), id, client.ContainerStartOptions{})
	} else {
		err = c.Start(context.Background())
	}
	if err != nil {
		output.Close() // nothing will come
	}
	require.NoError(c.t, err)
	c.started = true
}

// reusable reports whether another stack may have the container.
func (c *container) reusable() bool {
	return c.name != "proxy" && c.started && !c.touched && !c.host.onePort && !c.t.Failed()
}

// awaitOutput waits for the last of the output of a program that has ended.
func (c *container) awaitOutput() {
	if c.followed == nil {
		return // it never started
	}
	select {
	case <-c.followed:
	case <-time.After(Patience):
		assert.Fail(c.t, "there is no end of the output of "+c.name)
	}
}

// addr is the published port. It may be another one after a start.
func (c *container) addr() string {
	port, err := c.MappedPort(context.Background(), c.port+"/tcp")
	require.NoError(c.t, err)
	return "127.0.0.1:" + fmt.Sprint(port.Num())
}

func (c *container) peerAddr() string { return c.name + ":" + c.port }

func (c *container) signal(s syscall.Signal) {
	c.touched = true
	_, err := c.host.engine.ContainerKill(context.Background(), c.GetContainerID(),
		client.ContainerKillOptions{Signal: map[syscall.Signal]string{syscall.SIGTERM: "TERM", syscall.SIGINT: "INT", syscall.SIGKILL: "KILL", syscall.SIGHUP: "HUP"}[s]})
	require.NoError(c.t, err)
}

func (c *container) wait() int {
	engine, err := docker()
	require.NoError(c.t, err)
	ctx, cancel := context.WithTimeout(context.Background(), Patience)
	defer cancel()
	waited := engine.ContainerWait(ctx, c.GetContainerID(), client.ContainerWaitOptions{Condition: apicontainer.WaitConditionNotRunning})
	var ended apicontainer.WaitResponse
	select {
	case ended = <-waited.Result:
	case err = <-waited.Error:
	}
	require.NoError(c.t, err, "%s is still running", c.name)
	c.awaitOutput()
	return int(ended.StatusCode)
}

func (c *container) pause() {
	c.touched = true
	_, err := c.host.engine.ContainerPause(context.Background(), c.GetContainerID(), client.ContainerPauseOptions{})
	require.NoError(c.t, err)
}

func (c *container) resume() {
	_, err := c.host.engine.ContainerUnpause(context.Background(), c.GetContainerID(), client.ContainerUnpauseOptions{})
	require.NoError(c.t, err)
}

func (c *container) disconnect() {
	c.touched = true
	_, err := c.host.engine.NetworkDisconnect(context.Background(), c.host.network.ID,
		client.NetworkDisconnectOptions{Container: c.GetContainerID(), Force: true})
	require.NoError(c.t, err)
}

func (c *container) connect() {
	_, err := c.host.engine.NetworkConnect(context.Background(), c.host.network.ID, client.NetworkConnectOptions{
		Container: c.GetContainerID(), EndpointConfig: &apinetwork.EndpointSettings{Aliases: c.names()}})
	require.NoError(c.t, err)
}

func (c *container) pid() int {
	state, err := c.State(context.Background())
	require.NoError(c.t, err)
	return state.Pid
}
