package devserver

import (
	"context"
	"database/sql"
	"fmt"
	"iter"
	"slices"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/server/common/searchattribute/sadefs"
)

// visibilityIndexes are those that a new database keeps, besides the ones of the
// search attributes in use. Temporal's schema has 58, and every start, change and
// end of a workflow writes to each: a quarter of the server's work.
var visibilityIndexes = []string{
	"default_idx",
	"by_workflow_id",
	"by_workflow_type",
	"by_status",
	"by_temporal_scheduled_by_id",
}

// dropVisibilityIndexes removes all other indexes. Queries on their columns still
// work, by a scan.
func dropVisibilityIndexes(ctx context.Context, tx *sql.Tx) error {
	rows, err := tx.QueryContext(ctx,
		"SELECT name FROM sqlite_master WHERE type = 'index' AND tbl_name = 'executions_visibility' AND sql IS NOT NULL")
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }()
	var names []string
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			return err
		}
		names = append(names, name)
	}
	if err := rows.Err(); err != nil {
		return err
	}
	for _, name := range names {
		if slices.Contains(visibilityIndexes, name) {
			continue
		}
		if _, err := tx.ExecContext(ctx, "DROP INDEX "+name); err != nil {
			return err
		}
	}
	return nil
}

// indexColumns makes the indexes of the columns that search attributes use. Text
// and keyword lists have none: Temporal finds them by full-text search.
func (d *database) indexColumns(columns iter.Seq[string]) error {
	types := sadefs.GetDBIndexSearchAttributes(nil).CustomSearchAttributes
	var statements []string
	for column := range columns {
		switch types[column] {
		case enumspb.INDEXED_VALUE_TYPE_TEXT, enumspb.INDEXED_VALUE_TYPE_KEYWORD_LIST:
			continue
		}
		statements = append(statements, fmt.Sprintf(
			"CREATE INDEX IF NOT EXISTS by_%[1]s ON executions_visibility (namespace_id, %[1]s,"+
				" (COALESCE(close_time, '9999-12-31 23:59:59+00:00')) DESC, start_time DESC, run_id)", column))
	}
	return d.execute(statements...)
}
