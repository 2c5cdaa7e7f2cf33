package bench

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"go-proxy/internal/pool"
)

// policies are the pools whose pick is measured, by the name of their policy.
var policies = map[string]func(backends int) *pool.ServerPool{
	"round_robin": newPool,
}

// pick takes a lease and gives it back, as an exchange does.
func pick(p *pool.ServerPool) error {
	lease, err := p.Acquire()
	if err != nil {
		return err
	}
	lease.Succeeded()
	return nil
}

func BenchmarkPick(b *testing.B) {
	for name, newPool := range policies {
		for _, backends := range []int{3, 100, 1000} {
			p := newPool(backends)
			b.Run(fmt.Sprintf("%s/backends=%d/alone", name, backends), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if err := pick(p); err != nil {
						b.Fatal(err)
					}
				}
			})
			b.Run(fmt.Sprintf("%s/backends=%d/parallel", name, backends), func(b *testing.B) {
				b.ReportAllocs()
				b.RunParallel(func(pb *testing.PB) { // b.Loop is for one goroutine
					for pb.Next() {
						if err := pick(p); err != nil {
							b.Error(err)
							return
						}
					}
				})
			})
		}
	}
}

func TestPickAllocatesNothing(t *testing.T) {
	for name, newPool := range policies {
		for _, backends := range []int{3, 100, 1000} {
			p := newPool(backends)
			require.Zero(t, testing.AllocsPerRun(1000, func() { _ = pick(p) }), "%s over %d backends", name, backends)
		}
	}
}
