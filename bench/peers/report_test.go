package main

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// measured is a row that two rounds were measured of.
func measured(name string, first, second time.Duration) *row {
	return &row{peer: peer{name: name}, cpu: []time.Duration{first, second}, rate: []float64{100, 100}}
}

func TestShapeHasASectionOfItsOwn(t *testing.T) {
	page := filepath.Join(t.TempDir(), "page")
	require.NoError(t, os.WriteFile(page, []byte("<!-- peers -->\nold\n<!-- /peers -->\n"), 0o666))
	b := bench{options: options{page: page}, shape: shapes[1], tool: "hey", rows: []*row{
		measured("nginx", 10*time.Microsecond, 20*time.Microsecond), measured(self, 20*time.Microsecond, 40*time.Microsecond)}}
	require.NoError(t, b.report())
	text, err := os.ReadFile(page)
	require.NoError(t, err)
	require.Contains(t, string(text), "<!-- peers -->\nold\n<!-- /peers -->\n\n<!-- peers 500 -->\n## Beside others: 500 connections\n")
	require.Contains(t, string(text), "- Load: hey, 500 keep-alive connections, GET, 128 bytes of body,")
	require.Contains(t, string(text), "| go-proxy | 30.0           | 2.00 (2.00-2.00) |")
}

func TestReportFailsWithARequest(t *testing.T) {
	b := bench{options: options{page: filepath.Join(t.TempDir(), "page")}, shape: shapes[1], tool: "hey", rows: []*row{measured(self, 1, 1)}}
	b.rows[0].errors = 2
	require.EqualError(t, b.report(), "go-proxy: 2 requests failed")
	require.FileExists(t, b.page)
}
