package everruns

import (
	"encoding/json"
	"errors"
	"net/url"
	"strconv"
)

// dataList is an answer {"data": […]}. One without a list is none: it would
// read as "there is nothing".
type dataList[T any] struct{ data []T }

func (l *dataList[T]) UnmarshalJSON(raw []byte) error {
	var reply struct {
		Data *[]T `json:"data"`
	}
	if err := json.Unmarshal(raw, &reply); err != nil {
		return err
	}
	if reply.Data == nil {
		return errors.New("data is missing")
	}
	l.data = *reply.Data
	return nil
}

func setString(query url.Values, name, value string) {
	if value != "" {
		query.Set(name, value)
	}
}

func setInt(query url.Values, name string, value int64) {
	if value != 0 {
		query.Set(name, strconv.FormatInt(value, 10))
	}
}

func setBool(query url.Values, name string, value *bool) {
	if value != nil {
		query.Set(name, strconv.FormatBool(*value))
	}
}

// setEach repeats the parameter: the API reads neither commas nor brackets.
func setEach(query url.Values, name string, types []EventType) {
	for _, value := range types {
		query.Add(name, string(value))
	}
}
