package shop

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
)

// currency of all prices.
const currency = "EUR"

// markup is how a product's page tells machines about it.
type markup string

const (
	jsonLD    markup = "json-ld"
	microdata markup = "microdata"
	openGraph markup = "opengraph"
)

// product is one thing on sale. A product with variants has no price of its own.
type product struct {
	Slug        string
	Name        string
	Description string
	Brand       string
	SKU         string
	Price       string // empty: on request
	Stock       string // a schema.org ItemAvailability, short form
	Rating      string // of 5; empty: not rated
	Ratings     int
	Markup      markup
	Variants    []product
}

// Currency is for the templates.
func (product) Currency() string { return currency }

// catalogue gives the shop's products with their first prices.
func catalogue() []product {
	return []product{
		{
			Slug: "teapot", Name: "Blue Teapot", Brand: "Kettle & Co", SKU: "TP-1",
			Description: "A stoneware teapot for four cups, glazed in deep blue.",
			Price:       "24.50", Stock: "InStock", Rating: "4.6", Ratings: 87, Markup: jsonLD,
		},
		{
			Slug: "tshirt", Name: "Plain T-Shirt", Brand: "Loom", SKU: "TS",
			Description: "Heavy cotton, no print.",
			Stock:       "InStock", Markup: jsonLD,
			Variants: []product{
				{Slug: "tshirt-s", Name: "Small", SKU: "TS-S", Price: "12.00", Stock: "InStock"},
				{Slug: "tshirt-m", Name: "Medium", SKU: "TS-M", Price: "14.00", Stock: "InStock"},
				{Slug: "tshirt-l", Name: "Large", SKU: "TS-L", Price: "16.00", Stock: "OutOfStock"},
			},
		},
		{
			Slug: "lamp", Name: "Desk Lamp", Brand: "Lumen", SKU: "LA-7",
			Description: "A brass lamp with a linen shade.",
			Price:       "59.00", Stock: "OutOfStock", Rating: "4.1", Ratings: 12, Markup: microdata,
		},
		{
			Slug: "mug", Name: "Camping Mug", Brand: "Outside", SKU: "MU-3",
			Description: "Enamelled steel, 350 ml.",
			Price:       "9.90", Stock: "InStock", Markup: openGraph,
		},
		{
			Slug: "clock", Name: "Station Clock", Brand: "Tick", SKU: "CL-2",
			Description: "A restored railway clock. Ask us for the price.",
			Stock:       "InStock", Markup: jsonLD,
		},
	}
}

// prices are the prices that were changed, by slug, kept in one small file.
type prices struct {
	path string
	mu   sync.RWMutex
	now  map[string]string
}

func (p *prices) load() error {
	p.now = map[string]string{}
	data, err := os.ReadFile(p.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		err = json.Unmarshal(data, &p.now)
	}
	if err != nil {
		return fmt.Errorf("read shop prices, delete the file to begin anew: %w", err)
	}
	return nil
}

// set changes a price for good.
func (p *prices) set(slug, price string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	next := maps.Clone(p.now)
	next[slug] = price
	data, err := json.Marshal(next)
	if err != nil {
		return err
	}
	tmp := p.path + ".tmp"
	if err := os.MkdirAll(filepath.Dir(p.path), 0o700); err != nil {
		return err
	}
	if err := os.WriteFile(tmp, data, 0o600); err != nil {
		return err
	}
	if err := os.Rename(tmp, p.path); err != nil {
		return err
	}
	p.now = next
	return nil
}

// products gives the catalogue with today's prices.
func (p *prices) products() []product {
	p.mu.RLock()
	defer p.mu.RUnlock()
	all := catalogue()
	for i := range all {
		p.apply(&all[i])
		for j := range all[i].Variants {
			p.apply(&all[i].Variants[j])
		}
	}
	return all
}

func (p *prices) apply(product *product) {
	if price, ok := p.now[product.Slug]; ok {
		product.Price = price
	}
}

var priceForm = regexp.MustCompile(`^(\d{1,6})(?:\.(\d{1,2}))?$`)

// parsePrice gives a price its usual form, two digits after the point.
func parsePrice(s string) (string, error) {
	m := priceForm.FindStringSubmatch(strings.TrimSpace(s))
	if m == nil {
		return "", fmt.Errorf("%q is not a price, use a form like 19.50", s)
	}
	return m[1] + "." + (m[2] + "00")[:2], nil
}
