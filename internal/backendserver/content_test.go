package backendserver

import (
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"
)

func TestContentIsTheSameHoweverItIsRead(t *testing.T) {
	for _, size := range []int64{0, 1, 60, 61, 62, int64(len(block)) - 1, int64(len(block)) + 1, 200_000} {
		want := strings.Repeat(line, int(size)/len(line)+1)[:size]
		require.NoError(t, iotest.TestReader(Content(size), []byte(want)))
		got, err := io.ReadAll(iotest.OneByteReader(Content(size)))
		require.NoError(t, err)
		require.Equal(t, want, string(got))
	}
}
