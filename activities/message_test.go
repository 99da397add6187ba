package activities

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/errand-dev/errand/provider"
)

func TestAMessageGoesAsItsVendorTakesIt(t *testing.T) {
	apart, together := seen{as: provider.Capabilities{StartURL: true}}, seen{}
	w := turnWatch{in: TakeTurnInput{TaskID: "t-1", Message: &Message{Text: "Report the price", StartURL: "https://shop.example/p", Number: 3, ReplyTo: "call-1"}}}

	require.Equal(t, provider.Message{
		Text: "Report the price", StartURL: "https://shop.example/p", Key: "errand-t-1-3", ReplyTo: "call-1",
	}, w.message(apart))
	require.Equal(t, provider.Message{
		Text: "Report the price\n\nStart at https://shop.example/p", Key: "errand-t-1-3", ReplyTo: "call-1",
	}, w.message(together))

	w.in.Message = &Message{Text: "M"} // of a workflow that began before messages were numbered
	require.Equal(t, provider.Message{Text: "M"}, w.message(together))
}
