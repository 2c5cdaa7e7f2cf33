package pool_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"go-proxy/internal/config"
	"go-proxy/internal/pool"
)

// takes is how many retries there are at a time.
func takes(p *pool.ServerPool, now time.Time) (n int) {
	for p.TakeRetry(now) {
		n++
	}
	return n
}

func TestRetriesKeepToTheirBudget(t *testing.T) {
	s := defaults
	s.Retries = pool.Budget{Share: 0.2, Rate: 10, Burst: 300}
	p, _ := settled(t, s, nil, "a")
	now := time.Unix(1000, 0)
	require.Equal(t, 300, takes(p, now), "it begins with its burst")
	for range 1000 {
		p.CountRequest()
	}
	require.Equal(t, 200, takes(p, now), "a share of the requests")
	require.Equal(t, 20, takes(p, now.Add(2*time.Second)), "so many a second")
	for range 1_000_000 {
		p.CountRequest()
	}
	require.Equal(t, 300, takes(p, now.Add(time.Hour)), "no more is saved up than the burst")

	s.Retries = pool.Budget{Share: 1, Burst: 256}
	p.Update([]config.Backend{}, s)
	require.Zero(t, takes(p, now.Add(time.Hour)), "another budget is no gift")
	p.CountRequest()
	require.Equal(t, 1, takes(p, now.Add(2*time.Hour)))
}
