package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"time"
)

const (
	renderTime  = 20 * time.Second // for a page's script to show the product
	confirmTime = 20 * time.Second // for a shop to take an order
)

// product is what a page sells, in the page's own digits.
type product struct {
	Name     string `json:"name"`
	Price    string `json:"price"`
	Currency string `json:"currency,omitempty"`
}

// report is the result of a task.
type report struct {
	product
	URL          string `json:"url"`
	Bought       *bool  `json:"bought,omitempty"` // nil: nobody wished to buy
	Confirmation string `json:"confirmation,omitempty"`
}

// shopper is the agent: it reads product pages, and buys after a yes. What
// needs no task the browser does.
type shopper struct {
	*browser
}

// work is the errand from the first page to the last word.
func (s *shopper) work(ctx context.Context, t *task) (any, error) {
	where, err := s.enter(ctx, t)
	if err != nil {
		return nil, err
	}
	ctx, release := s.bind(ctx)
	defer release()
	found, err := s.read(ctx, t, where)
	if err != nil {
		return nil, err
	}
	done := report{product: found, URL: where}
	if !wantsToBuy(t.text) {
		return done, nil
	}
	if button, err := look[bool](ctx, s.browser, "canBuy()"); err != nil {
		return nil, err
	} else if button == nil {
		return nil, fmt.Errorf("%s costs %s, but the page has no button to buy it", found.Name, found.amount())
	}
	yes, err := s.confirm(ctx, t, found)
	done.Bought = &yes
	if err != nil || !yes {
		return done, err
	}
	done.Confirmation, err = s.buy(ctx, t, found)
	return done, err
}

// enter opens the page that the task is about: the address that came with the
// message or stands in it, or the page that is open already.
func (s *shopper) enter(ctx context.Context, t *task) (string, error) {
	address := t.startURL
	if address == "" {
		address = firstURL(t.text)
	}
	if address == "" {
		where, err := s.reopen(ctx)
		if err == nil && where == "" {
			err = errors.New("there is no page to look at: send a start URL or write the address in the message")
		}
		return where, err
	}
	t.think("I open %s.", address)
	where, err := s.open(ctx, address)
	if err == nil && where != address {
		t.think("That led me to %s.", where)
	}
	return where, err
}

// read waits for the product and tells about it.
func (s *shopper) read(ctx context.Context, t *task, where string) (product, error) {
	s.show(ctx, t)
	patient, stop := patience(ctx, renderTime, fmt.Errorf(
		"%s shows no product: within %s there was no JSON-LD or microdata product, and no .product-name with a .price",
		where, renderTime))
	defer stop()
	found, err := await[product](patient, s.browser, "product()")
	if err != nil {
		return product{}, err
	}
	t.think("The page sells %s for %s.", found.Name, found.amount())
	s.show(ctx, t)
	return *found, nil
}

// confirm asks until the answer is a yes or a no. The page stays open.
func (s *shopper) confirm(ctx context.Context, t *task, p product) (bool, error) {
	question := fmt.Sprintf("Buy %s for %s? (yes/no)", p.Name, p.amount())
	for {
		answer, err := t.ask(ctx, question)
		if err != nil {
			return false, err
		}
		switch strings.ToLower(strings.Trim(answer, " \t\r\n.!")) {
		case "yes", "y":
			return true, nil
		case "no", "n":
			t.think("Then I leave it.")
			return false, nil
		}
		t.think("I need a yes or a no.")
	}
}

// buy clicks the button once and waits for the shop's word. From the click on
// nothing ends as a plain cancel: the order may have been taken.
func (s *shopper) buy(ctx context.Context, t *task, asked product) (string, error) {
	// Hours may lie between question and answer, and people navigate.
	now, err := look[product](ctx, s.browser, "product()")
	if err != nil {
		return "", err
	}
	if now == nil || *now != asked {
		return "", errors.New("the page no longer shows what the question was about; nothing was bought")
	}
	// Some pages thank their visitors already.
	before, err := look[json.RawMessage](ctx, s.browser, "thanks()")
	if err != nil {
		return "", err
	}
	t.think("I click the button to buy it.")
	patient, stop := patience(ctx, confirmTime, fmt.Errorf("the shop has not confirmed it within %s", confirmTime))
	defer stop()
	err = s.click(patient, "buyButton()")
	if err == nil {
		var said *string
		if said, err = await[string](patient, s.browser, fmt.Sprintf("confirmation(%s)", *before)); err == nil {
			t.think("The shop says: %s", *said)
			s.show(ctx, t)
			return *said, nil
		}
	}
	return "", fmt.Errorf("whether %s was bought is unknown, look at the shop before you try again: %v", asked.Name, err)
}

// show pushes a picture of the page. A page that cannot be pictured right now
// is no reason to stop.
func (s *shopper) show(ctx context.Context, t *task) {
	if p, err := s.screenshot(ctx); err == nil {
		t.picture(p)
	}
}

// navigate opens a page for the person at the screen.
func (s *shopper) navigate(ctx context.Context, address string) (string, error) {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return "", fmt.Errorf("%q is no absolute http or https URL", address)
	}
	return s.open(ctx, address)
}

// amount is the price for people.
func (p product) amount() string { return strings.TrimSpace(p.Price + " " + p.Currency) }

var (
	urls   = regexp.MustCompile(`https?://[^\s<>"]+`)
	buying = regexp.MustCompile(`(?i)\b(buy|order|purchase)\b`)
)

// firstURL finds an address in a text, without the punctuation that follows it.
func firstURL(text string) string {
	return strings.TrimRight(urls.FindString(text), `.,;:!?)]}'`)
}

// wantsToBuy goes by words alone. It may hear a wish where there is none: the
// question before the purchase is what protects.
func wantsToBuy(text string) bool {
	return buying.MatchString(urls.ReplaceAllString(text, ""))
}
