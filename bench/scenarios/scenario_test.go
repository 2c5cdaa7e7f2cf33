package main

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"go-proxy/bench/lab"
)

func TestJudge(t *testing.T) {
	steady := scenario{connections: 64, time: 5 * time.Second}
	restarting := steady
	restarting.restarts = true
	for name, c := range map[string]struct {
		scenario
		lab.Load
		want string
	}{
		"all good":                       {steady, lab.Load{Status: map[int]int{200: 9}}, ""},
		"one 502":                        {steady, lab.Load{Status: map[int]int{200: 9, 502: 1}}, "1 requests got a 502, allowed are 0"},
		"no answer":                      {steady, lab.Load{Status: map[int]int{200: 9}, Errors: 2, Message: "EOF"}, "2 requests got no answer: EOF"},
		"nothing":                        {steady, lab.Load{Status: map[int]int{}}, "no request succeeded"},
		"a 502 per connection restarted": {restarting, lab.Load{Status: map[int]int{200: 9, 502: 256}}, ""},
		"one more":                       {restarting, lab.Load{Status: map[int]int{200: 9, 502: 257}}, "257 requests got a 502, allowed are 256"},
		"a 503 while restarting":         {restarting, lab.Load{Status: map[int]int{200: 9, 503: 1}}, "1 requests got a 503, allowed are 0"},
	} {
		t.Run(name, func(t *testing.T) {
			err := c.judge(c.Load)
			if c.want == "" {
				require.NoError(t, err)
				return
			}
			require.EqualError(t, err, c.want)
		})
	}
}

func TestEveryScenarioSaysHowToLoad(t *testing.T) {
	for _, s := range scenarios(3 * time.Second) {
		args := s.args("proxy")
		require.Subset(t, args, []string{"-z", "3s", "-c"}, s.name)
		require.Contains(t, args[len(args)-1], "http://proxy/", s.name)
	}
}
