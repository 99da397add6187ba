const list = document.querySelector("ol");
let last = Number(list.dataset.last);
const source = new EventSource(location.pathname + "/events" + location.search);
for (const type of ["user", "thought", "log", "question", "done", "error"]) {
  source.addEventListener(type, (e) => {
    const id = Number(e.lastEventId);
    if (e.data === undefined || id <= last) return;
    last = id;
    const data = JSON.parse(e.data);
    const item = document.createElement("li");
    item.className = type;
    item.textContent = data.text ?? data.error;
    list.append(item);
    item.scrollIntoView();
  });
}
