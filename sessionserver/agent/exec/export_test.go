package exec

import "time"

// SetReadTime is how long an agent may leave its input unread.
func (a *Agent) SetReadTime(d time.Duration) { a.readTime = d }

// Resident is the memory of a process group in bytes.
func (a *Agent) Resident(group int) int64 { return a.census.resident(group) }

// Forget makes the next look at a group a new one.
func (a *Agent) Forget() { a.census.at = time.Time{} }
