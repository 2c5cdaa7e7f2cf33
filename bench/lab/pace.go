package lab

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"
)

// Pace asks for "/" at addr at a fixed rate (requests per second), spread over
// the connections, and measures the latency. A request that is due while its
// connection still waits for an answer counts from when it was due: a server
// that falls behind does not make its own figures better. That our own timer
// is late is not counted.
func Pace(ctx context.Context, addr string, connections int, rate float64, d time.Duration) (Load, error) {
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	interval := time.Duration(float64(connections) / rate * float64(time.Second))
	paces := make([]pace, connections)
	var running sync.WaitGroup
	begin := time.Now()
	for i := range paces {
		paces[i] = pace{addr: addr, interval: interval, next: begin.Add(interval * time.Duration(i) / time.Duration(connections))}
		running.Go(func() { paces[i].run(ctx) })
	}
	running.Wait()
	return sum(paces, time.Since(begin))
}

func sum(paces []pace, took time.Duration) (Load, error) {
	l := Load{Status: map[int]int{}}
	var latencies []time.Duration
	for _, p := range paces {
		latencies = append(latencies, p.latencies...)
		l.Status[0] += p.bad
		if p.err != nil {
			l.Errors++
			l.Message = p.err.Error()
		}
	}
	slices.Sort(latencies)
	l.Requests, l.Rate = len(latencies), float64(len(latencies))/took.Seconds()
	l.P50, l.P95, l.P99 = Percentile(latencies, 50), Percentile(latencies, 95), Percentile(latencies, 99)
	if l.Requests == 0 {
		return l, fmt.Errorf("no request was answered: %s", l.Message)
	}
	return l, nil
}

// pace is one connection's share.
type pace struct {
	addr      string
	interval  time.Duration
	next      time.Time // when a request is due
	latencies []time.Duration
	bad       int
	err       error
}

func (p *pace) run(ctx context.Context) {
	conn, err := net.Dial("tcp", p.addr)
	if err != nil {
		p.err = err
		return
	}
	defer conn.Close()
	ask := fmt.Appendf(nil, "GET / HTTP/1.1\r\nHost: %s\r\nUser-Agent: bench\r\n\r\n", p.addr)
	r := bufio.NewReader(conn)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		timer.Reset(time.Until(p.next))
		late := time.Since(p.next) > 0
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		from := p.next
		if !late {
			from = time.Now()
		}
		if p.err = p.exchange(conn, r, ask); p.err != nil {
			return
		}
		p.latencies = append(p.latencies, time.Since(from))
		p.next = p.next.Add(p.interval)
	}
}

func (p *pace) exchange(conn net.Conn, r *bufio.Reader, ask []byte) error {
	if _, err := conn.Write(ask); err != nil {
		return err
	}
	status, err := ReadAnswer(r)
	if err == nil && status != http.StatusOK {
		p.bad++
	}
	return err
}
