"use strict";
// Everything of a chat is put into the page as text; nothing of it is ever parsed as markup.
const SESSIONS = JSON.parse(document.getElementById("data").textContent);
const AT_ONCE = 200; // messages that are shown before somebody asks for more
const LISTED = 300; // sessions in the list
const FOUND = 200; // places that a search shows
const LONG = 6000; // characters of a message
const BEFORE = 20; // messages that are shown before one that was found
const [NUMBER, ROLE, KIND, TIME, KNOWN, TEXT] = [0, 1, 2, 3, 4, 5];
const CLASSES = new Set(["user", "assistant", "tool"]);

const byId = (id) => document.getElementById(id);
const words = byId("words"), role = byId("role"), filter = byId("filter");
const list = byId("sessions"), state = byId("state"), content = byId("content");
let current = -1;

function made(tag, properties, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

function counted(number, one, many) {
  return `${number.toLocaleString("en")} ${number === 1 ? one : many}`;
}

function button(text, work) {
  return made("button", { type: "button", className: "more", textContent: text, onclick: work });
}

// The text with every place of the words marked; words are compared without case.
function marked(text, needle) {
  if (!needle) return [text];
  const parts = [], low = text.toLowerCase();
  if (low.length !== text.length) return [text]; // places would not fit
  let at = 0;
  for (let hit = low.indexOf(needle); hit >= 0 && parts.length < 200; hit = low.indexOf(needle, at)) {
    parts.push(text.slice(at, hit), made("mark", { textContent: text.slice(hit, hit + needle.length) }));
    at = hit + needle.length;
  }
  return [...parts, text.slice(at)];
}

function textOf(message, needle) {
  const whole = message[TEXT];
  const className = message[KIND] === "tool_call" ? "text code" : "text";
  const shown = made("div", { className, dir: "auto" }, ...marked(whole.slice(0, LONG), needle));
  if (whole.length <= LONG) return [shown];
  const rest = button(`Show all ${whole.length.toLocaleString("en")} characters`, () => {
    shown.replaceChildren(...marked(whole, needle));
    rest.remove();
  });
  return [shown, rest];
}

function messageItem(message, needle) {
  const head = made("h3", {}, made("bdi", { textContent: message[ROLE] }));
  head.append(made("span", { textContent: message[NUMBER] }));
  if (message[KIND] !== "text") head.append(made("span", { textContent: message[KIND].replace("_", " ") }));
  if (message[KNOWN]) head.append(made("span", {}, made("bdi", { textContent: message[KNOWN] })));
  head.append(made("span", { textContent: message[TIME] }));
  const item = made("li", { className: "message" }, head, ...textOf(message, needle));
  if (CLASSES.has(message[ROLE])) item.classList.add(message[ROLE]);
  return item;
}

function heading(session) {
  const facts = made("dl", { className: "facts" });
  for (const [name, text] of Object.entries(session.facts)) {
    if (name !== "title") facts.append(made("div", {}, made("dt", { textContent: name }), made("dd", { dir: "auto", textContent: text })));
  }
  return [made("h2", { dir: "auto", textContent: session.facts.title || session.id }), facts];
}

// Show a session from the message at this place on, a part at a time in both directions.
function openSession(place, start = 0, needle = "", focus = true) {
  const session = SESSIONS[place], all = session.messages;
  current = place;
  const items = made("ol", {});
  let first = Math.max(0, start - BEFORE), next = first;
  const earlier = button("", () => {
    const from = Math.max(0, first - AT_ONCE);
    items.prepend(...all.slice(from, first).map((one) => messageItem(one, needle)));
    first = from;
    told();
  });
  const later = button("", () => {
    items.append(...all.slice(next, next + AT_ONCE).map((one) => messageItem(one, needle)));
    next = Math.min(all.length, next + AT_ONCE);
    told();
  });
  function told() {
    earlier.hidden = first === 0;
    later.hidden = next === all.length;
    earlier.textContent = `Earlier messages (${first.toLocaleString("en")})`;
    later.textContent = `Later messages (${(all.length - next).toLocaleString("en")})`;
    const here = first === 0 && next === all.length ? "" : `, ${(next - first).toLocaleString("en")} of them shown`;
    const kept = session.earlier ? `; ${counted(session.earlier, "earlier one is", "earlier ones are")} not on this page` : "";
    state.textContent = `${counted(all.length, "message", "messages")}${here}${kept}`;
  }
  later.onclick();
  content.replaceChildren(...heading(session), earlier, items, later);
  drawList();
  if (needle && items.children[start - first]) {
    items.children[start - first].classList.add("found");
    items.children[start - first].scrollIntoView({ block: "center" });
  }
  if (focus) byId("main").focus({ preventScroll: Boolean(needle) });
  history.replaceState(null, "", `#${place}`);
}

// The places of the text around its first hit.
function snippet(text, needle) {
  const at = text.toLowerCase().indexOf(needle);
  const from = Math.max(0, at - 80), to = at + needle.length + 160;
  return `${from > 0 ? "…" : ""}${text.slice(from, to)}${to < text.length ? "…" : ""}`;
}

function search() {
  const needle = words.value.trim().toLowerCase(), only = role.value;
  if (!needle && !only) {
    if (SESSIONS.length) openSession(Math.max(0, current), 0, "", false);
    return;
  }
  const items = made("ol", {});
  let hits = 0;
  SESSIONS.forEach((session, place) => {
    session.messages.forEach((message, index) => {
      if ((only && message[ROLE] !== only) || !message[TEXT].toLowerCase().includes(needle)) return;
      hits += 1;
      if (hits > FOUND) return;
      const name = session.facts.title || session.id;
      const open = button("Open", () => openSession(place, index, needle));
      open.setAttribute("aria-label", `Open message ${message[NUMBER]} of ${name}`);
      const item = messageItem([...message.slice(0, TEXT), snippet(message[TEXT], needle)], needle);
      item.firstChild.prepend(made("bdi", { textContent: name }));
      item.append(open);
      items.append(item);
    });
  });
  const shown = hits > FOUND ? `, the first ${FOUND} shown` : "";
  state.textContent = `${counted(hits, "message", "messages")} found${shown}`;
  content.replaceChildren(items);
}

function drawList() {
  const wanted = filter.value.trim().toLowerCase();
  const found = SESSIONS.map((session, place) => [session, place]).filter(([session]) =>
    `${session.id}\n${Object.values(session.facts).join("\n")}`.toLowerCase().includes(wanted));
  list.replaceChildren(...found.slice(0, LISTED).map(([session, place]) => {
    const about = [counted(session.messages.length + session.earlier, "message", "messages"), session.facts["last activity"]];
    const one = made("button", { type: "button", onclick: () => openSession(place) },
      made("span", { dir: "auto", textContent: session.facts.title || session.id }),
      made("span", { className: "quiet", textContent: about.join(" · ") }));
    if (place === current) one.setAttribute("aria-current", "true");
    return made("li", {}, one);
  }));
  if (found.length > LISTED) {
    list.append(made("li", { className: "quiet", textContent: `and ${(found.length - LISTED).toLocaleString("en")} more: narrow the list` }));
  }
}

function soon(work) {
  let timer = 0;
  return () => {
    clearTimeout(timer);
    timer = setTimeout(work, 150);
  };
}

const roles = new Set(SESSIONS.flatMap((session) => session.messages.map((message) => message[ROLE])));
role.append(...[...roles].sort().map((name) => made("option", { value: name, textContent: name })));
words.addEventListener("input", soon(search));
role.addEventListener("change", search);
filter.addEventListener("input", soon(drawList));
byId("search").addEventListener("submit", (event) => event.preventDefault());
drawList();
if (SESSIONS.length) {
  const asked = Number(location.hash.slice(1));
  openSession(Number.isInteger(asked) && asked in SESSIONS ? asked : 0, 0, "", false);
} else {
  state.textContent = "There are no sessions.";
}
