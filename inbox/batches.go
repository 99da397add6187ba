package inbox

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"

	"github.com/errand-dev/errand/starter"
	"github.com/errand-dev/errand/workflows"
)

// Batches is what the pages of batches need of a [*starter.Client].
type Batches interface {
	Batches(ctx context.Context, limit int) ([]starter.Batch, error)
	Batch(ctx context.Context, id string) (starter.Batch, error)
	BatchResults(ctx context.Context, id string, visit func(starter.BatchResult) error) error
	List(ctx context.Context, f starter.Filter) ([]starter.AgentTask, error)
	PauseBatch(ctx context.Context, id string) (workflows.Status, error)
	ResumeBatch(ctx context.Context, id string) (workflows.Status, error)
	SetBatchConcurrency(ctx context.Context, id string, n int) error
	CancelBatch(ctx context.Context, id string) error
	RetryBatch(ctx context.Context, id string, concurrency int, again ...workflows.ItemState) (int, error)
}

const (
	// mostBatches is how many batches their page lists, the latest first.
	mostBatches = 50

	// mostItems is how many items that wait, and that failed, a batch's page names.
	mostItems = 20
)

// handleBatches adds the pages of batches, and the same for programs.
func (s *server) handleBatches(mux *http.ServeMux) {
	mux.HandleFunc("GET /batches", s.showBatches)
	mux.HandleFunc("GET "+batchesLive, s.showBatchesLive)
	mux.HandleFunc("GET /batches/{id}", s.showBatch)
	mux.HandleFunc("GET /batches/{id}/live", s.showBatchLive)
	mux.HandleFunc("GET /batches/{id}/results", s.sendResults)
	mux.HandleFunc("GET /api/batches", s.apiBatches)
	mux.HandleFunc("GET /api/batches/{id}", s.apiBatch)
	mux.HandleFunc("GET /api/batches/{id}/results", s.sendResults)
	for name, do := range map[string]batchCommand{
		"pause":       s.pauseBatch,
		"resume":      s.resumeBatch,
		"cancel":      s.cancelBatch,
		"retry":       s.retryBatch,
		"concurrency": s.resizeBatch,
	} {
		mux.HandleFunc("POST /batches/{id}/"+name, func(w http.ResponseWriter, r *http.Request) {
			if err := do(r); err != nil {
				s.sayFailure(w, r, err)
				return
			}
			http.Redirect(w, r, batchPath(r.PathValue("id")), http.StatusSeeOther)
		})
		mux.HandleFunc("POST /api/batches/{id}/"+name, func(w http.ResponseWriter, r *http.Request) {
			if err := do(r); err != nil {
				s.reply(w, nil, err)
				return
			}
			s.apiBatch(w, r)
		})
	}
}

// batchesLive is where the list of batches has its news: no batch has such an id.
const batchesLive = "/batches/-live"

func batchPath(id string) string { return "/batches/" + url.PathEscape(id) }

// batchesView is the list of batches, for its page.
type batchesView struct {
	Batches []batchView
	Live    livePart
}

// Title is that of the page.
func (batchesView) Title() string { return "Batches · Errand" }

// batchView is a batch, for its page and for the list.
type batchView struct {
	starter.Batch
	WaitingItems []starter.AgentTask
	FailedItems  []starter.AgentTask
	Live         livePart
}

// Title is that of the page, with how far the batch is.
func (v batchView) Title() string { return v.Words() + " · " + v.ID + " · Errand" }

// Words say how far the batch is.
func (v batchView) Words() string {
	return number(int64(v.Done())) + " of " + number(int64(v.Total)) + " done"
}

// Open says that the batch goes on.
func (v batchView) Open() bool { return !v.Status.Closed() }

// Paused says that a person has stopped it.
func (v batchView) Paused() bool { return v.Status == workflows.StatusPaused }

// Path is the address of what belongs to the batch.
func (v batchView) Path() string { return batchPath(v.ID) }

// Counts are the states of its items, with how many are in each.
func (v batchView) Counts() []count {
	return []count{
		{workflows.ItemPending, v.Pending}, {workflows.ItemRunning, v.Running}, {workflows.ItemWaiting, v.Waiting},
		{workflows.ItemCompleted, v.Completed}, {workflows.ItemFailed, v.Failed}, {workflows.ItemCancelled, v.Cancelled},
	}
}

type count struct {
	State workflows.ItemState
	N     int
}

// Number is the count for people.
func (c count) Number() string { return number(int64(c.N)) }

func (s *server) showBatches(w http.ResponseWriter, r *http.Request) {
	v, err := s.loadBatches(r.Context())
	if err != nil {
		s.sayFailure(w, r, err)
		return
	}
	s.pages.render(w, r, http.StatusOK, "batches.html", v)
}

func (s *server) showBatchesLive(w http.ResponseWriter, r *http.Request) {
	v, err := s.loadBatches(r.Context())
	if err != nil {
		s.sayFailure(w, r, err)
		return
	}
	s.sendNews(w, r, v.Live)
}

func (s *server) loadBatches(ctx context.Context) (v batchesView, err error) {
	batches, err := s.Batches.Batches(ctx, mostBatches)
	if err != nil {
		return v, err
	}
	for _, b := range batches {
		v.Batches = append(v.Batches, batchView{Batch: b})
	}
	v.Live, err = s.pages.live("batches", batchesLive, "", v)
	return v, err
}

func (s *server) showBatch(w http.ResponseWriter, r *http.Request) {
	v, err := s.loadBatch(r)
	if err != nil {
		s.sayFailure(w, r, err)
		return
	}
	s.pages.render(w, r, http.StatusOK, "batch.html", v)
}

func (s *server) showBatchLive(w http.ResponseWriter, r *http.Request) {
	v, err := s.loadBatch(r)
	if err != nil {
		s.sayFailure(w, r, err)
		return
	}
	s.sendNews(w, r, v.Live)
}

// loadBatch reads all that the page of a batch shows.
func (s *server) loadBatch(r *http.Request) (v batchView, err error) {
	if v.Batch, err = s.batch(r); err != nil {
		return v, err
	}
	if v.Waiting > 0 {
		v.WaitingItems, err = s.Batches.List(r.Context(), starter.Filter{Batch: v.ID, Status: workflows.StatusWaiting, Limit: mostItems})
	}
	if err == nil && v.Failed > 0 {
		v.FailedItems, err = s.Batches.List(r.Context(), starter.Filter{Batch: v.ID, Status: workflows.StatusFailed, Limit: mostItems})
	}
	if err != nil {
		return v, err
	}
	v.Live, err = s.pages.live("batch", v.Path()+"/live", "", v)
	return v, err
}

// batch is the batch that the address names. One that no worker answers for is
// shown as far as it is known.
func (s *server) batch(r *http.Request) (starter.Batch, error) {
	b, err := s.Batches.Batch(r.Context(), r.PathValue("id"))
	return b, unlessNoWorker(err, &b.Trouble)
}

// batchCommand does what a request asks of the batch that its address names.
type batchCommand func(r *http.Request) error

func (s *server) pauseBatch(r *http.Request) error {
	_, err := s.Batches.PauseBatch(r.Context(), r.PathValue("id"))
	return err
}

func (s *server) resumeBatch(r *http.Request) error {
	_, err := s.Batches.ResumeBatch(r.Context(), r.PathValue("id"))
	return err
}

// cancelBatch does not wait until the batch has ended.
func (s *server) cancelBatch(r *http.Request) error {
	return s.Batches.CancelBatch(r.Context(), r.PathValue("id"))
}

func (s *server) retryBatch(r *http.Request) error {
	_, err := s.Batches.RetryBatch(r.Context(), r.PathValue("id"), 0, workflows.ItemFailed)
	return err
}

// resizeBatch takes the new concurrency from the form's field of that name.
func (s *server) resizeBatch(r *http.Request) error {
	n, err := strconv.Atoi(r.FormValue("concurrency"))
	if err != nil {
		return &starter.InvalidInputError{Err: fmt.Errorf("a batch has 1 to %d tasks open at once, not %q", workflows.MaxConcurrency, r.FormValue("concurrency"))}
	}
	return s.Batches.SetBatchConcurrency(r.Context(), r.PathValue("id"), n)
}

// sendResults sends what has come of each item so far, one JSON object a line, in
// the order of the items.
func (s *server) sendResults(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("id")
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	begun := false
	err := s.Batches.BatchResults(r.Context(), id, func(result starter.BatchResult) error {
		if !begun {
			begun = true
			w.Header().Set("Content-Type", "application/jsonl")
			w.Header().Set("Content-Disposition", `attachment; filename="results.jsonl"`)
		}
		return e.Encode(result)
	})
	switch {
	case err == nil:
	case begun:
		panic(http.ErrAbortHandler) // or half of them would look like all
	default:
		s.sayFailure(w, r, err)
	}
}

// apiBatches answers with the latest batches.
func (s *server) apiBatches(w http.ResponseWriter, r *http.Request) {
	batches, err := s.Batches.Batches(r.Context(), mostBatches)
	if batches == nil {
		batches = []starter.Batch{}
	}
	s.reply(w, batches, err)
}

// apiBatch answers with a Batch.
func (s *server) apiBatch(w http.ResponseWriter, r *http.Request) {
	b, err := s.batch(r)
	s.reply(w, b, err)
}
