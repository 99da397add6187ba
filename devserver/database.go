package devserver

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"os"
	"path/filepath"

	"go.temporal.io/server/common/config"
	"go.temporal.io/server/common/log"
	"go.temporal.io/server/common/metrics"
	temporalsql "go.temporal.io/server/common/persistence/sql"
	"go.temporal.io/server/common/persistence/sql/sqlplugin"
	sqliteplugin "go.temporal.io/server/common/persistence/sql/sqlplugin/sqlite"
	"go.temporal.io/server/common/resolver"
	"go.temporal.io/server/schema/sqlite"
	sqlitedriver "modernc.org/sqlite"
	sqlitelib "modernc.org/sqlite/lib"
)

// databaseFile is the name of the database in the server's folder.
const databaseFile = "temporal.db"

// schemaVersion is kept in the file as SQLite's user_version, since Temporal
// keeps none for SQLite. It counts the schemas that Errand has shipped.
const schemaVersion = 1

var (
	// ErrDamaged reports a database file that SQLite cannot read.
	ErrDamaged = errors.New("damaged or not a SQLite database")
	// ErrSchema reports a database whose tables another program or version made.
	ErrSchema = errors.New("made by another program or version")
)

// defaultPragmas of the one connection. WAL with synchronous=NORMAL keeps every
// commit through kill -9 and loses at most the last ones in a power cut.
var defaultPragmas = map[string]string{
	"busy_timeout":       "10000",
	"journal_mode":       "WAL",
	"synchronous":        "NORMAL",
	"journal_size_limit": "67108864",
}

// database is the SQLite file of a server.
type database struct {
	config *config.SQL
}

// openDatabase makes the file when there is none and refuses one that the server
// could not use.
func openDatabase(ctx context.Context, dir string, pragmas map[string]string) (*database, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	path, err := filepath.Abs(filepath.Join(dir, databaseFile))
	if err != nil {
		return nil, err
	}
	if err := prepareFile(ctx, path); err != nil {
		return nil, fmt.Errorf("database %s: %w", path, explain(err))
	}
	attributes := maps.Clone(pragmas)
	attributes["mode"] = "rwc"
	return &database{config: &config.SQL{
		PluginName:        sqliteplugin.PluginName,
		DatabaseName:      escapePath(path),
		ConnectAttributes: attributes,
		MaxConns:          1,
		MaxIdleConns:      1,
	}}, nil
}

// escapePath makes a path fit for a SQLite file: URI.
func escapePath(path string) string {
	return (&url.URL{Path: filepath.ToSlash(path)}).EscapedPath()
}

// prepareFile checks the file's schema version and makes the schema in a new
// file. It does so in one transaction: a crash leaves all of it or nothing.
func prepareFile(ctx context.Context, path string) (err error) {
	db, err := sql.Open("sqlite", "file:"+escapePath(path)+"?mode=rwc&_pragma=busy_timeout=10000")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }()

	var version, tables int
	if err := tx.QueryRowContext(ctx, "PRAGMA user_version").Scan(&version); err != nil {
		return err
	}
	if err := tx.QueryRowContext(ctx, "SELECT count(*) FROM sqlite_master").Scan(&tables); err != nil {
		return err
	}
	if version == schemaVersion {
		return nil
	}
	if version != 0 || tables != 0 {
		return fmt.Errorf("%w: schema version %d, not %d; name another folder", ErrSchema, version, schemaVersion)
	}
	if err := sqlite.SetupSchemaOnDB(schemaTx{tx: tx}); err != nil {
		return err
	}
	if err := dropVisibilityIndexes(ctx, tx); err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, fmt.Sprintf("PRAGMA user_version = %d", schemaVersion)); err != nil {
		return err
	}
	return tx.Commit()
}

// schemaTx runs Temporal's schema statements in a transaction.
type schemaTx struct {
	sqlplugin.AdminDB
	tx *sql.Tx
}

// Exec runs one statement, the only thing a schema set-up asks of its database.
func (s schemaTx) Exec(statement string, args ...any) error {
	_, err := s.tx.Exec(statement, args...)
	return err
}

// close moves the write-ahead log into the database file. The connection itself
// stays open: the server's SQLite plugin keeps it for the life of the process.
func (d *database) close() error {
	return d.execute("PRAGMA wal_checkpoint(TRUNCATE)")
}

// execute runs statements on the server's own connection.
func (d *database) execute(statements ...string) error {
	db, err := temporalsql.NewSQLAdminDB(sqlplugin.DbKindUnknown, d.config,
		resolver.NewNoopResolver(), log.NewNoopLogger(), metrics.NoopMetricsHandler)
	if err != nil {
		return err
	}
	for _, statement := range statements {
		if err := db.Exec(statement); err != nil {
			return errors.Join(err, db.Close())
		}
	}
	return db.Close()
}

// explain names the SQLite errors that have a remedy.
func explain(err error) error {
	var sqliteErr *sqlitedriver.Error
	if !errors.As(err, &sqliteErr) {
		return err
	}
	switch sqliteErr.Code() & 0xff {
	case sqlitelib.SQLITE_NOTADB, sqlitelib.SQLITE_CORRUPT:
		return fmt.Errorf("%w: %w; move it away or restore a copy", ErrDamaged, err)
	case sqlitelib.SQLITE_CANTOPEN:
		return fmt.Errorf("cannot be opened, check the folder's permissions: %w", err)
	case sqlitelib.SQLITE_BUSY:
		return fmt.Errorf("another process has it open: %w", err)
	}
	return err
}
