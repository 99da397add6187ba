package powercut

import (
	"database/sql"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	_ "modernc.org/sqlite" // the driver "sqlite"
)

func TestAPowerCutCostsTheLastWritesAndNeverTheFile(t *testing.T) {
	costly := 0
	for seed := range uint64(20) {
		random := rand.New(rand.NewPCG(seed, 0))
		database := filepath.Join(t.TempDir(), "a.db")
		db := open(t, database)
		execute(t, db, "CREATE TABLE numbers (n INTEGER PRIMARY KEY, text TEXT)")
		safe, last := 0, 30+random.IntN(60)
		for n := 1; n <= last; n++ {
			execute(t, db, "INSERT INTO numbers VALUES (?, ?)", n, string(rubbish(random, 3000)))
			if random.IntN(20) == 0 || n == last && seed%4 == 0 {
				execute(t, db, "PRAGMA wal_checkpoint(PASSIVE)")
				safe = n
			}
		}
		copied := copyOf(t, database)
		require.NoError(t, db.Close())

		lost, err := Cut(copied, random)
		require.NoError(t, err)

		db = open(t, copied)
		var verdict string
		require.NoError(t, db.QueryRow("PRAGMA integrity_check").Scan(&verdict))
		require.Equal(t, "ok", verdict)
		var highest, count int
		require.NoError(t, db.QueryRow("SELECT coalesce(max(n), 0), count(*) FROM numbers").Scan(&highest, &count))
		require.Equal(t, highest, count, "what is lost is the end")
		require.GreaterOrEqual(t, highest, safe, "what was flushed is there")
		if lost == 0 {
			require.Equal(t, last, highest)
		}
		if highest < last {
			costly++
		}
		require.NoError(t, db.Close())
	}
	require.NotZero(t, costly)
}

func TestADatabaseWithoutALogLosesNothing(t *testing.T) {
	lost, err := Cut(filepath.Join(t.TempDir(), "a.db"), rand.New(rand.NewPCG(1, 1)))
	require.NoError(t, err)
	require.Zero(t, lost)
}

// copyOf copies the files of a database that is open, which rests meanwhile.
func copyOf(t *testing.T, database string) string {
	t.Helper()
	to := filepath.Join(t.TempDir(), "a.db")
	for _, suffix := range []string{"", "-wal", "-shm"} {
		content, err := os.ReadFile(database + suffix)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(to+suffix, content, 0o600))
	}
	return to
}

func open(t *testing.T, database string) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+database+"?_pragma=journal_mode(WAL)&_pragma=synchronous(NORMAL)&_pragma=wal_autocheckpoint(0)")
	require.NoError(t, err)
	db.SetMaxOpenConns(1)
	return db
}

func execute(t *testing.T, db *sql.DB, statement string, args ...any) {
	t.Helper()
	_, err := db.Exec(statement, args...)
	require.NoError(t, err)
}
