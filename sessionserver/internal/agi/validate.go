package agi

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/google/uuid"
)

// Limits of the vendor documentation, in characters.
const (
	maxMessage = 10_000
	maxURL     = 2000
)

// invalid is what is wrong with a request; it goes out as the detail of a 422.
type invalid []problem

// problem is one wrong field, in the shape that FastAPI gives it.
type problem struct {
	Loc  []string `json:"loc"`
	Msg  string   `json:"msg"`
	Type string   `json:"type"`
}

func (v invalid) Error() string { return fmt.Sprintf("invalid request: %d problems", len(v)) }

func (v *invalid) add(where, field, kind, msg string) {
	*v = append(*v, problem{Loc: []string{where, field}, Msg: msg, Type: kind})
}

// err is v as an error, nil if nothing is wrong.
func (v invalid) err() error {
	if len(v) == 0 {
		return nil
	}
	return v
}

func (v *invalid) checkURL(field, value string, schemes ...string) {
	if value == "" {
		return
	}
	if utf8.RuneCountInString(value) > maxURL {
		v.add("body", field, "string_too_long", fmt.Sprintf("URL should have at most %d characters", maxURL))
		return
	}
	u, err := url.Parse(value)
	if err != nil || u.Host == "" || !slices.Contains(schemes, u.Scheme) {
		v.add("body", field, "url_parsing", "URL should be absolute and begin with "+strings.Join(schemes, ":// or ")+"://")
	}
}

func (v *invalid) checkEnum(field, value string, allowed ...string) {
	if value != "" && !slices.Contains(allowed, value) {
		v.add("body", field, "enum", "Input should be one of "+strings.Join(allowed, ", "))
	}
}

func (v *invalid) checkUUID(field, value string) {
	if value == "" {
		return
	}
	if err := uuid.Validate(value); err != nil {
		v.add("body", field, "uuid_parsing", "Value should be a valid UUID")
	}
}

// queryBool reads a boolean query parameter, with the spellings that FastAPI takes.
func (v *invalid) queryBool(q url.Values, name string, missing bool) bool {
	if !q.Has(name) {
		return missing
	}
	switch strings.ToLower(q.Get(name)) {
	case "true", "1", "yes", "on", "t", "y":
		return true
	case "false", "0", "no", "off", "f", "n":
		return false
	}
	v.add("query", name, "bool_parsing", "Input should be a valid boolean")
	return false
}

// decode reads a JSON object out of the request body. An empty body counts as
// an empty object.
func decode(r *http.Request, into any) error {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return err
	}
	if len(body) == 0 {
		return nil
	}
	if !utf8.Valid(body) {
		return invalid{{Loc: []string{"body"}, Msg: "Body should be valid UTF-8", Type: "json_invalid"}}
	}
	err = json.Unmarshal(body, into)
	var wrongType *json.UnmarshalTypeError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &wrongType):
		loc := []string{"body"}
		if wrongType.Field != "" {
			loc = append(loc, strings.Split(wrongType.Field, ".")...)
		}
		return invalid{{Loc: loc, Msg: fmt.Sprintf("Input should not be a %s", wrongType.Value), Type: "type_error"}}
	default:
		return invalid{{Loc: []string{"body"}, Msg: "Body should be valid JSON: " + err.Error(), Type: "json_invalid"}}
	}
}
