package wire

import (
	"io"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// echo is a server that says everything back, in capitals.
func echo(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				_, _ = io.Copy(c, c)
			}()
		}
	}()
	return l.Addr().String()
}

// call dials the link; the connection ends with the test.
func call(t *testing.T, l *Link) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", l.Address)
	require.NoError(t, err)
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func newLink(t *testing.T) *Link {
	t.Helper()
	l, err := NewLink(echo(t))
	require.NoError(t, err)
	t.Cleanup(l.Close)
	return l
}

// hears says whether two bytes come within that time.
func hears(c net.Conn, within time.Duration) error {
	_ = c.SetReadDeadline(time.Now().Add(within))
	_, err := io.ReadFull(c, make([]byte, 2))
	return err
}

const (
	soon = 5 * time.Second
	now  = 100 * time.Millisecond
)

func TestWhatIsHeldComesOnceTheLinkIsWhole(t *testing.T) {
	for name, way := range map[string]Direction{"out": Out, "back": Back} {
		t.Run(name, func(t *testing.T) {
			l := newLink(t)
			c := call(t, l)
			l.Hang(way)
			_, err := c.Write([]byte("hi"))
			require.NoError(t, err)
			require.ErrorContains(t, hears(c, now), "timeout")
			l.Heal()
			require.NoError(t, hears(c, soon))
		})
	}
}

func TestACutLinkTearsAndRefusesUntilItIsWhole(t *testing.T) {
	l := newLink(t)
	c := call(t, l)
	_, err := c.Write([]byte("hi"))
	require.NoError(t, err)
	require.NoError(t, hears(c, soon))
	l.Cut()
	require.Error(t, hears(c, soon))
	require.ErrorIs(t, hears(call(t, l), soon), io.EOF)
	l.Heal()
	c = call(t, l)
	_, err = c.Write([]byte("hi"))
	require.NoError(t, err)
	require.NoError(t, hears(c, soon))
}

func TestADelayIsADelay(t *testing.T) {
	l := newLink(t)
	c := call(t, l)
	l.Delay(3*now, Back)
	began := time.Now()
	_, err := c.Write([]byte("hi"))
	require.NoError(t, err)
	require.NoError(t, hears(c, soon))
	require.GreaterOrEqual(t, time.Since(began), 3*now)
}

func TestALinkEndsWithWhatItHolds(t *testing.T) {
	l := newLink(t)
	c := call(t, l)
	l.Hang(Out, Back)
	_, err := c.Write([]byte("hi"))
	require.NoError(t, err)
	l.Close()
	require.Error(t, hears(c, soon))
}
