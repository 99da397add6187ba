package shaky

import (
	"math/rand/v2"

	"go.temporal.io/server/common/config"
)

// What a call to a data store can come to.
const (
	refused = "ResourceExhausted" // not done, and told so
	timeout = "Timeout"           // not done, and nobody knows
	lost    = "ExecuteAndTimeout" // done, and nobody knows
)

var (
	writing = []string{refused, timeout, lost}
	reading = []string{refused, timeout}
)

// methods are those of the data stores that an agent task depends on.
var methods = []struct {
	store  config.DataStoreName
	method string
	faults []string
}{
	{config.ExecutionStoreName, "CreateWorkflowExecution", writing},
	{config.ExecutionStoreName, "UpdateWorkflowExecution", writing},
	{config.ExecutionStoreName, "SetWorkflowExecution", writing},
	{config.ExecutionStoreName, "AddHistoryTasks", writing},
	{config.ExecutionStoreName, "AppendHistoryNodes", writing},
	{config.ExecutionStoreName, "CompleteHistoryTask", writing},
	{config.ExecutionStoreName, "RangeCompleteHistoryTasks", writing},
	{config.ExecutionStoreName, "GetWorkflowExecution", reading},
	{config.ExecutionStoreName, "GetCurrentExecution", reading},
	{config.ExecutionStoreName, "GetHistoryTasks", reading},
	{config.ExecutionStoreName, "ReadHistoryBranch", reading},
	{config.TaskStoreName, "CreateTaskQueue", writing},
	{config.TaskStoreName, "UpdateTaskQueue", writing},
	{config.TaskStoreName, "CreateTasks", writing},
	{config.TaskStoreName, "CompleteTasksLessThan", writing},
	{config.TaskStoreName, "GetTaskQueue", reading},
	{config.TaskStoreName, "GetTasks", reading},
	{config.ShardStoreName, "UpdateShard", writing},
}

// plan has calls to each method fail with the probability, in each of its ways
// as often.
func plan(probability float64, seed uint64) *config.FaultInjection {
	random := rand.New(rand.NewPCG(seed, 0))
	plan := &config.FaultInjection{}
	for _, m := range methods {
		for _, fault := range m.faults {
			plan.WithError(m.store, m.method, fault, probability/float64(len(m.faults)))
		}
		plan.WithMethodSeed(m.store, m.method, random.Int64())
	}
	return plan
}
