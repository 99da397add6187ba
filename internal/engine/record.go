package engine

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// record says who runs a server and where. It stays when the server stops, for
// the sake of its ports.
type record struct {
	// PID of the process that runs the server, 0 after a clean stop. After a crash
	// it is stale: the lock alone tells.
	PID int `json:"pid,omitempty"`
	// Address is host:port.
	Address   string `json:"address,omitempty"`
	UIAddress string `json:"ui_address,omitempty"`
	Namespace string `json:"namespace,omitempty"`
	// StartedAt is zero until the server is ready.
	StartedAt time.Time `json:"started_at,omitzero"`
}

// ready reports whether the record is that of a started server.
func (r record) ready() bool {
	return r.PID != 0 && !r.StartedAt.IsZero()
}

// readRecord returns a zero record when there is none, or none that can be read:
// it holds nothing that could not be found out again.
func readRecord(path string) (record, error) {
	var r record
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return r, nil
	}
	if err != nil {
		return r, err
	}
	if json.Unmarshal(data, &r) != nil {
		return record{}, nil
	}
	return r, nil
}

func (r record) write(path string) error {
	data, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	return writeFile(path, append(data, '\n'))
}

// writeFile replaces a file in one step; others see the old or the new one.
func writeFile(path string, data []byte) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*") // mode 0600
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(f.Name())
		}
	}()
	_, err = f.Write(data)
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}
