package devserver

import (
	"time"

	"go.temporal.io/server/common/dynamicconfig"
)

const (
	// unlimited is a rate, or a number of calls at once, that one machine cannot reach.
	unlimited = 100_000
	// taskWorkers of each of history's queues; behind them is one SQLite connection.
	taskWorkers = 64
	// cachedWorkflows kept in memory, open and closed. Timers come back to a
	// closed workflow until its last heartbeat would have been missed, and at half
	// as many a fast batch reads each from the disk again.
	cachedWorkflows = 2048
)

// dynamicConfig is the profile of an embedded server: one shard, one machine,
// one user. Limits on histories and payloads stay as Temporal has them. Settings
// of the caller's stand above all.
func dynamicConfig(over map[string]any) dynamicconfig.StaticClient {
	settings := profile()
	for name, value := range over {
		settings[dynamicconfig.MakeKey(name)] = value
	}
	return settings
}

func profile() dynamicconfig.StaticClient {
	return dynamicconfig.StaticClient{
		// At 20 polls a second, the default, every hop of the one shard waits up to 50 ms.
		dynamicconfig.TransferProcessorMaxPollRPS.Key():   1000,
		dynamicconfig.TimerProcessorMaxPollRPS.Key():      1000,
		dynamicconfig.VisibilityProcessorMaxPollRPS.Key(): 100,
		dynamicconfig.OutboundProcessorMaxPollRPS.Key():   1000,
		// A long poll on a history can miss the run's last event; it learns of it this late.
		dynamicconfig.HistoryLongPollExpirationInterval.Key(): 2 * time.Second,
		// Cancellation reaches activities that do not heartbeat.
		dynamicconfig.EnableCancelActivityWorkerCommand.Key(): true,
		dynamicconfig.WorkerCommandsEnabled.Key():             true,
		// No task is handed to a worker that is stopping, where it would be lost until it times out.
		dynamicconfig.EnableCancelWorkerPollsOnShutdown.Key(): true,

		// The user is alone: rate limits would only slow down a batch.
		dynamicconfig.FrontendRPS.Key():                                  unlimited,
		dynamicconfig.FrontendMaxNamespaceRPSPerInstance.Key():           unlimited,
		dynamicconfig.FrontendMaxNamespaceVisibilityRPSPerInstance.Key(): unlimited,
		dynamicconfig.HistoryRPS.Key():                                   unlimited,
		dynamicconfig.MatchingRPS.Key():                                  unlimited,
		dynamicconfig.FrontendPersistenceMaxQPS.Key():                    unlimited,
		dynamicconfig.HistoryPersistenceMaxQPS.Key():                     unlimited,
		dynamicconfig.MatchingPersistenceMaxQPS.Key():                    unlimited,
		dynamicconfig.WorkerPersistenceMaxQPS.Key():                      unlimited,
		// Thousands of clients may wait for thousands of workflows.
		dynamicconfig.FrontendMaxConcurrentLongRunningRequestsPerInstance.Key(): unlimited,

		// More partitions forward tasks and polls to each other, all in this process.
		dynamicconfig.MatchingNumTaskqueueReadPartitions.Key():  1,
		dynamicconfig.MatchingNumTaskqueueWritePartitions.Key(): 1,
		// 512 goroutines for each queue, the default, are 20 MB of stacks.
		dynamicconfig.TransferProcessorSchedulerWorkerCount.Key():    taskWorkers,
		dynamicconfig.TimerProcessorSchedulerWorkerCount.Key():       taskWorkers,
		dynamicconfig.VisibilityProcessorSchedulerWorkerCount.Key():  taskWorkers,
		dynamicconfig.MemoryTimerProcessorSchedulerWorkerCount.Key(): taskWorkers,
		// 128,000, the default, is more than a gigabyte an hour into a large batch.
		dynamicconfig.HistoryCacheHostLevelMaxSize.Key(): cachedWorkflows,

		// What it keeps of histories, 8 MiB by default, is for other clusters to copy.
		dynamicconfig.XDCCacheMaxSizeBytes.Key(): 256 << 10,

		// They sweep up what a cluster loses, at the price of workers that poll for
		// ever and outlive the server's stop.
		dynamicconfig.TaskQueueScannerEnabled.Key(): false,
		dynamicconfig.HistoryScannerEnabled.Key():   false,
		// Without its worker, history itself ends the children of a closed parent.
		dynamicconfig.EnableParentClosePolicyWorker.Key(): false,
	}
}
