package bench

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"go-proxy/internal/pool"
)

// sizes are the numbers of backends that a pick is measured over.
var sizes = []int{3, 100, 1000}

// pick takes a lease and gives it back, as an exchange does.
func pick(p *pool.ServerPool, key pool.Key) error {
	lease, err := p.Acquire(key)
	if err != nil {
		return err
	}
	lease.Succeeded()
	return nil
}

func BenchmarkPick(b *testing.B) {
	for _, name := range pool.Policies() {
		for _, backends := range sizes {
			p := newPool(name, backends)
			b.Run(fmt.Sprintf("%s/backends=%d/alone", name, backends), func(b *testing.B) {
				b.ReportAllocs()
				for key := pool.Key(1); b.Loop(); key++ {
					if err := pick(p, key); err != nil {
						b.Fatal(err)
					}
				}
			})
			b.Run(fmt.Sprintf("%s/backends=%d/parallel", name, backends), func(b *testing.B) {
				b.ReportAllocs()
				b.RunParallel(func(pb *testing.PB) { // b.Loop is for one goroutine
					for key := pool.Key(1); pb.Next(); key++ {
						if err := pick(p, key); err != nil {
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
	for _, name := range pool.Policies() {
		for _, backends := range sizes {
			p := newPool(name, backends)
			require.Zero(t, testing.AllocsPerRun(1000, func() { _ = pick(p, 1) }), "%s over %d backends", name, backends)
		}
	}
}
