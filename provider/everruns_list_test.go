package provider

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/errand-dev/errand/apiclient/everruns"
)

// everrunsAccount is an account whose sessions come and go between the pages.
type everrunsAccount struct {
	sessions []string // the newest first
	between  func(a *everrunsAccount, page int)
	pages    int
	most     int // of a page, whatever is asked for
	spoil    func(page map[string]any)
}

func accountOf(n int) *everrunsAccount {
	a := &everrunsAccount{most: 100}
	for i := range n {
		a.sessions = append(a.sessions, fmt.Sprintf("session_%04d", n-i))
	}
	return a
}

func (a *everrunsAccount) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	offset, _ := strconv.Atoi(r.URL.Query().Get("offset"))
	limit, _ := strconv.Atoi(r.URL.Query().Get("limit"))
	if a.between != nil && a.pages > 0 {
		a.between(a, a.pages)
	}
	a.pages++
	limit = min(limit, a.most)
	data := []everruns.Session{}
	for _, id := range a.sessions[min(offset, len(a.sessions)):min(offset+limit, len(a.sessions))] {
		data = append(data, everruns.Session{ID: id, Status: everruns.SessionIdle, Tags: []string{everrunsRefTag + "ref-" + id}})
	}
	page := map[string]any{"data": data, "total": len(a.sessions), "offset": offset, "limit": limit}
	if a.spoil != nil {
		a.spoil(page)
	}
	_ = json.NewEncoder(w).Encode(page)
}

func TestTheListOfSessionsIsWhole(t *testing.T) {
	come := func(n int) func(*everrunsAccount, int) {
		return func(a *everrunsAccount, page int) {
			for i := range n {
				a.sessions = slices.Insert(a.sessions, 0, fmt.Sprintf("session_new_%d_%d", page, i))
			}
		}
	}
	goAway := func(at, n int) func(*everrunsAccount, int) {
		return func(a *everrunsAccount, _ int) {
			a.sessions = slices.Delete(a.sessions, at, min(at+n, len(a.sessions)))
		}
	}
	for name, test := range map[string]struct {
		account *everrunsAccount
		between func(*everrunsAccount, int)
		pages   int
	}{
		"none":                         {accountOf(0), nil, 1},
		"one page":                     {accountOf(100), nil, 1},
		"several pages":                {accountOf(250), nil, 3},
		"pages smaller than asked for": {&everrunsAccount{sessions: accountOf(9).sessions, most: 2}, nil, 8},
		"sessions that come":           {accountOf(250), come(3), 3},
		"many that come":               {accountOf(150), come(60), 4},
		"sessions that go, as many as is noticed": {accountOf(250), goAway(0, 9), 3},
		"sessions that go from the end":           {accountOf(250), goAway(180, 30), 4},
	} {
		t.Run(name, func(t *testing.T) {
			test.account.between = test.between
			first := slices.Clone(test.account.sessions)
			list, err := everrunsServer(t, test.account.ServeHTTP).Sessions(t.Context())
			require.NoError(t, err)
			require.LessOrEqual(t, test.account.pages, test.pages+1)
			known := map[string]bool{}
			for _, s := range list.Sessions {
				require.False(t, known[s.ID], "%s twice", s.ID)
				known[s.ID] = true
				require.Equal(t, "ref-"+s.ID, s.ClientRef)
			}
			for _, id := range first {
				if slices.Contains(test.account.sessions, id) {
					require.True(t, known[id], "%s was there all the time", id)
				}
			}
		})
	}
}

func TestAListThatLostASessionIsReadAgain(t *testing.T) {
	account := accountOf(250)
	account.between = func(a *everrunsAccount, page int) {
		if page == 1 {
			a.sessions = slices.Delete(a.sessions, 0, 50) // the next page begins 40 further on
		}
	}
	list, err := everrunsServer(t, account.ServeHTTP).Sessions(t.Context())
	require.NoError(t, err)
	require.Len(t, list.Sessions, 200)
	require.Equal(t, 2+3, account.pages)
}

func TestAListThatCannotBeHadWholeIsAnError(t *testing.T) {
	for name, spoil := range map[string]func(map[string]any){
		"pages other than asked for":    func(page map[string]any) { page["offset"] = 0 },
		"a total that is never reached": func(page map[string]any) { page["total"] = 400 },
		"a total of less than there is": func(page map[string]any) { page["total"] = 3 },
		"always the same page":          func(page map[string]any) { page["data"] = []everruns.Session{{ID: "session_a"}, {ID: "session_b"}} },
		"always the same page, of more than there is": func(page map[string]any) {
			page["data"], page["total"] = []everruns.Session{{ID: "session_a"}, {ID: "session_b"}}, 1
		},
		"no more, although there must be": func(page map[string]any) { page["data"] = []everruns.Session{} },
	} {
		t.Run(name, func(t *testing.T) {
			account := accountOf(250)
			account.spoil = spoil
			_, err := everrunsServer(t, account.ServeHTTP).Sessions(t.Context())
			require.True(t, IsKind(err, ErrorUnavailable), "%v", err)
			require.ErrorContains(t, err, "did not stay whole")
		})
	}
	t.Run("too much comes and goes", func(t *testing.T) {
		account := accountOf(5000)
		account.between = func(a *everrunsAccount, _ int) { a.sessions = a.sessions[min(50, len(a.sessions)):] }
		_, err := everrunsServer(t, account.ServeHTTP).Sessions(t.Context())
		require.True(t, IsKind(err, ErrorUnavailable), "%v", err)
	})
	t.Run("no list", func(t *testing.T) {
		_, err := everrunsAnswering(t, http.StatusOK, `{}`).Sessions(t.Context())
		require.True(t, IsKind(err, ErrorUnavailable), "%v", err)
	})
	t.Run("a page that fails", func(t *testing.T) {
		account := accountOf(250)
		_, err := everrunsServer(t, func(w http.ResponseWriter, r *http.Request) {
			if account.pages == 1 {
				w.WriteHeader(http.StatusInternalServerError)
				return
			}
			account.ServeHTTP(w, r)
		}).Sessions(t.Context())
		require.True(t, IsKind(err, ErrorUnavailable), "%v", err)
	})
}
