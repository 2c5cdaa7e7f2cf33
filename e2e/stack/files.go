package stack

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/testcontainers/testcontainers-go"
)

// Files are the texts of files by name, without a folder.
type Files map[string]string

// proxyJSON is the file of a stack's proxy.
const proxyJSON = "proxy.json"

// folder is one of this host's with the files.
func (f Files) folder(t testing.TB) string {
	dir := t.TempDir()
	for name, text := range f {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644))
	}
	return dir
}

// inContainer are the files for a container, where programs run in /.
func (f Files) inContainer() []testcontainers.ContainerFile {
	var files []testcontainers.ContainerFile
	for name, text := range f {
		files = append(files, testcontainers.ContainerFile{Reader: strings.NewReader(text), ContainerFilePath: "/" + name, FileMode: 0o644})
	}
	return files
}
