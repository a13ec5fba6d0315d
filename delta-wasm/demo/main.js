// The page: shows what the worker tells, and asks it.

const element = (id) => document.getElementById(id);
const worker = new Worker(new URL("worker.js", import.meta.url), { type: "module" });

// Theme: what the system says, unless chosen otherwise.
const THEMES = ["system", "light", "dark"];
let theme = localStorage.getItem("theme") ?? "system";
function showTheme() {
  document.documentElement.dataset.theme = theme;
  element("theme").textContent = `Theme: ${theme}`;
}
element("theme").addEventListener("click", () => {
  theme = THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length];
  localStorage.setItem("theme", theme);
  showTheme();
});
showTheme();

const number = new Intl.NumberFormat("en");
const figures = new Map();
function figure(name, value) {
  if (!figures.has(name)) {
    const [term, text] = [document.createElement("dt"), document.createElement("dd")];
    term.textContent = name;
    element("figures").append(term, text);
    text.dataset.figure = name;
    figures.set(name, text);
  }
  figures.get(name).textContent = value;
}

function show(progress) {
  const { description } = progress;
  element("stream").textContent = description.stream;
  if (element("state").dataset.state !== progress.state) {
    element("state").dataset.state = progress.state;
    element("state").textContent = progress.state;
  }
  element("progress").value = progress.sequence / description.records_total;
  const applied = number.format(progress.sequence);
  figure("Applied", `${applied} of ${number.format(description.records_total)}`);
  figure("Lag", `${number.format(progress.lag)} records`);
  figure("Throughput", `${number.format(Math.round(progress.perSecond))} records/s`);
  const percent = (share) => `${Math.ceil(100 * share)}%`;
  figure("Ring", `${percent(progress.occupancy)} full, at most ${percent(progress.occupancyMax)}`);
  figure("Received", `${number.format(Math.round(progress.bytes / 1024))} KiB`);
  figure("Part of a frame", `${number.format(progress.waitingBytes)} bytes`);
  figure("Slots", `${number.format(progress.slots)} of ${description.slots}`);
  const { graph } = description;
  const searched = graph ? `by the graph, ${graph.metric}` : "exactly, cosine";
  element("how").textContent = searched;
  figure("Dimensions", number.format(description.dim));
  figure("Duplicates", number.format(progress.duplicates));
  figure("Resumed at", number.format(progress.resumedAt));
  figure("Kept here", `${number.format(Math.round(progress.keptBytes / 1024))} KiB`);
  figure("Restarts", number.format(progress.restarts));
  figure("Digest", progress.digest);
  if (progress.neighbours) {
    figure("Last search", `${number.format(progress.searchUs)} µs`);
    element("hits").dataset.sequence = progress.sequence;
    element("hits").dataset.of = progress.neighbours.of.slot;
    showNeighbours(progress.neighbours);
  }
}

let shown = new Map();
function showNeighbours({ of, hits }) {
  const gone = of.isDeleted ? " (deleted meanwhile)" : "";
  const heading = of.heading && `“${of.heading}”, `;
  element("chosen").textContent = `Nearest to ${heading}${of.id}${gone}`;
  const next = new Map();
  const rows = hits.map((hit) => {
    const row = document.createElement("tr");
    row.dataset.slot = hit.slot;
    row.dataset.distanceBits = hit.distanceBits;
    for (const text of [hit.heading, hit.version, hit.id, hit.distance.toFixed(6)]) {
      const cell = document.createElement("td");
      cell.textContent = text;
      row.append(cell);
    }
    row.lastChild.className = "number";
    const key = `${of.slot} ${hit.slot} ${hit.distanceBits}`;
    next.set(key, true);
    row.classList.toggle("changed", !shown.has(key));
    return row;
  });
  shown = next;
  element("hits").replaceChildren(...rows);
}

// The list of entries found: a combobox with a listbox, by the ARIA patterns' keys.
const input = element("find");
const list = element("found");
let asked = 0;
let active = -1;

function ask() {
  asked += 1;
  worker.postMessage({ kind: "find", id: asked, text: input.value });
}

function close() {
  list.hidden = true;
  active = -1;
  input.setAttribute("aria-expanded", "false");
  input.removeAttribute("aria-activedescendant");
}

function choose(option) {
  worker.postMessage({ kind: "choose", slot: Number(option.dataset.slot) });
  input.value = option.dataset.heading;
  close();
}

function activate(index) {
  const options = [...list.children].filter((option) => option.dataset.slot);
  if (options.length === 0) return;
  active = (index + options.length) % options.length;
  options.forEach((option, at) => option.setAttribute("aria-selected", at === active));
  input.setAttribute("aria-activedescendant", options[active].id);
  options[active].scrollIntoView({ block: "nearest" });
}

function showFound(entries) {
  const options = entries.map((entry) => {
    const option = document.createElement("li");
    option.id = `option-${entry.slot}`;
    option.dataset.slot = entry.slot;
    option.dataset.heading = entry.heading || entry.id;
    option.setAttribute("role", "option");
    option.setAttribute("aria-selected", "false");
    const detail = document.createElement("small");
    detail.textContent = entry.id;
    option.append(entry.heading || entry.id, document.createElement("br"), detail);
    return option;
  });
  if (options.length === 0) {
    const none = document.createElement("li");
    none.textContent = "Nothing found";
    options.push(none);
  }
  list.replaceChildren(...options);
  list.hidden = false;
  active = -1;
  input.setAttribute("aria-expanded", "true");
  input.removeAttribute("aria-activedescendant");
}

input.addEventListener("input", ask);
input.addEventListener("blur", close);
input.addEventListener("keydown", (event) => {
  if (event.key === "ArrowDown" || event.key === "ArrowUp") {
    event.preventDefault();
    if (list.hidden) ask();
    else activate(active + (event.key === "ArrowDown" ? 1 : active < 0 ? 0 : -1));
  } else if (event.key === "Enter" && active >= 0) {
    choose(list.querySelector('[aria-selected="true"]'));
  } else if (event.key === "Escape") {
    close();
  }
});
// Before the input loses the focus, which closes the list.
list.addEventListener("mousedown", (event) => {
  event.preventDefault();
  const option = event.target.closest("[data-slot]");
  if (option) choose(option);
});

worker.addEventListener("message", ({ data }) => {
  if (data.kind === "progress") show(data);
  else if (data.kind === "find" && data.id === asked) showFound(data.answer);
  else if (data.kind === "problem") showProblem(data.text);
});
worker.addEventListener("error", ({ message }) => showProblem(message));

function showProblem(text) {
  element("problem").hidden = false;
  element("problem").textContent = text;
}
