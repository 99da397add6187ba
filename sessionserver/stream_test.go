package sessionserver

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestTheStreamTellsEverythingInOrderAndEndsWithTheTask(t *testing.T) {
	_, c := serve(t, Config{})
	id := c.create("script")
	stream := c.events("/v1/sessions/" + id + "/events")
	c.send(id, `think a; log b; ask q?; finish {"n":1}`)
	c.until(id, "waiting_for_input")
	c.ok("POST", "/v1/sessions/"+id+"/pause", nil, nil)
	c.ok("POST", "/v1/sessions/"+id+"/resume", nil, nil)
	c.send(id, "yes")

	all := stream.rest()
	require.Equal(t, []string{"user", "thought", "log", "question", "paused", "resumed", "user", "done"}, names(all))
	require.Equal(t, frame{"2", "thought", `{"text":"a","message_id":2}`}, all[1])
	require.Equal(t, frame{"4", "question", `{"text":"q?","message_id":4}`}, all[3])
	require.Empty(t, all[4].id)
	require.Contains(t, all[4].data, `"timestamp":"`)
	require.Equal(t, frame{"6", "done", `{"text":"{\"n\":1}","result":{"n":1},"message_id":6}`}, all[7])
}

func TestAFailureEndsTheStream(t *testing.T) {
	_, c := serve(t, Config{})
	id := c.create("script")
	c.send(id, "fail no way")
	all := c.events("/v1/sessions/" + id + "/events").rest()
	require.Equal(t, frame{"2", "error", `{"error":"no way","status_code":500}`}, all[len(all)-1])
}

func TestALateReaderGetsTheHistoryFirst(t *testing.T) {
	_, c := serve(t, Config{})
	id := c.create("script")
	c.send(id, "think early\nask q?\nfinish ok")
	c.until(id, "waiting_for_input")
	stream := c.events("/v1/sessions/" + id + "/events")
	for _, want := range []string{"user", "thought", "question"} {
		f, ok := stream.next()
		require.True(t, ok)
		require.Equal(t, want, f.event)
	}
	c.send(id, "yes")
	require.Equal(t, []string{"user", "done"}, names(stream.rest()))
}

func TestAReaderWithoutHistoryGetsOnlyWhatComes(t *testing.T) {
	_, c := serve(t, Config{})
	id := c.create("script")
	c.send(id, "finish one")
	c.until(id, "finished")
	stream := c.events("/v1/sessions/" + id + "/events?include_history=false")
	c.send(id, "finish two")
	all := stream.rest()
	require.Equal(t, []string{"user", "done"}, names(all))
	require.Equal(t, "4", all[1].id)
}

func TestAnEarlierResultDoesNotEndTheStreamOfTheNextTask(t *testing.T) {
	_, c := serve(t, Config{})
	id := c.create("script")
	c.send(id, "finish one")
	c.until(id, "finished")
	c.send(id, "ask q?\nfinish two")
	c.until(id, "waiting_for_input")
	stream := c.events("/v1/sessions/" + id + "/events")
	for range 4 {
		_, ok := stream.next()
		require.True(t, ok)
	}
	c.send(id, "yes")
	require.Equal(t, []string{"user", "done"}, names(stream.rest()))
}

func TestAReaderGetsTheTypesItAskedFor(t *testing.T) {
	_, c := serve(t, Config{})
	id := c.create("script")
	c.send(id, "think a; log b; think c; finish ok")
	c.until(id, "finished")
	require.Equal(t, []string{"thought", "thought"}, names(c.events("/v1/sessions/"+id+"/events?event_types=thought,question").rest()))
}

func TestDeleteAndCloseEndStreams(t *testing.T) {
	s, c := serve(t, Config{})
	deleted := c.events("/v1/sessions/" + c.create("script") + "/events")
	kept := c.events("/v1/sessions/" + c.create("script") + "/events")
	var list []sessionJSON
	c.ok("GET", "/v1/sessions", nil, &list)
	c.ok("DELETE", "/v1/sessions/"+list[0].SessionID, nil, nil)
	require.Empty(t, deleted.rest())
	require.NoError(t, s.Close(t.Context()))
	require.Empty(t, kept.rest())
}

func TestAQuietStreamHasHeartbeats(t *testing.T) {
	_, c := serve(t, Config{AGI: AGIOptions{Heartbeat: time.Millisecond}})
	session := c.create("script")
	stream := c.events("/v1/sessions/" + session + "/events?event_types=done")
	f, ok := stream.next()
	require.True(t, ok)
	require.Equal(t, "heartbeat", f.event)
	require.Empty(t, f.id)
	require.Contains(t, f.data, `{"timestamp":"2`)
	require.NoError(t, stream.body.Close())
}

func TestTwoHundredReadersAllSeeEverything(t *testing.T) {
	_, c := serve(t, Config{})
	id := c.create("script")
	const readers, thoughts = 200, 50
	var streams []*events
	for range readers {
		streams = append(streams, c.events("/v1/sessions/"+id+"/events"))
	}
	c.send(id, strings.Repeat("think x\n", thoughts)+"finish ok")
	var wg sync.WaitGroup
	results := make([]string, readers)
	for i, s := range streams {
		wg.Go(func() {
			for _, f := range s.rest() {
				results[i] += f.id + " "
			}
		})
	}
	wg.Wait()
	var want string
	for i := range thoughts + 2 {
		want += fmt.Sprint(i+1) + " "
	}
	for _, got := range results {
		require.Equal(t, want, got)
	}
}

func names(frames []frame) []string {
	all := make([]string, len(frames))
	for i, f := range frames {
		all[i] = f.event
	}
	return all
}
