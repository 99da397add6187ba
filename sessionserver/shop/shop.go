// Package shop is a small web shop to practise on: product pages that describe
// themselves to machines in the ways real shops do, a price that can be
// changed, and pages that go wrong.
//
//	/                  all products
//	/teapot            one product, JSON-LD
//	/tshirt            one product in three sizes at three prices, JSON-LD
//	/lamp              out of stock, microdata
//	/mug               OpenGraph
//	/clock             no price
//	/about             no product
//	/captcha           asks whether the visitor is human
//	/down              503
//	POST /admin/price  product=teapot, price=19.50 (form or JSON) changes a price
//
// The shop is open to everyone who can reach it, its admin page included.
package shop

import (
	"bytes"
	"embed"
	"encoding/json"
	"errors"
	"html/template"
	"io"
	"net/http"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
)

//go:embed pages
var files embed.FS

var pages = template.Must(template.ParseFS(files, "pages/*.html"))

// Shop is the demo shop.
type Shop struct {
	prices prices
}

// New opens the shop whose changed prices are kept in dir, made when needed.
func New(dir string) (*Shop, error) {
	s := &Shop{prices: prices{path: filepath.Join(dir, "prices.json")}}
	if err := s.prices.load(); err != nil {
		return nil, err
	}
	return s, nil
}

// Handler serves the shop below a path prefix, such as "/shop", or "" for all
// of a host.
func (s *Shop) Handler(prefix string) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+prefix+"/{$}", func(w http.ResponseWriter, r *http.Request) {
		render(w, http.StatusOK, "index.html", s.page(r, prefix, ""))
	})
	mux.HandleFunc("GET "+prefix+"/{slug}", func(w http.ResponseWriter, r *http.Request) {
		page := s.page(r, prefix, r.PathValue("slug"))
		if page.Product == nil {
			render(w, http.StatusNotFound, "missing.html", page)
			return
		}
		render(w, http.StatusOK, "product.html", page)
	})
	for path, code := range map[string]int{"about": http.StatusOK, "captcha": http.StatusOK, "down": http.StatusServiceUnavailable} {
		mux.HandleFunc("GET "+prefix+"/"+path, func(w http.ResponseWriter, r *http.Request) {
			render(w, code, path+".html", s.page(r, prefix, ""))
		})
	}
	mux.HandleFunc("POST "+prefix+"/admin/price", s.setPrice)
	return mux
}

// page is what the templates get.
type page struct {
	Base     string // of all addresses in the shop, ends with a slash
	Products []product
	Product  *product // of this page
}

// JSONLD is the page's description of what is on sale.
func (p page) JSONLD() any {
	if p.Product != nil {
		return describe(*p.Product, p.Base+p.Product.Slug)
	}
	items := make([]any, len(p.Products))
	for i, product := range p.Products {
		items[i] = map[string]any{"@type": "ListItem", "position": i + 1, "item": describe(product, p.Base+product.Slug)}
	}
	return map[string]any{"@context": "https://schema.org", "@type": "ItemList", "itemListElement": items}
}

func (s *Shop) page(r *http.Request, prefix, slug string) page {
	scheme := "http://"
	if r.TLS != nil {
		scheme = "https://"
	}
	p := page{Base: scheme + r.Host + prefix + "/", Products: s.prices.products()}
	if i := slices.IndexFunc(p.Products, func(p product) bool { return p.Slug == slug }); i >= 0 {
		p.Product = &p.Products[i]
	}
	return p
}

func render(w http.ResponseWriter, code int, name string, p page) {
	var body bytes.Buffer
	if err := pages.ExecuteTemplate(&body, name, p); err != nil {
		http.Error(w, "The page cannot be shown.", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(code)
	// A visitor who has gone cannot be told.
	_, _ = w.Write(body.Bytes())
}

// describe is a product in schema.org terms.
func describe(p product, address string) map[string]any {
	d := map[string]any{
		"@context": "https://schema.org", "@type": "Product",
		"name": p.Name, "sku": p.SKU, "url": address,
	}
	if p.Description != "" {
		d["description"] = p.Description
	}
	if p.Brand != "" {
		d["brand"] = map[string]any{"@type": "Brand", "name": p.Brand}
	}
	if p.Rating != "" {
		d["aggregateRating"] = map[string]any{"@type": "AggregateRating", "ratingValue": p.Rating, "reviewCount": p.Ratings}
	}
	if len(p.Variants) > 0 {
		d["@type"] = "ProductGroup"
		variants := make([]any, len(p.Variants))
		for i, v := range p.Variants {
			v.Name = p.Name + ", " + v.Name
			variants[i] = describe(v, address)
		}
		d["hasVariant"] = variants
		return d
	}
	offer := map[string]any{"@type": "Offer", "availability": "https://schema.org/" + p.Stock}
	if p.Price != "" {
		offer["price"], offer["priceCurrency"] = p.Price, currency
	}
	d["offers"] = offer
	return d
}

// setPrice changes the price of a product or variant. The body is a form or
// JSON, whatever its content type says: curl -d sends either as a form.
func (s *Shop) setPrice(w http.ResponseWriter, r *http.Request) {
	slug, price, err := readChange(http.MaxBytesReader(w, r.Body, 4<<10))
	if err != nil {
		answer(w, http.StatusBadRequest, map[string]string{"error": err.Error()})
		return
	}
	if slugs := priced(); !slices.Contains(slugs, slug) {
		answer(w, http.StatusNotFound, map[string]string{"error": "no such product, use one of: " + strings.Join(slugs, ", ")})
		return
	}
	if err := s.prices.set(slug, price); err != nil {
		answer(w, http.StatusInternalServerError, map[string]string{"error": "the price could not be saved"})
		return
	}
	answer(w, http.StatusOK, map[string]string{"product": slug, "price": price, "currency": currency})
}

func readChange(r io.Reader) (slug, price string, err error) {
	body, err := io.ReadAll(r)
	if err != nil {
		return "", "", errors.New("the body is too large")
	}
	if body = bytes.TrimSpace(body); bytes.HasPrefix(body, []byte("{")) {
		var change struct {
			Product string      `json:"product"`
			Price   json.Number `json:"price"`
		}
		if err := json.Unmarshal(body, &change); err != nil {
			return "", "", errors.New("the body should be JSON with product and price")
		}
		slug, price = change.Product, change.Price.String()
	} else {
		form, err := url.ParseQuery(string(body))
		if err != nil {
			return "", "", errors.New("the body should be a form with product and price")
		}
		slug, price = form.Get("product"), form.Get("price")
	}
	price, err = parsePrice(price)
	return slug, price, err
}

// priced gives the slugs of everything that can have a price.
func priced() []string {
	var slugs []string
	for _, p := range catalogue() {
		if len(p.Variants) == 0 {
			slugs = append(slugs, p.Slug)
		}
		for _, v := range p.Variants {
			slugs = append(slugs, v.Slug)
		}
	}
	return slugs
}

func answer(w http.ResponseWriter, code int, v map[string]string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	// A caller who has gone cannot be told.
	_ = json.NewEncoder(w).Encode(v)
}
