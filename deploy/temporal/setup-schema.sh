#!/bin/sh
# Creates Temporal's two databases and updates their schemas. The connection
# comes from SQL_PLUGIN, SQL_HOST, SQL_PORT, SQL_USER and SQL_PASSWORD, the
# schemas from the folder SCHEMAS, by default that of the official image. It may
# run any number of times.
set -eu

schemas=${SCHEMAS:-/etc/temporal/schema/postgresql/v12}

for pair in temporal:temporal temporal_visibility:visibility; do
	database=${pair%%:*}
	schema=${pair#*:}
	temporal-sql-tool --db "$database" create-database
	temporal-sql-tool --db "$database" setup-schema --version 0.0
	temporal-sql-tool --db "$database" update-schema --schema-dir "$schemas/$schema/versioned"
done
