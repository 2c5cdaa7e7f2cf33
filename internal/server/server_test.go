package server_test

import (
	"errors"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"go-proxy/internal/server"
)

func TestAnAddressThatCannotBeBoundIsNamed(t *testing.T) {
	s, err := server.Listen("127.0.0.1:0", stall, grace, nil)
	require.NoError(t, err)
	defer s.Close()
	addr := s.Addr().String()
	_, err = server.Listen(addr, stall, grace, nil)
	require.EqualError(t, err, "listen on "+addr+": listen tcp "+addr+": bind: address already in use")
}

func TestAClientThatTakesNothingIsGivenUp(t *testing.T) {
	bubble(t, func(r *rig) {
		_, conns := served(r, 1)
		start := time.Now()
		_, err := conns[0].Write([]byte("x"))
		require.ErrorIs(t, err, os.ErrDeadlineExceeded)
		require.Equal(t, stall+stall/4, time.Since(start))
	})
}

func TestAServerWithNothingUnderWayEndsAtOnce(t *testing.T) {
	bubble(t, func(r *rig) {
		_, conns := served(r, 3)
		for _, c := range conns {
			c.SetBusy(false)
		}
		r.stop()
		require.Equal(t, end{}, <-r.ended, "clients that only connect are neither waited for nor counted")
	})
}

func TestTheDrainRefusesThenWaitsThenCuts(t *testing.T) {
	bubble(t, func(r *rig) {
		p, _ := served(r, 1)
		require.Equal(t, []string{"Serve"}, p.noted())
		r.stop()
		time.Sleep(grace - 1)
		synctest.Wait()
		require.Equal(t, []string{"Serve", "Drain", "Serve ended"}, p.noted())
		require.Equal(t, end{cut: 1, after: grace}, <-r.ended)
		require.Subset(t, p.noted()[3:], []string{"Close", "Drain ended"})
	})
}

func TestTheDrainEndsWithTheLastThatWasBusy(t *testing.T) {
	bubble(t, func(r *rig) {
		_, conns := served(r, 3)
		r.stop()
		time.Sleep(time.Second)
		conns[0].SetBusy(false) // its request has ended
		conns[1].Close()        // so has a tunnel
		time.Sleep(time.Second)
		synctest.Wait()
		require.Empty(t, r.ended)
		conns[2].SetBusy(false)
		got := <-r.ended
		require.NoError(t, got.err)
		require.Zero(t, got.cut)
		require.InDelta(t, 2*time.Second, got.after, float64(5*time.Millisecond))
	})
}

func TestOnlyWhatIsStillBusyIsCountedAsCut(t *testing.T) {
	bubble(t, func(r *rig) {
		_, conns := served(r, 5)
		conns[0].SetBusy(false)
		conns[1].Close()
		r.stop()
		time.Sleep(time.Second)
		conns[2].SetBusy(false)
		require.Equal(t, end{cut: 2, after: grace}, <-r.ended)
	})
}

func TestHurryEndsTheDrain(t *testing.T) {
	bubble(t, func(r *rig) {
		p, _ := served(r, 1)
		r.stop()
		time.Sleep(time.Second + 1) // between two looks
		r.hurry()
		require.Equal(t, end{cut: 1, after: time.Second + 1}, <-r.ended)
		require.Contains(t, p.noted(), "Close")
	})
}

func TestHurryAloneEndsNothing(t *testing.T) {
	bubble(t, func(r *rig) {
		p, _ := served(r, 1)
		r.hurry()
		time.Sleep(time.Hour)
		require.Equal(t, []string{"Serve"}, p.noted())
		r.stop()
		require.Equal(t, end{cut: 1}, <-r.ended)
	})
}

func TestThePlaneKnowsHowLongItMayDrain(t *testing.T) {
	bubble(t, func(r *rig) {
		p, _ := served(r, 1)
		r.stop()
		synctest.Wait()
		deadline, _ := p.drain.Deadline()
		require.Equal(t, r.start.Add(grace), deadline)
		<-r.ended
	})
}

// A plane may notice late that all has been cut.
func TestRunReturnsWhenThePlaneHasDrained(t *testing.T) {
	bubble(t, func(r *rig) {
		p, conns := served(r, 1)
		p.linger = time.Second
		conns[0].SetBusy(false)
		r.stop()
		require.Equal(t, end{after: time.Second}, <-r.ended)
		require.Contains(t, p.noted(), "Drain ended")
	})
}

func TestRunReturnsWhenThePlaneHasStoppedServing(t *testing.T) {
	bubble(t, func(r *rig) {
		p, conns := served(r, 1)
		p.lingerServe = time.Second
		conns[0].SetBusy(false)
		r.stop()
		require.Equal(t, end{after: time.Second}, <-r.ended)
		require.Equal(t, []string{"Serve", "Drain", "Serve ended"}, p.noted()[:3])
	})
}

func TestAListenerThatFailsEndsTheServerWithItsError(t *testing.T) {
	bubble(t, func(r *rig) {
		p, conns := served(r, 3)
		conns[0].SetBusy(false)
		broken := errors.New("broken")
		r.listener.failed <- broken
		got := <-r.ended
		require.ErrorIs(t, got.err, broken)
		require.EqualError(t, got.err, "serve on 192.0.2.1:80: broken")
		require.Equal(t, 2, got.cut)
		require.Equal(t, []string{"Serve", "Serve ended", "Close"}, p.noted())
		_, err := conns[0].Write([]byte("x"))
		require.Error(t, err, "idle ones are closed, too")
	})
}
