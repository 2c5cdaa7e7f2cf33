package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"go-proxy/bench/lab"
)

// sample is one measurement of one program at full load.
type sample struct {
	lab.Load
	cpu     time.Duration // per request
	foreign float64       // share of a core that others took meanwhile
}

// measure makes the rounds: first one that does not count, then those that
// show cost, then those that show latency.
func (b *bench) measure(ctx context.Context) error {
	if b.warmUp > 0 {
		if _, err := b.round(ctx, b.warmUp); err != nil {
			return err
		}
	}
	for n := range b.rounds {
		fmt.Fprintf(os.Stderr, "peers: %s, round %d of %d\n", b.shape.title, n+1, b.rounds)
		samples, err := b.round(ctx, b.time)
		if err != nil {
			return err
		}
		b.take(samples)
	}
	if !b.shape.full {
		return nil
	}
	return b.measureLatency(ctx)
}

// measureLatency asks for half of what the first program can do, and for a
// quarter: not every program can do the half, and then its queue is measured.
func (b *bench) measureLatency(ctx context.Context) error {
	peak := lab.Median(b.rows[0].rate)
	b.paces = [2]float64{peak / 2, peak / 4}
	for range latencyRounds * b.rounds {
		for _, r := range b.rows {
			if r.variant {
				continue
			}
			for i := range b.paces {
				if err := b.latency(ctx, r, i); err != nil {
					return fmt.Errorf("%s: %w", r.name, err)
				}
			}
		}
	}
	return nil
}

// round loads all programs, one after the other.
func (b *bench) round(ctx context.Context, d time.Duration) (samples []sample, err error) {
	for _, r := range b.rows {
		s, err := b.undisturbed(ctx, r, d)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", r.name, err)
		}
		samples = append(samples, s)
	}
	return samples, nil
}

// disturbance is the share of a core above which others have spoilt a
// measurement.
const disturbance = 0.05

// undisturbed measures again, as long as there is time to spare for it, when
// others have spoilt a measurement.
func (b *bench) undisturbed(ctx context.Context, r *row, d time.Duration) (sample, error) {
	for {
		s, err := b.cost(ctx, r, d)
		if err != nil || s.foreign <= disturbance || b.repeated == b.spare {
			return s, err
		}
		b.repeated++
	}
}

// take makes the samples of a round count.
func (b *bench) take(samples []sample) {
	for i, s := range samples {
		r := b.rows[i]
		r.cpu, r.rate = append(r.cpu, s.cpu), append(r.rate, s.Rate)
		r.errors += s.Bad()
		b.foreign = max(b.foreign, s.foreign)
	}
}

// patience is how long a program may leave everything unanswered.
const patience = 10 * time.Second

// load takes longer when a busy machine leaves a short time without an answer.
func (b *bench) load(ctx context.Context, r *row, d time.Duration) (lab.Load, error) {
	for ; ; d *= 2 {
		l, err := b.generate(ctx, r, d)
		if err != nil || l.Requests > 0 || l.Bad() > 0 || d > patience {
			return l, err
		}
	}
}

func (b *bench) generate(ctx context.Context, r *row, d time.Duration) (lab.Load, error) {
	args := b.shape.args(b.tool, r.process.Addr)
	if b.tool == "wrk" {
		return lab.Wrk(ctx, lab.LoadCore, b.shape.connections, d, args...)
	}
	return lab.Hey(ctx, lab.LoadCore, append([]string{"-c", fmt.Sprint(b.shape.connections), "-z", d.String()}, args...)...)
}

// cost loads the program as much as it takes.
func (b *bench) cost(ctx context.Context, r *row, d time.Duration) (s sample, err error) {
	begin := time.Now()
	before, err := b.times(r)
	if err != nil {
		return s, err
	}
	if s.Load, err = b.load(ctx, r, d); err != nil {
		return s, err
	}
	after, err := b.times(r)
	if err != nil {
		return s, err
	}
	if s.Requests == 0 {
		return s, fmt.Errorf("nothing was answered: %s", s.Message)
	}
	s.cpu = (after.row - before.row) / time.Duration(s.Requests)
	s.foreign = float64(after.foreign()-before.foreign()) / float64(time.Since(begin))
	return s, nil
}

// times are CPU times so far.
type times struct{ all, row, backend, own time.Duration }

// foreign is that of programs which are none of ours.
func (t times) foreign() time.Duration { return t.all - t.row - t.backend - t.own }

func (b *bench) times(r *row) (t times, err error) {
	row, err := r.process.Usage()
	if err != nil {
		return t, err
	}
	backend, err := b.backend.Usage()
	if err != nil {
		return t, err
	}
	r.peak = row.Peak
	t.row, t.backend, t.own = row.CPU, backend.CPU, lab.OwnTime()
	t.all, err = lab.BusyTime()
	return t, err
}

// At a fixed rate there is little to wait for, so that a measurement is short;
// but its p99 may be several times the next one's, so that there are more.
const (
	latencyTime   = 500 * time.Millisecond
	latencyRounds = 3 // for each round of the others
)

// latency loads the program at the same rate as every other.
func (b *bench) latency(ctx context.Context, r *row, pace int) error {
	before, err := b.times(r)
	if err != nil {
		return err
	}
	load, err := lab.Pace(ctx, r.process.Addr, b.shape.connections, b.paces[pace], latencyTime)
	if err != nil {
		return err
	}
	after, err := b.times(r)
	if err != nil {
		return err
	}
	p := &r.paced[pace]
	p.p50, p.p99, p.rate = append(p.p50, load.P50), append(p.p99, load.P99), append(p.rate, load.Rate)
	p.cpu = append(p.cpu, (after.row-before.row)/time.Duration(load.Requests))
	r.errors += load.Bad()
	return nil
}
