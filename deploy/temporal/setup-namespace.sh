#!/bin/sh
# Registers the namespace TEMPORAL_NAMESPACE and the search attributes that
# Errand's workflows set, at TEMPORAL_ADDRESS. It may run any number of times.
set -eu

# retry WHAT COMMAND...: runs a command until it succeeds, for a minute at most.
retry() {
	what=$1
	shift
	attempt=1
	until "$@"; do
		[ "$attempt" -lt 30 ] || return 1
		attempt=$((attempt + 1))
		echo "waiting for $what"
		sleep 2
	done
}

retry "the Temporal server at $TEMPORAL_ADDRESS" temporal operator cluster health

temporal operator namespace describe --namespace "$TEMPORAL_NAMESPACE" >/dev/null 2>&1 ||
	temporal operator namespace create --namespace "$TEMPORAL_NAMESPACE" --retention "$RETENTION"

# A new namespace is known to every part of the server some seconds later.
retry "the namespace $TEMPORAL_NAMESPACE" \
	temporal operator search-attribute create --namespace "$TEMPORAL_NAMESPACE" \
	--name ErrandStatus --type Keyword \
	--name ErrandConnection --type Keyword \
	--name ErrandBatch --type Keyword \
	--name ErrandLabels --type KeywordList
