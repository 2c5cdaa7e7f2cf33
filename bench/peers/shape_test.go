package main

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestChooseKeepsTheOrderOfTheShapes(t *testing.T) {
	all, err := choose(keys())
	require.NoError(t, err)
	require.Equal(t, shapes, all)
	some, err := choose("close,500,close")
	require.NoError(t, err)
	require.Equal(t, []shape{shapes[1], shapes[2]}, some)
}

func TestChooseNamesWhatThereIs(t *testing.T) {
	for _, list := range []string{"", "500,63", "500,"} {
		_, err := choose(list)
		require.ErrorContains(t, err, "there are small,500,close,64KiB,1MiB", list)
	}
}

func TestShapeSaysHowToLoad(t *testing.T) {
	for key, want := range map[string]struct {
		wrk, hey []string
		said     string
	}{
		"small": {[]string{"http://proxy/"}, []string{"http://proxy/"}, "64 keep-alive connections, GET, 128 bytes of body"},
		"close": {[]string{"-H", "Connection: close", "http://proxy/"}, []string{"-disable-keepalive", "http://proxy/"},
			"a new connection for each request, 64 at a time, GET, 128 bytes of body"},
		"1MiB": {[]string{"http://proxy/bytes/1048576"}, []string{"http://proxy/bytes/1048576"},
			"16 keep-alive connections, GET, 1048576 bytes of body"},
	} {
		chosen, err := choose(key)
		require.NoError(t, err)
		require.Equal(t, want.wrk, chosen[0].args("wrk", "proxy"))
		require.Equal(t, want.hey, chosen[0].args("hey", "proxy"))
		require.Equal(t, want.said, chosen[0].String())
	}
}
