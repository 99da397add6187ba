package exec

import "time"

// SetReadTime is how long an agent may leave its input unread.
func (a *Agent) SetReadTime(d time.Duration) { a.readTime = d }

// SetReadyTime is how long a program may take to say what it can do.
func (a *Agent) SetReadyTime(d time.Duration) { a.readyTime = d }

// Resident is the memory of a process group in bytes.
func (a *Agent) Resident(group int) int64 { return a.census.resident(group) }

// Forget makes the next look at a group a new one.
func (a *Agent) Forget() { a.census.at = time.Time{} }
