/** The keyboard: single letters do what is on the page, `g` and a letter lead to a view, `?` says which there are. */

import { activate, labelOf, openPalette } from "./palette.js";

/** Within so many ms the second letter has to follow on `g`. */
const PATIENCE = 1_200;
const LISTED = /** @type {const} */ ([
  ["Find anything", "⌘K"],
  ["Search on this page, or find anything", "/"],
  ["Next and previous of a list", "j k"],
  ["Open what is chosen", "↵"],
  ["Mark what is chosen", "x"],
  ["Open and close all details", "e w"],
  ["This list", "?"],
]);

let going = 0;

/** @param {KeyboardEvent} event */
function pressed(event) {
  if ((event.metaKey || event.ctrlKey) && event.key.toLowerCase() === "k") {
    event.preventDefault();
    return openPalette();
  }
  if (event.metaKey || event.ctrlKey || event.altKey || isTyping(event.target)) return;
  if (document.querySelector("dialog[open]")) return;
  if (performance.now() < going ? go(event.key) : act(event.key)) event.preventDefault();
}

/** @param {EventTarget | null} target */
function isTyping(target) {
  return target instanceof HTMLElement && (target.isContentEditable || target.matches("input, textarea, select"));
}

/**
 * @param {string} key
 * @returns {boolean} whether the key means something here
 */
function act(key) {
  const named = document.querySelector(`main [data-key="${CSS.escape(key)}"]`);
  if (named) {
    activate(named);
    return true;
  }
  const known = Object.hasOwn(GENERAL, key) ? GENERAL[key] : null;
  known?.();
  return known !== null;
}

/** @type {Record<string, () => void>} */
const GENERAL = {
  "/": openPalette,
  "?": help,
  g: () => (going = performance.now() + PATIENCE),
  j: () => step(1),
  k: () => step(-1),
  x: mark,
  e: () => unfold(true),
  w: () => unfold(false),
};

/** @param {string} key */
function go(key) {
  going = 0;
  const view = document.querySelector(`[data-go="${CSS.escape(key)}"]`);
  if (view instanceof HTMLElement) view.click();
  return view !== null;
}

/** @param {number} by */
function step(by) {
  const rows = [...document.querySelectorAll("main .row-link, main .trouble-link, main .step > summary")];
  const place = rows.findIndex((row) => row === document.activeElement);
  const next = place < 0 ? (by > 0 ? 0 : rows.length - 1) : Math.max(0, Math.min(rows.length - 1, place + by));
  const row = rows[next];
  if (row instanceof HTMLElement) row.focus();
}

/** Marks the row that has the focus, or takes the mark away. */
function mark() {
  const box = document.activeElement?.closest("tr")?.querySelector("input[type=checkbox]");
  if (box instanceof HTMLInputElement) box.checked = !box.checked;
}

/** @param {boolean} open */
function unfold(open) {
  for (const details of document.querySelectorAll("main details:not(.act)")) details.toggleAttribute("open", open);
}

function help() {
  const dialog = document.createElement("dialog");
  dialog.className = "palette";
  dialog.setAttribute("aria-label", "Keyboard shortcuts");
  const keys = document.createElement("dl");
  keys.className = "keys";
  const views = [...document.querySelectorAll("[data-go]")].map((view) => [labelOf(view), `g ${view.getAttribute("data-go")}`]);
  const here = [...document.querySelectorAll("main [data-key]")].map((one) => [labelOf(one), one.getAttribute("data-key") ?? ""]);
  for (const [title, lines] of /** @type {const} */ ([["Everywhere", LISTED], ["Views", views], ["On this page", here]])) {
    if (lines.length) keys.append(heading(title), ...lines.flatMap(([text, key]) => [term(text ?? ""), meaning(key ?? "")]));
  }
  dialog.append(keys);
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
}

/** @param {string} text */
function heading(text) {
  const element = document.createElement("h2");
  element.textContent = text;
  return element;
}

/** @param {string} text */
function term(text) {
  const element = document.createElement("dt");
  element.textContent = text;
  return element;
}

/** @param {string} keys */
function meaning(keys) {
  const element = document.createElement("dd");
  for (const key of keys.split(" ")) {
    const shown = document.createElement("kbd");
    shown.textContent = key;
    element.append(shown, " ");
  }
  return element;
}

document.addEventListener("keydown", pressed);
document.addEventListener("click", (event) => {
  if (event.target instanceof Element && event.target.closest("[data-help]")) help();
});
