package agen

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// pages answers each cursor with its page, and counts what is asked for.
func pages(t *testing.T, byCursor map[string]string) (client *Client, asked *[]string) {
	t.Helper()
	asked = new([]string)
	return serve(t, func(w http.ResponseWriter, r *http.Request) {
		*asked = append(*asked, r.URL.RawQuery)
		w.Header().Set("Date", "Thu, 02 Apr 2026 10:15:00 GMT")
		fmt.Fprint(w, byCursor[r.URL.Query().Get("cursor")])
	}), asked
}

func page(next string, ids ...string) string {
	items := make([]string, len(ids))
	for i, id := range ids {
		items[i] = fmt.Sprintf(`{"id":%q}`, id)
	}
	cursor := "null"
	if next != "" {
		cursor = fmt.Sprintf("%q", next)
	}
	return fmt.Sprintf(`{"items":[%s],"next_cursor":%s}`, strings.Join(items, ","), cursor)
}

func TestAWholeListFollowsItsCursor(t *testing.T) {
	client, asked := pages(t, map[string]string{
		"":   page("c1", "a", "b"),
		"c1": page("c2"), // an empty page is not the last one
		"c2": page("c3", "b", "c"),
		"c3": page("", "d"),
	})
	list, err := client.ListAllSessions(t.Context(), ListOptions{Status: "active"})
	require.NoError(t, err)
	require.Equal(t, SessionList{
		Sessions: []Session{{ID: "a"}, {ID: "b"}, {ID: "c"}, {ID: "d"}},
		Date:     time.Date(2026, 4, 2, 10, 15, 0, 0, time.UTC),
	}, list)
	require.Equal(t, []string{"status=active", "cursor=c1&status=active", "cursor=c2&status=active", "cursor=c3&status=active"}, *asked)
}

func TestAListThatItsCursorDoesNotLeadThroughIsAnError(t *testing.T) {
	for name, test := range map[string]struct {
		pages map[string]string
		asked int
	}{
		"a server that does not know the cursor": {
			pages: map[string]string{"": page("c1", "a"), "c1": page("c1", "a")}, asked: 2,
		},
		"a server that gives the same page under ever new cursors": {
			pages: map[string]string{"": page("c1", "a"), "c1": page("c2", "a"), "c2": page("c3", "a")}, asked: 2,
		},
		"a cursor that leads back to itself": {
			pages: map[string]string{"": page("c1", "a"), "c1": page("c1", "b")}, asked: 2,
		},
		"cursors in a circle": {
			pages: map[string]string{"": page("c1", "a"), "c1": page("c2", "b"), "c2": page("c1", "c")}, asked: 3,
		},
		"a last page that was there before": {
			pages: map[string]string{"": page("c1", "a"), "c1": page("", "a")}, asked: 2,
		},
	} {
		t.Run(name, func(t *testing.T) {
			client, asked := pages(t, test.pages)
			list, err := client.ListAllSessions(t.Context(), ListOptions{})
			require.ErrorIs(t, err, ErrRepeatedPage)
			require.Empty(t, list.Sessions, "a part of a list is none")
			require.Len(t, *asked, test.asked)
		})
	}
}

func TestAListWithoutItsLastPageIsAnError(t *testing.T) {
	client := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Has("cursor") {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		fmt.Fprint(w, page("c1", "a"))
	})
	list, err := client.ListAllSessions(t.Context(), ListOptions{})
	var answer *Error
	require.ErrorAs(t, err, &answer)
	require.Empty(t, list.Sessions)
}

func TestAPageThatMayNotBeTheLastIsNotTakenForIt(t *testing.T) {
	for answer, says := range map[string]string{
		`{"items":[{"id":"a"}]}`:                                  "next_cursor is missing",
		`{"items":[{"id":"a"}],"next_cursor":7}`:                  "next_cursor",
		`{"sessions":[{"id":"a"}],"next_cursor":null}`:            "items is missing",
		`{"items":[{"id":"a"},{"title":"b"}],"next_cursor":null}`: "id of a session is missing",
	} {
		t.Run(answer, func(t *testing.T) {
			client := serve(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, answer) })
			_, err := client.ListSessions(t.Context(), ListOptions{})
			var unreadable *BodyError
			require.ErrorAs(t, err, &unreadable)
			require.ErrorContains(t, err, says)
		})
	}
}
