package app

import (
	"errors"
	"fmt"
	"io"
	"runtime"
	"runtime/debug"
	"strings"

	"go-proxy/internal/config"
)

// program is what a command has to do with.
type program struct {
	getenv         func(string) string
	stdout, stderr io.Writer
}

// command is something else to do than to serve.
type command struct {
	name, args, help string
	run              func(p program, args []string) (code int)
}

func commands() []command {
	return []command{
		{"check", "[-live] [flags]", "say whether the configuration is valid; -live also tries every backend", program.check},
		{"config", "[flags]", "print the values in force, each with where it came from", program.config},
		{"schema", "", "print the JSON Schema of the file, for editors", program.schema},
		{"version", "", "say what was built", program.version},
	}
}

// configure reads the configuration. If it is wrong, or help was asked for, the
// program is to end with the code.
func (p program) configure(args []string, more ...config.Setting) (c *config.Config, origins map[string]config.Origin, code int, ok bool) {
	c, origins, err := config.Effective(args, p.getenv, more...)
	if errors.Is(err, config.ErrHelp) {
		return nil, nil, p.print(help()), false
	}
	if err != nil {
		fmt.Fprintln(p.stderr, err)
		return nil, nil, exitUsage, false
	}
	return c, origins, exitOK, true
}

// print is the end of a command that has nothing to do but to say something.
func (p program) print(text string) (code int) {
	if _, err := io.WriteString(p.stdout, text); err != nil {
		fmt.Fprintln(p.stderr, err)
		return exitFailed
	}
	return exitOK
}

// bare refuses arguments for a command that takes none, or prints its text.
func (p program) bare(args []string, text string) (code int) {
	if _, err := config.Load(nil, args, p.getenv); errors.Is(err, config.ErrHelp) {
		return p.print(help())
	} else if err != nil {
		fmt.Fprintln(p.stderr, err)
		return exitUsage
	}
	return p.print(text)
}

func (p program) schema(args []string) (code int) {
	return p.bare(args, config.JSONSchema(new(config.Config).Settings()))
}

func (p program) version(args []string) (code int) { return p.bare(args, version()+"\n") }

func (p program) config(args []string) (code int) {
	c, origins, code, ok := p.configure(args)
	if !ok {
		return code
	}
	return p.print(config.EffectiveText(c.Settings(), origins))
}

func (p program) check(args []string) (code int) {
	live := false
	c, _, code, ok := p.configure(args, config.Setting{Key: "live", Type: config.Option(&live), NotInFile: true})
	if !ok {
		return code
	}
	if code := p.print("the configuration is valid\n"); code != exitOK || !live {
		return code
	}
	return p.checkLive(c)
}

func version() string {
	v := "(unknown)"
	if info, ok := debug.ReadBuildInfo(); ok {
		v = info.Main.Version
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				v += " " + s.Value
			}
		}
	}
	return fmt.Sprintf("reverse_proxy %s %s %s/%s", v, runtime.Version(), runtime.GOOS, runtime.GOARCH)
}

func help() string {
	var b strings.Builder
	b.WriteString("reverse_proxy spreads HTTP requests over backends.\n\nUsage:\n")
	usage := func(what, does string) { fmt.Fprintf(&b, "  reverse_proxy %-21s %s\n", what, does) }
	usage("[flags]", "serve")
	for _, c := range commands() {
		usage(c.name+" "+c.args, c.help)
	}
	b.WriteString(`
Every setting is a flag, an environment variable and a key of the file (JSON,
with comments): the flag wins, then the variable, then the file, then the
default. Problems are reported all at once (exit code 2).

`)
	config.WriteUsage(&b, new(config.Config).Settings())
	return b.String()
}
