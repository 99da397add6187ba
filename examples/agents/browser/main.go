// Command browser is an agent that works with a real Chromium. It opens the
// page it is told, reads the product's name and price once the page's own
// script has drawn them, and buys it if the message says so and a person says
// yes.
//
// protocol.go speaks with the session server and knows no browser, browser.go
// drives Chromium and knows no task, errand.go is the task. To build an agent
// of your own, keep the first and replace the others.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	if err := speak(); err != nil {
		fmt.Fprintln(os.Stderr, "browser agent:", err)
		os.Exit(1)
	}
}

func speak() error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	b := &browser{path: os.Getenv("CHROMIUM_PATH"), profile: "chromium"}
	defer b.close() // in peace, so that its cookies reach the disk
	return serve(ctx, os.Stdin, os.Stdout, &shopper{browser: b})
}
