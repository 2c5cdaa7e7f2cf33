package backendserver

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestFieldsAreSortedByNameAndValuesAsReceived(t *testing.T) {
	fields := make(http.Header)
	var want []row
	for name := 'A'; name <= 'Z'; name++ {
		fields[string(name)] = []string{"2", "1"}
		want = append(want, row{string(name), "2"}, row{string(name), "1"})
	}
	require.Equal(t, want, fieldRows(fields))
}
