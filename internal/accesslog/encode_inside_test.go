package accesslog

import (
	"math/rand/v2"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// They are quicker ways to what package time and strconv write.
func TestTimesAreWrittenAsTheStandardLibraryWould(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		zone := time.FixedZone("", (random.IntN(27)-12)*1800)
		at := time.Unix(random.Int64N(1<<37), random.Int64N(1e9)).In(zone)
		require.Equal(t, at.Format("-2006-01-02T15:04:05.000Z07:00"), string(appendTime([]byte("-"), at)))
		d := time.Duration(random.Int64N(1 << random.IntN(50)))
		require.Equal(t, "-"+strconv.FormatFloat(float64(d.Microseconds())/1000, 'f', 3, 64), string(appendMillis([]byte("-"), d)))
	}
	require.Equal(t, "0.000", string(appendMillis(nil, -time.Second)), "a clock that goes back")
}
