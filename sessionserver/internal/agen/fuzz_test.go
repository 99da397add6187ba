package agen

import (
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/errand-dev/errand/sessionserver/internal/sessions"
)

// Whatever a client sends is a request that fits or a 400 that says why.
func FuzzBodies(f *testing.F) {
	f.Add(`{"branch_name":null,"auto_commit":true,"model":"script"}`)
	f.Add(`{"message":"go","client_id":"k-1"}`)
	f.Fuzz(func(t *testing.T, body string) {
		_, err := decodeCreate(httptest.NewRequest("POST", "/api/v1/sessions", strings.NewReader(body)))
		requireInvalid(t, err)
		send, err := decodeSend(httptest.NewRequest("POST", "/api/v1/sessions/a/messages", strings.NewReader(body)))
		requireInvalid(t, err)
		require.True(t, err != nil || send.message != "")
	})
}

func FuzzCursor(f *testing.F) {
	f.Add("eyJhdCI6IjIwMjYtMDQtMDJUMTA6MDA6MDBaIiwiaWQiOiJzZXNfMSJ9")
	f.Fuzz(func(t *testing.T, text string) {
		c, err := readCursor(text)
		requireInvalid(t, err)
		if err != nil || text == "" || c.At.Year() < 0 || c.At.Year() > 9999 {
			return
		}
		s := &sessions.Session{Facts: sessions.Facts{ID: c.ID, CreatedAt: c.At}}
		require.False(t, c.before(s), "a page begins behind its cursor")
		s.CreatedAt = c.At.Add(time.Nanosecond)
		require.True(t, c.before(s))
	})
}

func requireInvalid(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		var wrong invalid
		require.ErrorAs(t, err, &wrong)
		require.NotEmpty(t, wrong.Error())
	}
}
