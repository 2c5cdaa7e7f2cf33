//go:build !linux

package server

import "net"

var listenConfig net.ListenConfig
