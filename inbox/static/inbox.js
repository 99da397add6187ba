// What htmx does not do: the keyboard of the answer, and a word when nothing
// new can be had. The pages work without it.
"use strict";

document.addEventListener("keydown", (e) => {
  if (e.key === "Enter" && (e.ctrlKey || e.metaKey) && e.target.form?.querySelector("textarea")) {
    e.preventDefault();
    e.target.form.requestSubmit();
  }
});

// Begin in the answer, but not where that would bring up a keyboard on the screen.
if (!matchMedia("(pointer: coarse)").matches) {
  document.querySelector("[data-first]")?.focus();
}

const stale = (yes) => { document.getElementById("stale").hidden = !yes; };
document.addEventListener("htmx:sendError", () => stale(true));
document.addEventListener("htmx:responseError", () => stale(true));
document.addEventListener("htmx:beforeOnLoad", (e) => stale(e.detail.xhr.status >= 400));
