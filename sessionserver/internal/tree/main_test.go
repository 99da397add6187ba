package tree

import (
	"fmt"
	"os"
	"testing"

	"go.uber.org/goleak"
)

// childJob makes the test binary a process that works until it is killed.
const childJob = "TREE_TEST_JOB"

func TestMain(m *testing.M) {
	if job := os.Getenv(childJob); job != "" {
		fmt.Fprintln(os.Stderr, jobs[job]("."))
		os.Exit(1)
	}
	goleak.VerifyTestMain(m)
}
