package devserver_test

import (
	"database/sql"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"github.com/errand-dev/errand/devserver"
)

func TestTheDatabaseIsInWALModeAndOneFileAfterAStop(t *testing.T) {
	dir := filepath.Join(t.TempDir(), `odd ?#%20'"names`, "made on the way")
	s, err := devserver.Start(t.Context(), devserver.Options{Dir: dir})
	require.NoError(t, err)
	file := filepath.Join(dir, "temporal.db")
	require.Equal(t, "wal", pragma(t, file, "journal_mode"))
	require.NotZero(t, size(t, file+"-wal"), "writes go to the log")
	require.NoError(t, s.Stop())
	require.Zero(t, size(t, file+"-wal"))
	require.Equal(t, "ok", pragma(t, file, "integrity_check"))
}

func TestAFileTheServerCannotUseIsLeftAlone(t *testing.T) {
	for name, c := range map[string]struct {
		make func(t *testing.T, file string)
		want error
	}{
		"no database": {func(t *testing.T, file string) {
			require.NoError(t, os.WriteFile(file, make([]byte, 8192), 0o600))
			f, err := os.OpenFile(file, os.O_WRONLY, 0)
			require.NoError(t, err)
			_, err = f.WriteString("certainly not SQLite")
			require.NoError(t, err)
			require.NoError(t, f.Close())
		}, devserver.ErrDamaged},
		"a torn schema": {func(t *testing.T, file string) {
			execute(t, file, "CREATE TABLE a (b)")
			f, err := os.OpenFile(file, os.O_WRONLY, 0)
			require.NoError(t, err)
			_, err = f.WriteAt(make([]byte, 2048), 100)
			require.NoError(t, err)
			require.NoError(t, f.Close())
		}, devserver.ErrDamaged},
		"another program's": {func(t *testing.T, file string) {
			execute(t, file, "CREATE TABLE a (b)")
		}, devserver.ErrSchema},
		"a newer version's": {func(t *testing.T, file string) {
			execute(t, file, "PRAGMA user_version = 1000")
		}, devserver.ErrSchema},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			file := filepath.Join(dir, "temporal.db")
			c.make(t, file)
			before, err := os.ReadFile(file)
			require.NoError(t, err)
			_, err = devserver.Start(t.Context(), devserver.Options{Dir: dir})
			require.ErrorIs(t, err, c.want)
			require.ErrorContains(t, err, file)
			after, err := os.ReadFile(file)
			require.NoError(t, err)
			require.Equal(t, before, after)
		})
	}
}

func TestAFolderBelowAFileIsRefused(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	_, err := devserver.Start(t.Context(), devserver.Options{Dir: filepath.Join(file, "dir")})
	require.ErrorContains(t, err, "not a directory")
}

func TestNewSearchAttributesAreThereAtTheNextStart(t *testing.T) {
	dir := t.TempDir()
	o := devserver.Options{Dir: dir, SearchAttributes: map[string]enumspb.IndexedValueType{
		"ErrandStatus": enumspb.INDEXED_VALUE_TYPE_KEYWORD,
	}}
	first, err := devserver.Start(t.Context(), o)
	require.NoError(t, err)
	startWith(t, dial(t, first), "ErrandStatus", "waiting")
	require.NoError(t, first.Stop())

	o.SearchAttributes["ErrandBatch"] = enumspb.INDEXED_VALUE_TYPE_KEYWORD
	o.Retention = 48 * time.Hour
	second, err := devserver.Start(t.Context(), o)
	require.NoError(t, err)
	c := dial(t, second)
	startWith(t, c, "ErrandBatch", "b-1")
	for _, query := range []string{`ErrandStatus = "waiting"`, `ErrandBatch = "b-1"`} {
		require.Eventually(t, func() bool {
			n, err := c.CountWorkflow(t.Context(), &workflowservice.CountWorkflowExecutionsRequest{Query: query})
			return err == nil && n.Count == 1
		}, patience, 10*time.Millisecond, query)
	}
	d, err := c.WorkflowService().DescribeNamespace(t.Context(), &workflowservice.DescribeNamespaceRequest{Namespace: "default"})
	require.NoError(t, err)
	require.Equal(t, 48*time.Hour, d.Config.WorkflowExecutionRetentionTtl.AsDuration())
	require.NoError(t, second.Stop())

	o.SearchAttributes["ErrandBatch"] = enumspb.INDEXED_VALUE_TYPE_INT
	_, err = devserver.Start(t.Context(), o)
	require.ErrorContains(t, err, "search attribute ErrandBatch is a Keyword already")
}

func TestOnlySearchAttributesInUseHaveAnIndex(t *testing.T) {
	dir := t.TempDir()
	start(t, devserver.Options{Dir: dir, SearchAttributes: map[string]enumspb.IndexedValueType{
		"ErrandStatus": enumspb.INDEXED_VALUE_TYPE_KEYWORD,
		"ErrandLabels": enumspb.INDEXED_VALUE_TYPE_KEYWORD_LIST,
	}})
	db := open(t, filepath.Join(dir, "temporal.db"))
	defer func() { require.NoError(t, db.Close()) }()
	var indexes string
	require.NoError(t, db.QueryRow(`SELECT group_concat(name, ' ' ORDER BY name) FROM sqlite_master
		WHERE type = 'index' AND tbl_name = 'executions_visibility' AND sql IS NOT NULL`).Scan(&indexes))
	require.Equal(t, "by_Keyword01 by_status by_temporal_scheduled_by_id by_workflow_id by_workflow_type default_idx", indexes)
}

func TestTooManySearchAttributesAreAnError(t *testing.T) {
	o := devserver.Options{Dir: t.TempDir(), SearchAttributes: map[string]enumspb.IndexedValueType{}}
	for i := range 20 {
		o.SearchAttributes["Bool"+strconv.Itoa(i)] = enumspb.INDEXED_VALUE_TYPE_BOOL
	}
	_, err := devserver.Start(t.Context(), o)
	require.ErrorContains(t, err, "no room for search attribute")
}

func startWith(t *testing.T, c client.Client, name, value string) {
	t.Helper()
	_, err := c.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{
		TaskQueue:             taskQueue,
		TypedSearchAttributes: temporal.NewSearchAttributes(temporal.NewSearchAttributeKeyKeyword(name).ValueSet(value)),
	}, wait)
	require.NoError(t, err)
}

func size(t *testing.T, file string) int64 {
	t.Helper()
	info, err := os.Stat(file)
	require.NoError(t, err)
	return info.Size()
}

func open(t *testing.T, file string) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite", file)
	require.NoError(t, err)
	return db
}

func pragma(t *testing.T, file, name string) string {
	t.Helper()
	link := filepath.Join(t.TempDir(), "link") // a name without special characters
	require.NoError(t, os.Symlink(file, link))
	db := open(t, link)
	defer func() { require.NoError(t, db.Close()) }()
	var value string
	require.NoError(t, db.QueryRow("PRAGMA "+name).Scan(&value))
	return value
}

func execute(t *testing.T, file, statement string) {
	t.Helper()
	db := open(t, file)
	_, err := db.Exec(statement)
	require.NoError(t, err)
	require.NoError(t, db.Close())
}

func atoi(t *testing.T, s string) int {
	t.Helper()
	n, err := strconv.Atoi(s)
	require.NoError(t, err)
	return n
}
