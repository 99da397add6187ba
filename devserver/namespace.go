package devserver

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/google/uuid"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	persistencespb "go.temporal.io/server/api/persistence/v1"
	"go.temporal.io/server/common/log"
	"go.temporal.io/server/common/metrics"
	"go.temporal.io/server/common/persistence"
	"go.temporal.io/server/common/persistence/serialization"
	temporalsql "go.temporal.io/server/common/persistence/sql"
	"go.temporal.io/server/common/resolver"
	"go.temporal.io/server/common/searchattribute/sadefs"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
)

// ensureNamespace makes the namespace, or gives it the retention and the search
// attributes it lacks. Done before the server starts, they are there from its
// first request, where the operator service's would take seconds to be seen.
func (d *database) ensureNamespace(ctx context.Context, o Options) error {
	serializer := serialization.NewSerializer()
	factory := temporalsql.NewFactory(*d.config, resolver.NewNoopResolver(), clusterName,
		log.NewNoopLogger(), metrics.NoopMetricsHandler, serializer)
	defer factory.Close()
	store, err := factory.NewMetadataStore()
	if err != nil {
		return explain(err)
	}
	manager := persistence.NewMetadataManagerImpl(store, serializer, log.NewNoopLogger(), clusterName)

	found, err := manager.GetNamespace(ctx, &persistence.GetNamespaceRequest{Name: o.Namespace})
	if notFound := new(serviceerror.NamespaceNotFound); errors.As(err, &notFound) {
		detail := newNamespace(o.Namespace)
		if err := d.configure(detail, o); err != nil {
			return err
		}
		_, err := manager.CreateNamespace(ctx, &persistence.CreateNamespaceRequest{Namespace: detail})
		return err
	}
	if err != nil {
		return fmt.Errorf("read namespace %s: %w", o.Namespace, explain(err))
	}
	before := proto.CloneOf(found.Namespace)
	if err := d.configure(found.Namespace, o); err != nil {
		return err
	}
	if proto.Equal(before, found.Namespace) {
		return nil
	}
	metadata, err := manager.GetMetadata(ctx)
	if err != nil {
		return err
	}
	found.Namespace.ConfigVersion++
	return manager.UpdateNamespace(ctx, &persistence.UpdateNamespaceRequest{
		Namespace:           found.Namespace,
		NotificationVersion: metadata.NotificationVersion,
	})
}

func newNamespace(name string) *persistencespb.NamespaceDetail {
	return &persistencespb.NamespaceDetail{
		Info: &persistencespb.NamespaceInfo{
			Id:    uuid.NewString(),
			Name:  name,
			State: enumspb.NAMESPACE_STATE_REGISTERED,
		},
		Config: &persistencespb.NamespaceConfig{
			HistoryArchivalState:    enumspb.ARCHIVAL_STATE_DISABLED,
			VisibilityArchivalState: enumspb.ARCHIVAL_STATE_DISABLED,
		},
		ReplicationConfig: &persistencespb.NamespaceReplicationConfig{
			ActiveClusterName: clusterName,
			Clusters:          []string{clusterName},
		},
		FailoverNotificationVersion: -1,
	}
}

// configure sets what the options say about a namespace, and makes the indexes of
// its search attributes.
func (d *database) configure(detail *persistencespb.NamespaceDetail, o Options) error {
	detail.Config.Retention = durationpb.New(o.Retention.Round(time.Second))
	if detail.Config.CustomSearchAttributeAliases == nil {
		detail.Config.CustomSearchAttributeAliases = map[string]string{}
	}
	aliases := detail.Config.CustomSearchAttributeAliases // column to name
	for _, name := range slices.Sorted(maps.Keys(o.SearchAttributes)) {
		if err := addSearchAttribute(aliases, name, o.SearchAttributes[name]); err != nil {
			return err
		}
	}
	return d.indexColumns(maps.Keys(aliases))
}

// addSearchAttribute gives a search attribute a free column of its type. SQL
// visibility has three of most types and ten of keyword.
func addSearchAttribute(aliases map[string]string, name string, valueType enumspb.IndexedValueType) error {
	columns := sadefs.GetDBIndexSearchAttributes(nil).CustomSearchAttributes
	for column, alias := range aliases {
		if alias != name {
			continue
		}
		if columns[column] != valueType {
			return fmt.Errorf("search attribute %s is a %s already and cannot become a %s", name, columns[column], valueType)
		}
		return nil
	}
	for _, column := range slices.Sorted(maps.Keys(columns)) {
		if _, taken := aliases[column]; !taken && columns[column] == valueType {
			aliases[column] = name
			return nil
		}
	}
	return fmt.Errorf("no room for search attribute %s: every %s column is taken", name, valueType)
}
