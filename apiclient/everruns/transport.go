package everruns

import (
	"net/http"

	"github.com/errand-dev/errand/apiclient/internal/rest"
)

// NewTransport returns the transport that a client without an HTTPClient uses,
// for those who wrap it: lean enough for thousands of open event streams.
func NewTransport() *http.Transport { return rest.NewTransport() }
