package stack

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/moby/moby/api/pkg/stdcopy"
	apicontainer "github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"
	"github.com/stretchr/testify/require"
	"github.com/testcontainers/testcontainers-go"
)

// Ended is what a program that has ended leaves.
type Ended struct {
	Code           int
	Stdout, Stderr string
}

// RunProgram runs one of the two programs with the environment and arguments
// until it ends by itself.
func RunProgram(t testing.TB, mode Mode, program string, env map[string]string, args ...string) Ended {
	t.Helper()
	return RunProgramWith(t, mode, nil, program, env, args...)
}

// RunProgramWith is RunProgram in a folder with the files.
func RunProgramWith(t testing.TB, mode Mode, files Files, program string, env map[string]string, args ...string) Ended {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), Patience)
	defer cancel()
	switch mode {
	case Binaries:
		return runBinary(ctx, t, files, program, env, args)
	case Containers:
		return runContainer(ctx, t, files, program, env, args)
	}
	t.Fatalf("%s has no program of its own", mode)
	return Ended{}
}

func runBinary(ctx context.Context, t testing.TB, files Files, program string, env map[string]string, args []string) Ended {
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, filepath.Join(binDir(t), program), args...)
	cmd.Dir = files.folder(t)
	cmd.Env = []string{raceOptions}
	for name, value := range env {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	cmd.SysProcAttr = dieWithParent()
	err := cmd.Run()
	require.NoError(t, ctx.Err(), "%s did not end", program)
	if _, exited := errors.AsType[*exec.ExitError](err); !exited {
		require.NoError(t, err)
	}
	return Ended{cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()}
}

func runContainer(ctx context.Context, t testing.TB, files Files, program string, env map[string]string, args []string) Ended {
	engine, err := docker()
	require.NoError(t, err)
	image, err := images[program]()
	require.NoError(t, err)
	making.RLock()
	c, err := testcontainers.Run(ctx, image,
		testcontainers.WithEnv(env), testcontainers.WithLabels(labels(os.Getpid())), testcontainers.WithCmd(args...), testcontainers.WithFiles(files.inContainer()...),
		testcontainers.WithHostConfigModifier(func(c *apicontainer.HostConfig) { c.NetworkMode = "none" })) // that takes no time to make
	making.RUnlock()
	testcontainers.CleanupContainer(t, c, testcontainers.StopTimeout(0))
	require.NoError(t, err)
	code := (&container{DockerContainer: c, t: t, name: program}).wait()
	logs, err := engine.ContainerLogs(ctx, c.GetContainerID(), client.ContainerLogsOptions{ShowStdout: true, ShowStderr: true})
	require.NoError(t, err)
	defer logs.Close()
	var stdout, stderr bytes.Buffer
	_, err = stdcopy.StdCopy(&stdout, &stderr, logs)
	require.NoError(t, err)
	return Ended{code, stdout.String(), stderr.String()}
}
