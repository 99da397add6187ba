package everruns

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
)

// kind is what an id is of, its prefix.
type kind string

// The kinds of ids.
const (
	sessionID   kind = "session"
	messageID   kind = "message"
	eventID     kind = "event"
	turnID      kind = "turn"
	agentID     kind = "agent"
	modelID     kind = "model"
	providerID  kind = "provider"
	orgID       kind = "org"
	taskID      kind = "task"
	inputID     kind = "input"
	callID      kind = "call"
	harnessID   kind = "harness"
	workspaceID kind = "wsp"
	principalID kind = "principal"
)

// defaultOrg is the organization of a server that has one alone, from the
// vendor documentation.
const defaultOrg = "org_00000000000000000000000000000001"

// of writes an id: the kind and 32 hexadecimal digits.
func (k kind) of(id uuid.UUID) string { return string(k) + "_" + hex.EncodeToString(id[:]) }

// fresh makes a new id, ordered by time.
func (k kind) fresh() (string, error) {
	id, err := uuid.NewV7()
	return k.of(id), err
}

// named derives an id that is always the same for these parts.
func (k kind) named(parts ...any) string {
	sum := digest(k, parts)
	return k.of(uuid.UUID(sum[:16]))
}

// at derives an id from a time and parts, in the form of a UUID of version 7.
func (k kind) at(t time.Time, parts ...any) string {
	id := stamped(t.UnixMilli(), digest(k, parts))
	return k.of(id)
}

// numbered derives the id of the entry with this number, at a time in Unix
// milliseconds. Ids are in the order of times, and of numbers at one time.
func (k kind) numbered(milli int64, number int, parts ...any) string {
	n, sum := uint32(number), digest(k, append(parts, number))
	id := stamped(milli, sum)
	// 12 bits stand behind the version and 20 behind the variant.
	binary.BigEndian.PutUint16(id[6:], 0x7000|uint16(n>>20))
	binary.BigEndian.PutUint32(id[8:], 0x80000000|(n&0xfffff)<<10|uint32(sum[16]))
	return k.of(id)
}

func digest(k kind, parts []any) [sha256.Size]byte {
	return sha256.Sum256([]byte(fmt.Sprint(k, parts)))
}

func stamped(milli int64, sum [sha256.Size]byte) (id uuid.UUID) {
	copy(id[:], sum[:16])
	binary.BigEndian.PutUint64(id[:], uint64(milli)<<16|uint64(binary.BigEndian.Uint16(sum[:])))
	id[6] = 0x70 | id[6]&0x0f
	id[8] = 0x80 | id[8]&0x3f
	return id
}

// is says whether a text is an id of the kind; short takes 31 digits, too.
func (k kind) is(text string, short bool) bool {
	digits, ok := strings.CutPrefix(text, string(k)+"_")
	if !ok || (len(digits) != 32 && (!short || len(digits) != 31)) {
		return false
	}
	return strings.Trim(digits, "0123456789abcdef") == ""
}
