package resolve_test

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"go-proxy/internal/config"
	"go-proxy/internal/pool"
	"go-proxy/internal/resolve"
)

func TestNamesAreResolvedBeforeUpdateReturnsAndThenOnATimer(t *testing.T) {
	bubble(t, "one", "http://a:8080,http://b,http://a:8081,http://192.0.2.9,http://[2001:db8::9]", map[string]string{"a": "192.0.2.1", "b": "192.0.2.2"}, func(r *rig) {
		require.Equal(t, []string{"0s a", "0s b"}, r.takeAsked(), "each name once, an address never")
		r.until(2*interval - 1)
		require.Equal(t, []string{"30s a", "30s b"}, r.takeAsked())
		r.until(2 * interval)
		require.Equal(t, []string{"1m0s a", "1m0s b"}, r.takeAsked())
		require.False(t, r.changed(), "the same again")
	})
}

func TestWithOneANameIsOneBackend(t *testing.T) {
	const backends = "http://a:8080/x,http://192.0.2.9"
	bubble(t, "one", backends, map[string]string{"a": "192.0.2.1 192.0.2.2"}, func(r *rig) {
		require.Equal(t, "http://a:8080/x http://192.0.2.9", r.urls("one", backends))
	})
}

func TestWithAllEveryAddressOfANameIsABackend(t *testing.T) {
	const backends = "https://a/x,http://192.0.2.9:81,http://b:8080,http://c"
	bubble(t, "all", backends, map[string]string{"a": "192.0.2.2 2001:db8::1 192.0.2.1 ::ffff:192.0.2.2", "b": "192.0.2.1"}, func(r *rig) {
		require.Equal(t, "https://a/x#192.0.2.1 https://a/x#192.0.2.2 https://a/x#2001:db8::1 http://192.0.2.9:81 http://b:8080#192.0.2.1",
			r.urls("all", backends), "each once, in order, whatever the name server's; none of a name that is not known")
	})
}

func TestAddressesComeAndGo(t *testing.T) {
	bubble(t, "all", "http://a", map[string]string{"a": "192.0.2.1 192.0.2.2"}, func(r *rig) {
		r.answer("a", "192.0.2.2 192.0.2.1")
		r.until(interval)
		require.False(t, r.changed(), "another order is no change")
		r.answer("a", "192.0.2.3 192.0.2.2 192.0.2.1")
		r.until(2 * interval)
		require.True(t, r.changed())
		require.Empty(t, r.TakeChanged(), "none is lost")
		require.Equal(t, "http://a#192.0.2.1 http://a#192.0.2.2 http://a#192.0.2.3", r.urls("all", "http://a"))
		r.answer("a", "192.0.2.3")
		r.until(3 * interval)
		require.True(t, r.changed())
		require.Equal(t, []string{"a"}, r.TakeChanged())
		require.Empty(t, r.TakeChanged())
		require.Equal(t, "http://a#192.0.2.3", r.urls("all", "http://a"))
	})
}

func TestAFailingResolverKeepsTheLastGoodAnswer(t *testing.T) {
	bubble(t, "all", "http://a", map[string]string{"a": "192.0.2.1"}, func(r *rig) {
		r.answer("a", "")
		r.until(10 * interval)
		r.answer("a", " ") // no error, and no address
		r.until(11 * interval)
		require.False(t, r.changed())
		require.Equal(t, "http://a#192.0.2.1", r.urls("all", "http://a"))
		tried, err := r.dial("http://a")
		require.NoError(t, err)
		require.Equal(t, []string{"192.0.2.1:80"}, tried)
		require.Equal(t, 1, strings.Count(r.log.String(), `level=WARN msg="name cannot be resolved; its last addresses stay in use" name=a addresses=1 error="server misbehaving"`), "said once")
		r.answer("a", "192.0.2.2")
		r.until(12 * interval)
		require.True(t, r.changed())
		require.Equal(t, "http://a#192.0.2.2", r.urls("all", "http://a"))
	})
}

func TestANameServerThatHangsDelaysAnUpdateByTheDialTimeout(t *testing.T) {
	bubble(t, "all", "http://192.0.2.9", map[string]string{"a": "192.0.2.1"}, func(r *rig) {
		r.takes = time.Hour
		r.Update(r.t.Context(), r.config("all", "http://a,http://b"))
		require.Equal(t, timeout, time.Since(r.start), "side by side")
		require.Empty(t, r.urls("all", "http://a,http://b"))
		ctx, cancel := context.WithCancel(r.t.Context())
		time.AfterFunc(time.Second, cancel)
		r.Update(ctx, r.config("all", "http://c"))
		require.Equal(t, timeout+time.Second, time.Since(r.start), "or until it is not wanted any more")
	})
}

func TestAnUpdateAsksForNewNamesOnly(t *testing.T) {
	bubble(t, "one", "http://a,http://b", map[string]string{"a": "192.0.2.1", "b": "192.0.2.2", "c": "192.0.2.3"}, func(r *rig) {
		r.takeAsked()
		r.until(time.Second)
		r.Update(r.t.Context(), r.config("one", "http://c,http://a"))
		require.Equal(t, []string{"1s c"}, r.takeAsked())
		r.until(interval)
		require.Equal(t, []string{"30s a", "30s c"}, r.takeAsked(), "and no more for those that are gone")
		require.False(t, r.changed(), "whoever made the update knows")
	})
}

// A request that was on its way to a backend when that was removed is still to
// connect.
func TestANameThatIsGoneIsKnownWhileItsBackendsDrain(t *testing.T) {
	bubble(t, "one", "http://a", map[string]string{"a": "192.0.2.1"}, func(r *rig) {
		other := r.config("one", "http://192.0.2.9")
		r.Update(r.t.Context(), other)
		r.takeAsked()
		r.until(other.Shutdown + other.Timeouts.Dial - 1)
		r.Update(r.t.Context(), other)
		tried, err := r.dial("http://a")
		require.NoError(t, err)
		require.Equal(t, []string{"192.0.2.1:80"}, tried)
		r.refuse("192")
		_, err = r.dial("http://a")
		require.Error(t, err)
		require.Empty(t, r.takeAsked(), "but nobody asks for it")
		r.until(other.Shutdown + other.Timeouts.Dial)
		r.Update(r.t.Context(), other)
		_, err = r.dial("http://a")
		require.EqualError(t, err, "dial tcp: lookup a: not a backend's name any more")
	})
}

func TestANameThatComesBackIsAskedForAgain(t *testing.T) {
	bubble(t, "all", "http://a", map[string]string{"a": "192.0.2.1"}, func(r *rig) {
		r.Update(r.t.Context(), r.config("all", "http://192.0.2.9"))
		r.answer("a", "192.0.2.2")
		r.takeAsked()
		r.until(time.Second)
		r.Update(r.t.Context(), r.config("all", "http://a"))
		require.Equal(t, []string{"1s a"}, r.takeAsked())
		require.Equal(t, "http://a#192.0.2.2", r.urls("all", "http://a"))
		r.until(interval)
		require.Equal(t, []string{"30s a"}, r.takeAsked())
	})
}

func TestTheIntervalMayChange(t *testing.T) {
	bubble(t, "one", "http://a", map[string]string{"a": "192.0.2.1"}, func(r *rig) {
		r.takeAsked()
		r.until(20 * time.Second)
		c := r.config("one", "http://a")
		c.Resolve.Interval = 15 * time.Second
		r.Update(r.t.Context(), c)
		require.Equal(t, []string{"20s a"}, r.takeAsked(), "overdue already")
		r.until(35 * time.Second)
		require.Equal(t, []string{"35s a"}, r.takeAsked())
	})
}

func TestAnAnswerForANameThatIsGoneIsIgnored(t *testing.T) {
	bubble(t, "all", "http://a", map[string]string{"a": "192.0.2.1"}, func(r *rig) {
		r.mu.Lock()
		r.takes = time.Second
		r.mu.Unlock()
		r.answer("a", "192.0.2.2")
		r.until(interval) // the lookup is under way
		r.Update(r.t.Context(), r.config("all", "http://192.0.2.9"))
		r.until(2 * interval)
		require.False(t, r.changed())
	})
}

func TestAnAnswerIsBounded(t *testing.T) {
	var many strings.Builder
	for i := range 1000 {
		fmt.Fprintf(&many, "10.0.%d.%d ", i/250, i%250)
	}
	bubble(t, "all", "http://a", map[string]string{"a": many.String()}, func(r *rig) {
		require.Equal(t, 256, strings.Count(r.urls("all", "http://a"), "http://a#10."))
		require.Contains(t, r.log.String(), `level=WARN msg="name has more addresses than are used" name=a addresses=1000 used=256`)
	})
}

func TestDialsTryTheAddressesInOrderAndRememberTheOneThatWorked(t *testing.T) {
	bubble(t, "one", "http://a:8080", map[string]string{"a": "2001:db8::1 192.0.2.2 192.0.2.1"}, func(r *rig) {
		r.refuse("[2001")
		tried, err := r.dial("http://a:8080")
		require.NoError(t, err)
		require.Equal(t, []string{"[2001:db8::1]:8080", "192.0.2.2:8080"}, tried)
		tried, _ = r.dial("http://a:8080")
		require.Equal(t, []string{"192.0.2.2:8080"}, tried)
		r.until(interval)
		tried, _ = r.dial("http://a:8080")
		require.Equal(t, []string{"192.0.2.2:8080"}, tried, "the same answer again changes nothing")
		r.refuse("1 [")
		tried, err = r.dial("http://a:8080")
		require.Equal(t, []string{"192.0.2.2:8080", "[2001:db8::1]:8080", "192.0.2.1:8080"}, tried)
		require.EqualError(t, err, "dial tcp: refused 192.0.2.2:8080", "the first one tells")
	})
}

func TestDialsToOneAddressOfANameTryNoOther(t *testing.T) {
	bubble(t, "all", "http://a:8080", map[string]string{"a": "192.0.2.1 192.0.2.2"}, func(r *rig) {
		r.refuse("192")
		tried, err := r.dial("http://a:8080#192.0.2.2")
		require.Error(t, err)
		require.Equal(t, []string{"192.0.2.2:8080"}, tried)
	})
}

func TestAFailedDialAsksForTheNameAgain(t *testing.T) {
	for mode, backend := range map[string]string{"one": "http://a", "all": "http://a#192.0.2.1"} {
		bubble(t, mode, "http://a,http://b", map[string]string{"a": "192.0.2.1", "b": "192.0.2.9"}, func(r *rig) {
			r.takeAsked()
			r.answer("a", "192.0.2.2")
			r.refuse("192")
			r.until(999 * time.Millisecond)
			r.dial(backend)
			require.Empty(t, r.takeAsked(), "what is known is hardly a second old")
			r.until(5 * time.Second)
			for range 100 {
				_, err := r.dial(backend)
				require.Error(t, err)
			}
			require.Equal(t, []string{"5s a"}, r.takeAsked(), "once, and for no other name")
			require.True(t, r.changed())
			r.refuse("192.0.2.1:")
			tried, err := r.dial("http://a")
			require.NoError(t, err)
			require.Equal(t, []string{"192.0.2.2:80"}, tried)
			r.until(interval)
			require.Equal(t, []string{"30s a", "30s b"}, r.takeAsked(), "the timer goes on as before")
		})
	}
}

func TestADialThatItsCallerGaveUpAsksForNothing(t *testing.T) {
	bubble(t, "one", "http://a", map[string]string{"a": "192.0.2.1"}, func(r *rig) {
		r.takeAsked()
		r.until(5 * time.Second)
		r.refuse("192")
		ctx, cancel := context.WithCancel(r.t.Context())
		cancel()
		_, err := r.dialWithin(ctx, "http://a")
		require.Error(t, err)
		require.Empty(t, r.takeAsked())
	})
}

func TestADialToANameThatIsNotKnownFailsAtOnce(t *testing.T) {
	bubble(t, "one", "http://a", map[string]string{}, func(r *rig) {
		tried, err := r.dial("http://a")
		require.Empty(t, tried)
		require.EqualError(t, err, "dial tcp: server misbehaving")
		r.takeAsked()
		r.until(5 * time.Second)
		r.answer("a", "192.0.2.1")
		r.dial("http://a")
		require.Equal(t, []string{"5s a"}, r.takeAsked())
		_, err = r.dial("http://a")
		require.NoError(t, err)
		_, err = r.dial("http://b")
		require.EqualError(t, err, "dial tcp: lookup b: not a backend's name any more")
	})
}

// Of a name's backend each address has what is said of it but for the URL.
func TestEachAddressHasTheWeightAndTheRoleOfItsName(t *testing.T) {
	bubble(t, "all", "http://a", map[string]string{"a": "192.0.2.2 192.0.2.1"}, func(r *rig) {
		wanted := r.config("all", "http://a").Backends
		wanted[0].Weight, wanted[0].Backup = 5, true
		var got []string
		for _, b := range r.Backends(wanted) {
			require.Equal(t, 5, b.Weight)
			require.True(t, b.Backup)
			got = append(got, b.URL.String())
		}
		require.Equal(t, []string{"http://a#192.0.2.1", "http://a#192.0.2.2"}, got)
		require.Equal(t, "http://a", wanted[0].URL.String())
	})
}

// A route that drops what is sent must not use up the time of those behind it.
func TestEachAddressHasItsShareOfTheTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var waited []time.Duration
		r := &rig{t: t, start: time.Now(), answers: map[string]string{"a": "192.0.2.1 192.0.2.2 192.0.2.3"}}
		resolver := resolve.New(r.lookup, func(ctx context.Context, _, addr string) (net.Conn, error) {
			start := time.Now()
			<-ctx.Done()
			waited = append(waited, time.Since(start))
			return nil, ctx.Err()
		}, slog.New(slog.DiscardHandler))
		resolver.Update(t.Context(), r.config("one", "http://a"))
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		b := pool.New([]config.Backend{{URL: &url.URL{Scheme: "http", Host: "a"}}}, pool.Settings{}, nil).Backends()[0]
		_, err := resolver.Dial(ctx, b)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Equal(t, []time.Duration{time.Second, time.Second, time.Second}, waited)
	})
}
