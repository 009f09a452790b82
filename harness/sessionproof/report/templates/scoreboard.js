"use strict";
// Narrows the rows; without it all of them are shown.
const form = document.getElementById("filter");
const words = document.getElementById("words"), standing = document.getElementById("standing");
const state = document.getElementById("state");
const rows = [...document.querySelectorAll("tr.store")];

function narrow() {
  const wanted = words.value.trim().toLowerCase().split(/\s+/).filter(Boolean);
  const kind = standing.value;
  let shown = 0;
  for (const row of rows) {
    const text = row.dataset.text;
    const fits = wanted.every((word) => text.includes(word))
      && (!kind || row.dataset.found.split(" ").includes(kind));
    row.hidden = !fits;
    shown += fits;
  }
  document.body.dataset.standing = kind;
  state.textContent = `${shown} of ${rows.length} stores`;
}

form.hidden = false;
form.addEventListener("submit", (event) => event.preventDefault());
words.addEventListener("input", narrow);
standing.addEventListener("change", narrow);
narrow(); // a browser may have kept what was typed before
