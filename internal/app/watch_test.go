package app

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"go-proxy/internal/config"
)

// watched is a folder with a file that is watched.
type watched struct {
	t    *testing.T
	dir  string
	path string
	log  strings.Builder
	*watch
}

func newWatched(t *testing.T) *watched {
	w := &watched{t: t, dir: t.TempDir()}
	w.path = filepath.Join(w.dir, "proxy.json")
	w.write("proxy.json", "first")
	w.watch = newWatch(&config.Config{File: w.path, Watch: true}, slog.New(slog.NewTextHandler(&w.log, nil)))
	require.Equal(t, "-+---", w.looks(5), "what is there at first is news, since it may not be what was loaded")
	return w
}

func (w *watched) write(name, text string) {
	require.NoError(w.t, os.WriteFile(filepath.Join(w.dir, name), []byte(text), 0o644))
}

func (w *watched) rename(from, to string) {
	require.NoError(w.t, os.Rename(filepath.Join(w.dir, from), filepath.Join(w.dir, to)))
}

func (w *watched) link(target, name string) {
	require.NoError(w.t, os.Symlink(target, filepath.Join(w.dir, name)))
}

// looks looks n times: + for news.
func (w *watched) looks(n int) string {
	var news strings.Builder
	for range n {
		if w.changed() {
			news.WriteByte('+')
		} else {
			news.WriteByte('-')
		}
	}
	return news.String()
}

func TestContentIsNewsWhenItWasTheSameTwice(t *testing.T) {
	w := newWatched(t)
	w.write("proxy.json", "second")
	require.Equal(t, "-+---", w.looks(5))
	w.write("proxy.json", "first")
	require.Equal(t, "-+---", w.looks(5))
}

func TestAFileThatIsBeingWrittenIsNoNews(t *testing.T) {
	w := newWatched(t)
	for _, half := range []string{"", "s", "sec", "seco"} {
		w.write("proxy.json", half)
		require.Equal(t, "-", w.looks(1))
	}
	w.write("proxy.json", "second")
	require.Equal(t, "-+-", w.looks(3))
}

func TestTheSameContentIsNoNews(t *testing.T) {
	w := newWatched(t)
	w.write("proxy.json", "first")
	require.Equal(t, "---", w.looks(3))
	w.write("other", "first")
	w.rename("other", "proxy.json")
	require.Equal(t, "---", w.looks(3))
	w.write("proxy.json", "second")
	require.Equal(t, "-", w.looks(1))
	w.write("proxy.json", "first")
	require.Equal(t, "---", w.looks(3), "and what lasted for less than two looks was none")
}

func TestAFilePutInTheOthersPlaceIsSeen(t *testing.T) {
	w := newWatched(t)
	w.write("proxy.json.tmp", "second")
	w.rename("proxy.json.tmp", "proxy.json")
	require.Equal(t, "-+-", w.looks(3))
}

// As Kubernetes does it: the file is a symlink through a symlink that is
// replaced.
func TestASymlinkPutInTheOthersPlaceIsSeen(t *testing.T) {
	w := newWatched(t)
	for _, version := range []string{"1", "2"} {
		require.NoError(t, os.Mkdir(filepath.Join(w.dir, version), 0o755))
		w.write(version+"/proxy.json", "version "+version)
	}
	w.link("1", "data")
	w.link("data/proxy.json", "link")
	w.rename("link", "proxy.json")
	require.Equal(t, "-+-", w.looks(3))
	w.link("2", "data.tmp")
	w.rename("data.tmp", "data")
	require.Equal(t, "-+-", w.looks(3))
}

// Two changes within the time that a file system tells apart, which leave the
// size as it was.
func TestAChangeThatShowsInNothingButTheContentIsSeen(t *testing.T) {
	w := newWatched(t)
	info, err := os.Stat(w.path)
	require.NoError(t, err)
	w.write("proxy.json", "other")
	require.NoError(t, os.Chtimes(w.path, info.ModTime(), info.ModTime()))
	require.Equal(t, "-+-", w.looks(3))
}

func TestAnOldFileIsNotReadAgain(t *testing.T) {
	w := newWatched(t)
	old := time.Now().Add(-time.Hour)
	require.NoError(t, os.Chtimes(w.path, old, old))
	require.Equal(t, "---", w.looks(3))
	w.write("proxy.json", "other")
	require.NoError(t, os.Chtimes(w.path, old, old))
	require.Equal(t, "---", w.looks(3), "or this sees the lie about its age")
	require.NoError(t, os.Chtimes(w.path, old, old.Add(time.Second)))
	require.Equal(t, "-+-", w.looks(3))
}

func TestAFileThatCannotBeReadIsSaidOnce(t *testing.T) {
	w := newWatched(t)
	require.NoError(t, os.Remove(w.path))
	require.Equal(t, "-----", w.looks(5))
	require.Equal(t, 1, strings.Count(w.log.String(), `level=WARN msg="configuration file cannot be read; nothing has changed" error="stat `+w.path+`: no such file or directory"`))
	w.write("proxy.json", "first")
	require.Equal(t, "---", w.looks(3), "it is back as it was")
	require.NoError(t, os.Remove(w.path))
	require.NoError(t, os.Mkdir(w.path, 0o755))
	require.Equal(t, "-----", w.looks(5))
	require.Equal(t, 1, strings.Count(w.log.String(), `error="not a regular file"`))
}

func TestNothingIsWatchedUnlessAskedFor(t *testing.T) {
	w := newWatched(t)
	w.watch = newWatch(&config.Config{File: w.path}, slog.New(slog.DiscardHandler))
	require.Equal(t, "---", w.looks(3))
}
