package proxy

import (
	"io"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"go-proxy/internal/hop"
)

// bodyOf is a body with what net/http would be asked about it.
func bodyOf(text string) (b *requestBody, deadlines *[]time.Time) {
	deadlines = new([]time.Time)
	return &requestBody{
		source: strings.NewReader(text), timeout: time.Minute, keepMax: 4,
		deadline: func(t time.Time) error {
			*deadlines = append(*deadlines, t)
			return nil
		},
	}, deadlines
}

func TestBodyThatIsNotKeptWholeIsNotSentAgain(t *testing.T) {
	for text, kept := range map[string]bool{"four": true, "fives": false} {
		b, _ := bodyOf(text)
		_, err := io.ReadAll(b.reader())
		require.NoError(t, err)
		again, err := b.again()
		if !kept {
			require.Same(t, errNotKept, err)
			continue
		}
		require.NoError(t, err)
		got, err := io.ReadAll(again)
		require.NoError(t, err)
		require.Equal(t, text, string(got))
	}
}

func TestBodyThatWasInterruptedIsNotSentAgain(t *testing.T) {
	b, _ := bodyOf("body")
	b.interrupt()
	_, err := b.again()
	require.Same(t, errNotKept, err)
}

func TestReadThatComesJustBehindAnInterruptionIsInterrupted(t *testing.T) {
	b, deadlines := bodyOf("body")
	b.interrupt()
	b.reader().Read(make([]byte, 1))
	require.True(t, (*deadlines)[len(*deadlines)-1].Before(time.Now()))
}

// A read deadline would be met by the client's next request.
func TestBodyThatHasComeWholeIsNotInterrupted(t *testing.T) {
	b, deadlines := bodyOf("body")
	_, err := io.ReadAll(b.reader())
	require.NoError(t, err)
	before := len(*deadlines)
	b.interrupt()
	require.Len(t, *deadlines, before)
}

func TestNobodyReadsOnWhenTheExchangeHasEnded(t *testing.T) {
	b, deadlines := bodyOf("body")
	require.False(t, b.end(), "it has not come whole")
	_, err := b.reader().Read(make([]byte, 1))
	require.Same(t, errEnded, err)
	require.Empty(t, *deadlines)
}

func TestBodyThatIsTooLargeStaysSo(t *testing.T) {
	b, _ := bodyOf("body")
	b.limit = 1
	r := b.reader()
	for range 2 {
		n, err := r.Read(make([]byte, 2))
		require.Zero(t, n)
		require.Error(t, err)
	}
	require.Equal(t, hop.BodyTooLarge, b.failure())
}
