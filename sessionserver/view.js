const list = document.querySelector("ol");
const state = document.querySelector("#status");

// What an event makes of the session; the others leave it as it is.
const after = {
  user: "running", question: "waiting for an answer", done: "finished", error: "failed",
  paused: "paused", resumed: "running",
};

function add(type, text) {
  const item = document.createElement("li");
  item.className = type;
  item.textContent = text;
  list.append(item);
  item.scrollIntoView({ block: "nearest" });
}

const query = new URLSearchParams(location.search);
query.set("from", list.dataset.position);
const source = new EventSource(location.pathname + "/events?" + query);
for (const type of ["user", "thought", "log", "question", "done", "error", "step", "paused", "resumed"]) {
  source.addEventListener(type, (e) => {
    if (e.data === undefined) { // the connection's own error, not the agent's
      if (source.readyState === EventSource.CLOSED) state.textContent = "gone";
      return;
    }
    const data = JSON.parse(e.data);
    if (after[type]) state.textContent = after[type];
    const text = data.text ?? data.error;
    if (text !== undefined) add(type, text);
  });
}

const screen = document.querySelector("#screen");
const figure = document.querySelector("figure");
let shown = null;

async function look() {
  if (!document.hidden) {
    try {
      const headers = shown ? { "If-None-Match": shown } : {};
      const answer = await fetch(location.pathname + "/screen" + location.search, { headers, cache: "no-store" });
      if (answer.ok) {
        const before = screen.src;
        screen.src = URL.createObjectURL(await answer.blob());
        if (before) URL.revokeObjectURL(before);
        shown = answer.headers.get("ETag");
        figure.hidden = false;
      }
    } catch {
      // The server is away; the next look may find it back.
    }
  }
  setTimeout(look, 1000);
}
look();
