package devserver

import (
	"net"
	"strconv"

	"go.temporal.io/server/common/cluster"
	"go.temporal.io/server/common/config"
	"go.temporal.io/server/common/membership/static"
	"go.temporal.io/server/common/primitives"
)

const (
	loopback    = "127.0.0.1"
	clusterName = "active"
	storeName   = "sqlite"
)

// staticConfig is the server's configuration file, as it were. Neither metrics
// nor profiling listen: their ports stay 0.
func staticConfig(host string, p ports, store config.DataStore) *config.Config {
	var c config.Config
	c.Persistence = config.Persistence{
		DefaultStore:     storeName,
		VisibilityStore:  storeName,
		NumHistoryShards: 1,
		DataStores:       map[string]config.DataStore{storeName: store},
	}
	frontend := dialAddress(host, p.frontend)
	c.ClusterMetadata = &cluster.Config{
		FailoverVersionIncrement: 10,
		MasterClusterName:        clusterName,
		CurrentClusterName:       clusterName,
		ClusterInformation: map[string]cluster.ClusterInformation{
			clusterName: {Enabled: true, InitialFailoverVersion: 1, RPCAddress: frontend},
		},
	}
	c.DCRedirectionPolicy.Policy = "noop"
	c.Services = map[string]config.Service{
		string(primitives.FrontendService): service(host, p.frontend),
		string(primitives.HistoryService):  service(loopback, p.history),
		string(primitives.MatchingService): service(loopback, p.matching),
		string(primitives.WorkerService):   service(loopback, p.worker),
	}
	c.Archival.History.State = config.ArchivalDisabled
	c.Archival.Visibility.State = config.ArchivalDisabled
	c.NamespaceDefaults.Archival.History.State = config.ArchivalDisabled
	c.NamespaceDefaults.Archival.Visibility.State = config.ArchivalDisabled
	c.PublicClient.HostPort = frontend
	return &c
}

func service(host string, port int) config.Service {
	return config.Service{RPC: config.RPC{BindOnIP: host, GRPCPort: port}}
}

// ports are those of the four services.
type ports struct {
	frontend, history, matching, worker int
}

// reservePorts finds the ports and holds them until release, so that no two are
// the same. The server cannot be handed a listener: it binds them once more.
func reservePorts(host string, frontend int) (p ports, release func(), err error) {
	var held []net.Listener
	release = func() {
		for _, l := range held {
			_ = l.Close()
		}
	}
	for _, want := range []struct {
		host string
		port int
		got  *int
	}{{host, frontend, &p.frontend}, {loopback, 0, &p.history}, {loopback, 0, &p.matching}, {loopback, 0, &p.worker}} {
		l, err := net.Listen("tcp", net.JoinHostPort(want.host, strconv.Itoa(want.port)))
		if err != nil {
			release()
			return ports{}, nil, err
		}
		held = append(held, l)
		*want.got = l.Addr().(*net.TCPAddr).Port
	}
	return p, release, nil
}

// hosts tells each service where the others are, which spares the server its
// gossip protocol.
func (p ports) hosts() map[primitives.ServiceName]static.Hosts {
	host := func(port int) static.Hosts {
		return static.SingleLocalHost(net.JoinHostPort(loopback, strconv.Itoa(port)))
	}
	return map[primitives.ServiceName]static.Hosts{
		primitives.FrontendService: host(p.frontend),
		primitives.HistoryService:  host(p.history),
		primitives.MatchingService: host(p.matching),
		primitives.WorkerService:   host(p.worker),
	}
}

// dialAddress is where a client on this machine reaches a listener on host.
func dialAddress(host string, port int) string {
	if ip := net.ParseIP(host); ip.IsUnspecified() {
		host = loopback
	}
	return net.JoinHostPort(host, strconv.Itoa(port))
}
