// An object of functions that look at a page. What they find counts only when
// it is there to see or told to machines; null means "not there (yet)".
({
  // product gives {name, price, currency}, the digits as the page has them.
  product() {
    return this.fromJSONLD() || this.fromItemprop() || this.fromClasses();
  },

  // JSON-LD: the first schema.org Product with a price.
  fromJSONLD() {
    const digits = (key, value, at) => (typeof value === "number" && at ? at.source : value);
    const products = (node) => {
      if (Array.isArray(node)) return node.flatMap(products);
      if (!node || typeof node !== "object") return [];
      const own = [node["@type"]].flat().includes("Product") ? [node] : [];
      return own.concat(products(node["@graph"]), products(node.mainEntity));
    };
    for (const script of document.querySelectorAll('script[type="application/ld+json"]')) {
      let data;
      try {
        data = JSON.parse(script.textContent, digits);
      } catch {
        continue;
      }
      for (const product of products(data)) {
        const offer = [product.offers].flat().find((o) => o && o.price);
        if (product.name && offer) {
          return { name: String(product.name), price: String(offer.price), currency: offer.priceCurrency || "" };
        }
      }
    }
    return null;
  },

  // Microdata: the first name and price of a product.
  fromItemprop() {
    const scope = document.querySelector('[itemtype$="schema.org/Product"]');
    const value = (prop) => {
      const e = scope && scope.querySelector(`[itemprop="${prop}"]`);
      return e ? (e.getAttribute("content") || e.textContent).trim() : "";
    };
    return this.priced(value("name"), value("price"), value("priceCurrency"));
  },

  // Class names that many shops use.
  fromClasses() {
    const text = (selector) => {
      const e = document.querySelector(selector);
      return e && this.visible(e) ? e.innerText.trim() : "";
    };
    return this.priced(text(".product-name, .product-title, #product-name"), text(".product-price, .price, #price"), "");
  },

  // priced takes the one number out of a price; what stands beside it is the
  // currency. A price with several numbers stays as it is.
  priced(name, price, currency) {
    const numbers = price.match(/\d[\d.,'\u00a0\u202f ]*\d|\d/g) || [];
    if (!name || numbers.length === 0) return null;
    if (numbers.length > 1) return { name, price, currency };
    return { name, price: numbers[0], currency: currency || price.replace(numbers[0], "").trim() };
  },

  // buyButton gives the element to click on.
  buyButton() {
    const buttons = document.querySelectorAll("button, input[type=submit], input[type=button], a[href], [role=button]");
    const label = (e) => (e.innerText || e.value || e.getAttribute("aria-label") || "").trim();
    const says = (e) => /^(buy|order|purchase)( it| this)?( now)?$|^place( the| your)? order$/i.test(label(e));
    return [...buttons].find((e) => this.visible(e) && !e.disabled && says(e)) || null;
  },

  canBuy() {
    return this.buyButton() ? true : null;
  },

  // thanks gives the texts that read like an order was taken.
  thanks() {
    const said = /thank you|order.*(confirmed|placed|received|number)/i;
    const places = ".order-confirmation, .confirmation, #confirmation, [role=status], h1, h2, p";
    const texts = [...document.querySelectorAll(places)].filter((e) => this.visible(e)).map((e) => e.innerText.trim());
    return texts.filter((text) => said.test(text)).map((text) => text.slice(0, 500));
  },

  // confirmation gives the first such text that was not there before.
  confirmation(before) {
    return this.thanks().find((text) => !before.includes(text)) || null;
  },

  visible(e) {
    return e.checkVisibility({ visibilityProperty: true, opacityProperty: true });
  },
})
