package provider

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
)

// Vendor is what is known of a vendor without an account there.
type Vendor struct {
	Name  string // as a connection names it
	Title string // as people call it

	KeyVariable string // environment variable that customarily holds the API key
	URLVariable string // the base URL, and
	OrgVariable string // the organization; empty: there is no such custom

	Capabilities Capabilities
}

// Takes reports whether the vendor's create takes an option.
func (v Vendor) Takes(o Option) bool { return slices.Contains(v.Capabilities.Options, o) }

// adapter is a vendor with the way to it. Each adapter's file registers its
// own, so that a further vendor is a further file.
type adapter struct {
	Vendor
	open func(Connection, *http.Client) (Provider, error)
}

var adapters = map[string]adapter{}

func register(a adapter) { adapters[a.Name] = a }

// Vendors are the vendors that a connection can name, by name.
func Vendors() []Vendor {
	var all []Vendor
	for _, name := range Names() {
		all = append(all, adapters[name].Vendor)
	}
	return all
}

// VendorNamed returns the vendor of that name.
func VendorNamed(name string) (Vendor, error) {
	a, err := adapterNamed(name)
	return a.Vendor, err
}

func adapterNamed(name string) (adapter, error) {
	a, ok := adapters[name]
	if !ok {
		return a, fmt.Errorf("unknown provider %q: choose %s", name, strings.Join(Names(), " or "))
	}
	return a, nil
}

// Names are those of Vendors: AGI, which is the one to begin with, then the
// others in alphabetical order.
func Names() []string {
	names := slices.Sorted(maps.Keys(adapters))
	if i := slices.Index(names, agiVendor.Name); i > 0 {
		names = slices.Insert(slices.Delete(names, i, i+1), 0, agiVendor.Name)
	}
	return names
}
