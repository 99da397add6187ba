package crash

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/errand-dev/errand/e2e/internal/wire"
)

// spoils is what may become of a request while all processes live.
var spoils = []struct {
	name  string
	fault wire.Fault
	calls func(call) bool // nil: all
}{
	{"its request is lost", wire.LoseRequest, nil},
	{"its reply is lost", wire.LoseReply, nil},
	{"its reply is cut in the middle", wire.HalveReply, nil},
	{"its request arrives after it was given up", wire.Late(late), changes},
	{"its reply never comes", wire.HoldReply, sends},
	{"its request arrives after its time is over", wire.HoldRequest(late), sends},
}

// changes says that the call does not only read.
func changes(k call) bool { return k.request != wire.Find && k.request != wire.Read }

// sends is for what takes the better part of a minute.
func sends(k call) bool { return k.request == wire.Send }

func TestACallMayBeSpoilt(t *testing.T) {
	t.Parallel()
	for _, call := range calls {
		for _, spoil := range spoils {
			if call.request == "" || (spoil.calls != nil && !spoil.calls(call)) {
				continue
			}
			t.Run(fmt.Sprintf("%s, %s", call.name, spoil.name), func(t *testing.T) {
				t.Parallel()
				c := newCell(t)
				c.man()
				struck := make(chan struct{})
				call.lay(c, func(x *wire.Exchange) bool {
					if !spoil.fault(x) {
						return false
					}
					close(struck)
					return true
				})
				c.play(call.spoiltStory())
				select {
				case <-struck:
				default:
					require.Fail(t, "nothing was spoilt")
				}
			})
		}
	}
}

// spoiltStory leaves a message that comes late an agent that would hear it.
func (k call) spoiltStory() story {
	if sends(k) {
		return lingering
	}
	return k.story
}
