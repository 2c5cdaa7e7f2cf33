//go:build race

package accesslog_test

// raceDetector makes sync.Pool forget things at random.
const raceDetector = true
