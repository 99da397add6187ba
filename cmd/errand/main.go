// Command errand runs remote agent tasks as durable Temporal workflows.
package main

import (
	"context"
	"os"

	"github.com/errand-dev/errand/internal/cli"
)

func main() {
	os.Exit(cli.Main(context.Background(), os.Args[1:], os.Environ(), os.Stdin, os.Stdout, os.Stderr))
}
