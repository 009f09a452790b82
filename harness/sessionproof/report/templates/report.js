"use strict";
// Narrows what is shown, and leads from finding to finding; without it the whole page is there.
const byId = (id) => document.getElementById(id);
const form = byId("narrow"), words = byId("words"), group = byId("group"), keys = byId("keys");
const state = byId("state");
const rows = [...document.querySelectorAll("tr[data-group]")];
const parts = new Map(); // of each guarantee: whatever is said of it on the page
for (const one of document.querySelectorAll("[data-of]")) {
  const name = one.dataset.of;
  if (!parts.has(name)) parts.set(name, []);
  parts.get(name).push(one);
}
const texts = new Map([...parts].map(([name, all]) =>
  [name, all.map((one) => one.textContent).join(" ").toLowerCase()]));
const groups = new Map(rows.map((row) => [row.dataset.of, row.dataset.group]));
const boxes = [...document.querySelectorAll(".matrix > div, tbody, main > section")]
  .filter((box) => box.querySelector("[data-of]") && !box.contains(form));
const visible = (one) => one.checkVisibility();

function narrow() {
  const wanted = words.value.trim().toLowerCase().split(/\s+/).filter(Boolean);
  for (const [name, all] of parts) {
    const fits = (!group.value || groups.get(name) === group.value)
      && wanted.every((word) => texts.get(name).includes(word));
    for (const one of all) one.classList.toggle("out", !fits);
  }
  for (const box of boxes) box.classList.toggle("out", !box.querySelector("[data-of]:not(.out)"));
  told();
}

function told() {
  const shown = rows.filter(visible).length;
  state.textContent = shown === rows.length ? "" : `${shown} of ${rows.length} guarantees`;
}

// From the finding that has the focus to a neighbour; else to the nearest in this direction.
function step(by) {
  const all = [...document.querySelectorAll("article, .unknowns li")].filter(visible);
  if (!all.length) return;
  const within = all.findIndex((one) => one.contains(document.activeElement));
  const below = all.findIndex((one) => one.getBoundingClientRect().top > 1);
  const ahead = below < 0 ? all.length - 1 : below;
  const to = within >= 0 ? within + by : by > 0 ? ahead : ahead - 1;
  const next = all[Math.min(Math.max(to, 0), all.length - 1)];
  next.tabIndex = -1;
  next.focus({ preventScroll: true });
  next.scrollIntoView({ block: "start" });
}

function pressed(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || !keys.checked) return;
  if (event.target.matches("input:not([type=checkbox], [type=radio]), select")) return;
  const work = { "/": () => words.focus(), j: () => step(1), k: () => step(-1) }[event.key];
  if (!work) return;
  event.preventDefault();
  work();
}

// A link to something that was narrowed away shows all again.
function led() {
  const target = byId(decodeURIComponent(location.hash.slice(1)));
  if (!target || visible(target)) return;
  words.value = group.value = "";
  const all = byId("show-all");
  if (all) all.checked = true;
  narrow();
  target.scrollIntoView();
}

// Paper has what is folded away, also where CSS alone cannot open it.
function unfolded() {
  for (const one of document.querySelectorAll("details:not([open])")) {
    one.open = true;
    one.dataset.folded = "";
  }
}

function folded() {
  for (const one of document.querySelectorAll("details[data-folded]")) {
    one.open = false;
    delete one.dataset.folded;
  }
}

form.hidden = false;
for (const name of new Set(groups.values())) group.append(new Option(name, name));
form.addEventListener("submit", (event) => event.preventDefault());
words.addEventListener("input", narrow);
words.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  words.value = "";
  narrow();
  words.blur();
});
group.addEventListener("change", narrow);
for (const one of document.querySelectorAll("[name=show]")) one.addEventListener("change", told);
document.addEventListener("keydown", pressed);
window.addEventListener("hashchange", led);
window.addEventListener("beforeprint", unfolded);
window.addEventListener("afterprint", folded);
narrow(); // a browser may have kept what was typed before
