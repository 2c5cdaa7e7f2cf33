package proxy

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// seen is when what happened to a passage.
type seen struct {
	start time.Time
	log   []string
}

func (s *seen) flush() { s.log = append(s.log, "flush "+time.Since(s.start).String()) }
func (s *seen) stall() { s.log = append(s.log, "stall "+time.Since(s.start).String()) }

func TestProgress(t *testing.T) {
	const limit, hold = time.Second, 10 * time.Millisecond
	// part is one read and the write behind it.
	type part struct{ read, write time.Duration }
	for name, c := range map[string]struct {
		hold  time.Duration
		parts []part
		want  []string
	}{
		"one part at once":                  {hold, []part{{0, 0}}, nil},
		"one part, taken slowly":            {hold, []part{{0, time.Minute}}, nil},
		"the head, then one part late":      {hold, []part{{50 * time.Millisecond, 0}}, []string{"flush 10ms"}},
		"every part in time, taken slowly":  {0, []part{{0, time.Minute}, {0, time.Minute}}, nil},
		"a part, then a wait":               {hold, []part{{0, 0}, {50 * time.Millisecond, 0}}, []string{"flush 10ms"}},
		"a wait before each part":           {hold, []part{{50 * time.Millisecond, 0}, {50 * time.Millisecond, 0}}, []string{"flush 10ms", "flush 60ms"}},
		"a trickle":                         {hold, []part{{4 * time.Millisecond, 0}, {4 * time.Millisecond, 0}, {4 * time.Millisecond, 0}, {4 * time.Millisecond, 0}, {4 * time.Millisecond, 0}, {4 * time.Millisecond, 0}}, []string{"flush 10ms", "flush 22ms"}},
		"due while a part is taken":         {hold, []part{{0, 15 * time.Millisecond}, {0, 0}}, []string{"flush 15ms"}},
		"nothing comes":                     {0, []part{{2 * time.Second, 0}}, []string{"stall 1s"}},
		"nothing comes but the head":        {hold, []part{{2 * time.Second, 0}}, []string{"flush 10ms", "stall 1.01s"}},
		"nothing comes behind a part":       {hold, []part{{0, 0}, {2 * time.Second, 0}}, []string{"flush 10ms", "stall 1.01s"}},
		"nothing comes, and nothing is due": {0, []part{{900 * time.Millisecond, 0}, {2 * time.Second, 0}}, []string{"stall 1.9s"}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &seen{start: time.Now()}
				p := progress{of: s, limit: limit, hold: c.hold}
				for i, part := range c.parts {
					p.begin()
					time.Sleep(part.read)
					p.end(i == len(c.parts)-1)
					time.Sleep(part.write)
				}
				time.Sleep(time.Hour) // nothing happens once it has ended
				require.Equal(t, c.want, s.log)
			})
		})
	}
}

// A client that stops taking its response leaves a write that does not end,
// and no read behind it.
func TestProgressNeverFlushesBesideAWrite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &seen{start: time.Now()}
		p := progress{of: s, limit: time.Second, hold: 10 * time.Millisecond}
		p.begin()
		p.end(false)
		time.Sleep(time.Hour)
		require.Empty(t, s.log)
	})
}
