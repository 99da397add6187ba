package exec

import (
	"sync"
	"time"

	ps "github.com/shirou/gopsutil/v4/process"
)

// sampling is how often a group's memory is looked at.
const sampling = 500 * time.Millisecond

// census knows the processes of every group. One look at the list of processes
// serves all sessions, and opens no file of a process that is none of ours.
type census struct {
	mu     sync.Mutex
	at     time.Time
	groups map[int][]int32
}

// members gives the processes of a group as of half a sampling ago or later.
func (c *census) members(group int) []int32 {
	c.mu.Lock()
	defer c.mu.Unlock()
	if time.Since(c.at) < sampling/2 {
		return c.groups[group]
	}
	pids, err := ps.Pids()
	if err != nil {
		return nil
	}
	c.groups = make(map[int][]int32)
	for _, pid := range pids {
		g := groupOf(int(pid))
		c.groups[g] = append(c.groups[g], pid)
	}
	c.at = time.Now()
	return c.groups[group]
}

// resident is the memory of a group in bytes, summed over its processes.
func (c *census) resident(group int) int64 {
	var sum int64
	for _, pid := range c.members(group) {
		p := ps.Process{Pid: pid}
		if m, err := p.MemoryInfo(); err == nil {
			sum += int64(m.RSS)
		}
	}
	return sum
}
