package app

import (
	"crypto/sha256"
	"log/slog"
	"os"
	"time"

	"go-proxy/internal/config"
)

// watch looks at the configuration file. What counts is the content behind its
// path: editors and Kubernetes put another file, or another symlink, in its
// place.
type watch struct {
	path string // "": nothing is watched
	log  *slog.Logger

	info   os.FileInfo // at the last look
	seen   content     // at the last look
	taken  content     // reported last
	failed bool        // said so already
}

// content stands for the bytes of a file.
type content [sha256.Size]byte

func newWatch(c *config.Config, log *slog.Logger) *watch {
	w := &watch{log: log}
	if c.Watch {
		w.path = c.File
	}
	return w
}

// changed looks once, and reports whether there is other content than it has
// reported before. A file may be looked at while it is written: only content
// that was the same in two looks counts.
func (w *watch) changed() bool {
	if w.path == "" {
		return false
	}
	now, err := w.read()
	if err != nil {
		if !w.failed {
			w.log.Warn("configuration file cannot be read; nothing has changed", "error", err)
		}
		w.failed, w.info, w.seen = true, nil, content{}
		return false
	}
	settled := now == w.seen
	w.failed, w.seen = false, now
	if !settled || now == w.taken {
		return false
	}
	w.taken = now
	return true
}

// racy is how young a change may be and share its time with the next one, as
// far as file systems tell.
const racy = 2 * time.Second

// read reads the file, unless it is the one that was read last, untouched
// since.
func (w *watch) read() (content, error) {
	info, err := os.Stat(w.path)
	if err != nil {
		return content{}, err
	}
	before := w.info
	w.info = info
	if before != nil && os.SameFile(before, info) && before.Size() == info.Size() &&
		before.ModTime().Equal(info.ModTime()) && time.Since(info.ModTime()) > racy {
		return w.seen, nil
	}
	text, err := config.Contents(w.path)
	if err != nil {
		return content{}, err
	}
	return sha256.Sum256(text), nil
}
