package everruns

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/errand-dev/errand/sessionserver/internal/sessions"
)

// eventTypes are the types that a filter can name.
var eventTypes = strings.Fields(`
	session.started session.activated session.idled input.message
	turn.started turn.completed turn.failed turn.cancelled turn.sealed
	reason.started reason.completed reason.thinking.started reason.thinking.delta reason.thinking.completed
	reason.item reason.recovered act.started act.completed
	tool.started tool.completed tool.progress tool.output.delta tool.call_requested tool_call.repaired
	output.message.started output.message.delta output.message.completed output.message.replaced
	llm.generation transcript.repaired capability.usage
	task.created task.updated task.message.sent task.message.received
	context.compacting context.compacted file.written
	budget.warning budget.paused budget.exhausted budget.resumed`)

// most is how often a filter may be given.
const most = 25

// filter says which events a client wants.
type filter struct {
	since          string // an id: those after it
	types, exclude []string
	turn           string
	after, before  int // sequence numbers; 0: any
	limit          int // the last so many; 0: all
}

func (f *Face) filter(q url.Values) (want filter, err error) {
	want = filter{since: q.Get("since_id"), exclude: q["exclude"]}
	if want.since != "" {
		if err := f.checkID(eventID, want.since); err != nil {
			return want, err
		}
	}
	if f.Profile == Current {
		want.types = q["types"]
		want.turn = q.Get("turn_id")
		if want.after, err = number(q, "after_sequence", 0, 0, largest); err != nil {
			return want, err
		}
		if want.before, err = number(q, "before_sequence", 0, 1, largest); err != nil {
			return want, err
		}
		if want.limit, err = number(q, "limit", 0, 1, 1000); err != nil {
			return want, err
		}
	}
	for _, names := range [][]string{want.types, want.exclude} {
		if len(names) > most {
			return want, invalid("A filter should have at most %d types", most)
		}
		for _, name := range names {
			if !slices.Contains(eventTypes, name) {
				return want, invalid("There is no event type %q; give each type in a parameter of its own", name)
			}
		}
	}
	return want, nil
}

// takes says whether the filter lets an event through. Ids are in the order of
// events, so that one that does not exist still says where to go on.
func (w filter) takes(e event) bool {
	return e.ID > w.since &&
		(len(w.types) == 0 || slices.Contains(w.types, e.Type)) &&
		!slices.Contains(w.exclude, e.Type) &&
		(w.turn == "" || w.turn == e.Context.TurnID) &&
		e.Sequence > w.after &&
		(w.before == 0 || e.Sequence < w.before)
}

func (f *Face) events(w http.ResponseWriter, r *http.Request, s *sessions.Session) {
	want, err := f.filter(r.URL.Query())
	if err != nil {
		f.fail(w, r, err)
		return
	}
	all := []event{}
	for _, e := range timelineOf(s).events {
		if want.takes(e) {
			all = append(all, e)
		}
	}
	if want.limit > 0 {
		w.Header().Set("X-Total-Count", strconv.Itoa(len(all)))
		all = all[max(0, len(all)-want.limit):]
	}
	writeJSON(w, http.StatusOK, listBody[event]{all})
}
