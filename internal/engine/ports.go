package engine

import (
	"net"
	"strconv"
)

const loopback = "127.0.0.1"

func listenLoopback(port int) (net.Listener, error) {
	return net.Listen("tcp", net.JoinHostPort(loopback, strconv.Itoa(port)))
}

// stillFree returns the port, or 0 when something else has taken it meanwhile.
func stillFree(port int) int {
	l, err := listenLoopback(port)
	if err != nil {
		return 0
	}
	_ = l.Close()
	return port
}

// port of a host:port, 0 when there is none.
func port(address string) int {
	_, p, err := net.SplitHostPort(address)
	if err != nil {
		return 0
	}
	n, err := strconv.ParseUint(p, 10, 16)
	if err != nil {
		return 0
	}
	return int(n)
}
