/** ⌘K: jumps to a view, a function, a run or an event, and does what the page can do. */

/** Between two readings, while somebody types, ms. */
const PAUSE = 120;

const dialog = document.createElement("dialog");
dialog.className = "palette";
dialog.setAttribute("aria-label", "Find");
const field = document.createElement("input");
field.className = "palette-text";
field.type = "text";
field.placeholder = "Jump to a view, a function, a run or an event…";
field.maxLength = 600;
field.autocomplete = "off";
field.spellcheck = false;
field.setAttribute("role", "combobox");
field.setAttribute("aria-label", "Find");
field.setAttribute("aria-expanded", "true");
field.setAttribute("aria-controls", "palette-hits");
const list = document.createElement("ul");
list.className = "hits";
list.id = "palette-hits";
list.setAttribute("role", "listbox");
list.setAttribute("aria-label", "What was found");
dialog.append(field, list);
document.body.append(dialog);

let chosen = 0;
let wait = 0;
let asked = 0;

/** Opens the palette. */
export function openPalette() {
  if (document.querySelector("dialog[open]") || !document.querySelector("[data-palette]")) return;
  field.value = "";
  dialog.showModal();
  void search();
}

/** What the page can do: everything on it that has a key. */
function actions() {
  const text = field.value.trim().toLowerCase();
  const found = [...document.querySelectorAll("main [data-key]")].filter((element) => element instanceof HTMLElement);
  return found.filter((element) => labelOf(element).toLowerCase().includes(text) && element.checkVisibility());
}

/** @param {Element} element */
export function labelOf(element) {
  return (element.getAttribute("data-says") || element.getAttribute("aria-label") || element.textContent || "").trim();
}

/** @param {Element} element */
function actionLine(element) {
  const line = document.createElement("button");
  line.type = "button";
  line.className = "hit";
  line.append(part("hit-kind", "Do"), part("hit-label", labelOf(element)));
  const key = document.createElement("kbd");
  key.textContent = element.getAttribute("data-key");
  line.append(key);
  line.addEventListener("click", () => {
    dialog.close();
    // Behind this very click, which would close again what is opened.
    setTimeout(() => activate(element));
  });
  return line;
}

/**
 * @param {string} name
 * @param {string} text
 */
function part(name, text) {
  const span = document.createElement("span");
  span.className = name;
  span.textContent = text;
  return span;
}

/**
 * Does what an element is for: fields get the focus, all else is clicked.
 * @param {Element} element
 */
export function activate(element) {
  if (!(element instanceof HTMLElement)) return;
  element.focus();
  if (!element.matches("input, textarea, select")) element.click();
}

async function search() {
  const number = ++asked;
  const text = field.value.trim();
  try {
    const response = await fetch(`/find?${new URLSearchParams({ q: text })}`, { headers: { "Stepwell-Fragment": "1" } });
    const page = new DOMParser().parseFromString(await response.text(), "text/html");
    if (number === asked) show([...page.querySelectorAll("a.hit")], response.ok ? "" : "The server cannot look just now.");
  } catch {
    if (number === asked) show([], "The server does not answer.");
  }
}

/**
 * @param {Element[]} hits
 * @param {string} trouble
 */
function show(hits, trouble) {
  const lines = [...actions().map(actionLine), ...hits.map((hit) => document.importNode(hit, true))];
  list.replaceChildren(...lines.map(item));
  if (trouble || !lines.length) {
    const none = document.createElement("li");
    none.className = "hits-none";
    none.textContent = trouble || "Nothing is called so, and no id begins like that.";
    list.append(none);
  }
  choose(0);
}

/**
 * @param {Element} line
 * @param {number} index
 */
function item(line, index) {
  line.id = `hit-${index}`;
  line.setAttribute("role", "option");
  line.setAttribute("tabindex", "-1");
  const found = document.createElement("li");
  found.setAttribute("role", "presentation");
  found.append(line);
  return found;
}

/** @param {number} index */
function choose(index) {
  const lines = [...list.querySelectorAll(".hit")];
  chosen = lines.length ? (index + lines.length) % lines.length : 0;
  for (const [place, line] of lines.entries()) line.setAttribute("aria-selected", String(place === chosen));
  field.setAttribute("aria-activedescendant", lines.length ? `hit-${chosen}` : "");
  lines[chosen]?.scrollIntoView({ block: "nearest" });
}

field.addEventListener("input", () => {
  clearTimeout(wait);
  wait = setTimeout(search, PAUSE);
});

field.addEventListener("keydown", (event) => {
  const steps = { ArrowDown: 1, ArrowUp: -1 };
  if (event.key in steps) {
    event.preventDefault();
    choose(chosen + steps[/** @type {keyof steps} */ (event.key)]);
  } else if (event.key === "Enter") {
    event.preventDefault();
    const line = list.querySelectorAll(".hit")[chosen];
    if (line instanceof HTMLElement) line.click();
  }
});

dialog.addEventListener("click", (event) => {
  if (event.target === dialog) dialog.close();
});

document.addEventListener("click", (event) => {
  if (!(event.target instanceof Element) || !event.target.closest("[data-palette]")) return;
  if (event.metaKey || event.ctrlKey) return;
  event.preventDefault();
  openPalette();
});
