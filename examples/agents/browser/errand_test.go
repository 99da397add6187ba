package main

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestWithoutChromiumTheAgentTellsWhatToInstall(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "chromium")
	a := startAgent(t, t.TempDir(), nil, "CHROMIUM_PATH="+missing)
	require.Equal(t, []any{"screenshot", "navigate", "save"}, a.Wait("ready")["can"])

	a.Send(line{"type": "screenshot"})
	require.Contains(t, a.Wait("failed").Text("text"), "apt-get install chromium")
	a.Send(line{"type": "navigate", "url": "file:///etc/passwd"})
	require.Contains(t, a.Wait("failed").Text("text"), "no absolute http or https URL")
	a.Send(line{"type": "save"})
	require.Equal(t, map[string]any{}, a.Wait("state")["state"])
	a.Send(line{"type": "message", "text": "Report the price"})
	require.Contains(t, a.Wait("error").Text("text"), "send a start URL")
	a.Send(line{"type": "message", "text": "Report the price", "start_url": "http://127.0.0.1:1/"})
	require.Contains(t, a.Wait("error").Text("text"), "apt-get install chromium")
	require.NoError(t, a.End())
}

func TestAStateOfAnotherAgentIsRefused(t *testing.T) {
	a := startAgent(t, t.TempDir(), []int{1})
	require.Contains(t, a.Wait("ready").Text("cannot_restore"), "not that of a browser")
	require.NoError(t, a.End())
}

func TestTheAddressInAMessageIsFound(t *testing.T) {
	for text, want := range map[string]string{
		"Report the price":                        "",
		"Look at http://shop.example/a?b=1&c=2.":  "http://shop.example/a?b=1&c=2",
		"(see https://shop.example/a), then buy!": "https://shop.example/a",
		"<http://a.example> or http://b.example":  "http://a.example",
	} {
		require.Equal(t, want, firstURL(text), text)
	}
}

func TestAWishToBuyIsHeardInWordsAndNotInAddresses(t *testing.T) {
	for text, want := range map[string]bool{
		"Buy it":                            true,
		"please ORDER one":                  true,
		"Purchase this":                     true,
		"Report the price":                  false,
		"Report my orders":                  false,
		"Report http://shop.example/buy/42": false,
	} {
		require.Equal(t, want, wantsToBuy(text), text)
	}
}
