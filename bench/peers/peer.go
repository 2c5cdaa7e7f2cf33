package main

import (
	"embed"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"text/template"

	"go-proxy/bench/lab"
)

// The configurations of the peers.
//
//go:embed nginx.conf haproxy.cfg Caddyfile
var configs embed.FS

// peer is one row: a program in front of the backends.
type peer struct {
	name    string
	path    string
	config  string // file among configs; "" if arguments or environment do
	args    func(s site) []string
	env     func(s site) []string
	version []string // arguments that print it; nil if it is ours, or another row says it
	variant bool     // the reference with other settings of Go
}

// site is what a peer is told: where to listen, whom to forward to, where to
// leave what it writes.
type site struct {
	Addr     string
	Backends []string
	Dir      string
	Config   string // path of its configuration
}

func (s site) urls() string { return "http://" + strings.Join(s.Backends, ",http://") }

// others are the peers that are installed.
func others() (installed []peer, missing []string) {
	all := []peer{
		{name: "nginx", path: "nginx", config: "nginx.conf", version: []string{"-v"},
			args: func(s site) []string { return []string{"-c", s.Config, "-p", s.Dir, "-e", s.Dir + "/nginx-error.log"} }},
		{name: "HAProxy", path: "haproxy", config: "haproxy.cfg", version: []string{"-v"},
			args: func(s site) []string { return []string{"-db", "-f", s.Config} }},
		{name: "Caddy", path: "caddy", config: "Caddyfile", version: []string{"version"},
			args: func(s site) []string { return []string{"run", "--adapter", "caddyfile", "--config", s.Config} },
			env: func(s site) []string {
				return []string{"HOME=" + s.Dir, "XDG_CONFIG_HOME=" + s.Dir, "XDG_DATA_HOME=" + s.Dir}
			}},
	}
	for _, p := range all {
		if _, err := exec.LookPath(p.path); err != nil {
			missing = append(missing, p.name)
			continue
		}
		installed = append(installed, p)
	}
	return installed, missing
}

// ours is the proxy of this tree, with its defaults and what env says. It keeps
// 1024 connections of each backend (limits.idle_conns), more than any shape has.
func ours(name, binary string, env ...string) peer {
	return peer{name: name, path: binary, env: func(s site) []string {
		return append([]string{"PROXY_LISTEN_ADDR=" + s.Addr, "TARGET_BACKEND_URLS=" + s.urls()}, env...)
	}}
}

// onReference has ours forward with net/http.
const onReference = "PROXY_PLANE=nethttp"

// variant is the reference with other settings of Go. GOGC in the environment
// leaves the ballast out.
func variant(name, binary string, env ...string) peer {
	p := ours(name, binary, append(env, onReference)...)
	p.variant = true
	return p
}

// program is how to run the peer at the site.
func (p peer) program(s site) (lab.Program, error) {
	program := lab.Program{Name: p.name, Path: p.path, Core: lab.ProxyCore, Addr: s.Addr}
	if p.config != "" {
		s.Config = filepath.Join(s.Dir, p.config)
		if err := writeConfig(s, p.config); err != nil {
			return program, err
		}
	}
	if p.args != nil {
		program.Args = p.args(s)
	}
	if p.env != nil {
		program.Env = p.env(s)
	}
	return program, nil
}

func writeConfig(s site, name string) error {
	t, err := template.ParseFS(configs, name)
	if err != nil {
		return err
	}
	f, err := os.Create(s.Config)
	if err != nil {
		return err
	}
	defer f.Close()
	return t.Execute(f, s)
}
