package devserver

import (
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/labstack/echo/v4/middleware"
	"github.com/temporalio/ui-server/v2/server/api"
	uiconfig "github.com/temporalio/ui-server/v2/server/config"
	"github.com/temporalio/ui-server/v2/server/csrf"
	"github.com/temporalio/ui-server/v2/server/headers"
	"github.com/temporalio/ui-server/v2/server/route"
	"github.com/temporalio/ui-server/v2/ui"
	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

// maxUIMessage is the largest answer of the server the Web UI shows, in bytes.
const maxUIMessage = 64 << 20

// webUI serves the Temporal Web UI. It is put together out of the UI server's
// routes, because that server ends the process when it cannot listen.
type webUI struct {
	listener net.Listener
	conn     *grpc.ClientConn
	server   *http.Server
}

// newWebUI takes the UI's port. It answers once serve is called.
func newWebUI(o Options, frontend string) (*webUI, error) {
	handler, conn, err := newUIHandler(o, frontend)
	if err != nil {
		return nil, err
	}
	listener, err := net.Listen("tcp", net.JoinHostPort(o.Host, strconv.Itoa(o.UIPort)))
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return &webUI{
		listener: listener,
		conn:     conn,
		server: &http.Server{
			Handler:           handler,
			ReadHeaderTimeout: 10 * time.Second,
			ErrorLog:          slog.NewLogLogger(o.Logger.Handler(), slog.LevelWarn),
		},
	}, nil
}

func newUIHandler(o Options, frontend string) (http.Handler, *grpc.ClientConn, error) {
	assets, err := ui.Assets()
	if err != nil {
		return nil, nil, err
	}
	local, err := fs.Sub(assets, "local")
	if err != nil {
		return nil, nil, err
	}
	provider, err := uiconfig.NewConfigProviderWithRefresh(&uiconfig.Config{
		TemporalGRPCAddress: frontend,
		DefaultNamespace:    o.Namespace,
		EnableUI:            true,
		DisableNewsFetch:    true,
		CORS:                uiconfig.CORS{CookieInsecure: true},
	})
	if err != nil {
		return nil, nil, err
	}
	conn, err := grpc.NewClient("passthrough:///"+frontend,
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxUIMessage)))
	if err != nil {
		return nil, nil, err
	}

	e := echo.New()
	e.Logger.SetOutput(io.Discard)
	e.Use(
		middleware.RecoverWithConfig(middleware.RecoverConfig{
			LogErrorFunc: func(c echo.Context, err error, stack []byte) error {
				o.Logger.Error("web ui handler panicked", "path", c.Path(), "error", err, "stack", string(stack))
				return err
			},
		}),
		middleware.Gzip(),
		middleware.Secure(),
		csrf.EnsureTokenCookie(false),
		middleware.CSRFWithConfig(csrf.MiddlewareConfig(provider, false)),
	)
	route.SetHealthRoute(e)
	routes := e.Group("/api/v1")
	routes.GET("/settings", api.GetSettings(provider))
	routes.GET(api.WorkflowRawHistoryUrl, api.WorkflowRawHistoryHandler(workflowservice.NewWorkflowServiceClient(conn)))
	forwarded := []api.Middleware{headers.WithForwardHeaders([]string{"Caller-Type"})}
	routes.Match([]string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete},
		"/*", api.TemporalAPIHandler(provider, forwarded, conn))
	route.SetRenderRoute(e, "")
	if err := route.SetUIRoutes(e, "", local); err != nil {
		return nil, nil, errors.Join(err, conn.Close())
	}
	return e, conn, nil
}

// serve answers requests until close.
func (u *webUI) serve() {
	if u != nil {
		go func() { _ = u.server.Serve(u.listener) }()
	}
}

func (u *webUI) port() int {
	return u.listener.Addr().(*net.TCPAddr).Port
}

// close drops the UI's connections: a page left open in a browser waits for nothing.
func (u *webUI) close() error {
	if u == nil {
		return nil
	}
	err := errors.Join(u.server.Close(), u.conn.Close())
	_ = u.listener.Close() // the server has closed it, if it ever served
	return err
}
