/** Times that go on: once a second they are said anew. Hovering one shows it in the zone of the reader, and in UTC. */

import { ago, elapsed, until } from "./durations.js";

const said = /** @type {const} */ ([
  ["data-past", /** @param {number} at @param {number} now */ (at, now) => ago(now - at)],
  ["data-coming", /** @param {number} at @param {number} now */ (at, now) => until(at - now)],
  ["data-since", /** @param {number} at @param {number} now */ (at, now) => elapsed(now - at)],
]);

const TIME = /** @type {const} */ ({ hour: "2-digit", minute: "2-digit" });
const DATE = /** @type {const} */ ({ day: "numeric", month: "short" });

/** What the clock of the server is ahead of that of the browser, ms. */
let ahead = 0;

function compare() {
  ahead = Number(document.documentElement.dataset.now) - Date.now();
}

function tick() {
  const now = Date.now() + ahead;
  for (const [name, say] of said) {
    for (const element of document.querySelectorAll(`[${name}]`)) {
      const text = say(Number(element.getAttribute(name)), now);
      if (element.textContent !== text) element.textContent = text;
    }
  }
}

/** @param {PointerEvent} event */
function explain(event) {
  const time = event.target instanceof Element ? event.target.closest("time") : null;
  if (!time) return;
  const at = new Date(time.dateTime);
  time.title = `${at.toLocaleString()}\n${at.toISOString().replace("T", " ").slice(0, 19)} UTC`;
}

/** Times of day under charts are those of the reader's zone. */
function clocks() {
  for (const text of document.querySelectorAll("[data-clock]")) {
    const at = new Date(text.getAttribute("data-clock") ?? "");
    const form = /:/.test(text.textContent ?? "") ? TIME : DATE;
    const shown = at.toLocaleString(undefined, form);
    if (text.textContent !== shown) text.textContent = shown;
  }
}

compare();
clocks();
setInterval(tick, 1_000);
document.addEventListener("stepwell:fresh", compare);
document.addEventListener("stepwell:fresh", clocks);
document.addEventListener("pointerover", explain);
