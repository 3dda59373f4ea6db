/** Boxes that open under a button: one at a time; Escape, or a click beside it, closes it. */

document.addEventListener("click", (event) => {
  for (const act of document.querySelectorAll("details.act[open]")) {
    if (event.target instanceof Node && !act.contains(event.target)) act.removeAttribute("open");
  }
});

document.addEventListener("keydown", (event) => {
  const act = event.key === "Escape" ? document.querySelector("details.act[open]") : null;
  if (!act) return;
  act.removeAttribute("open");
  act.querySelector("summary")?.focus();
});

document.addEventListener(
  "toggle",
  (event) => {
    const act = event.target;
    if (!(act instanceof HTMLDetailsElement) || !act.matches("details.act") || !act.open) return;
    /** @type {HTMLElement | null} */
    const field = act.querySelector("textarea, input:not([type=hidden]), select, button");
    field?.focus();
  },
  true,
);

/** Who sends a form twice by a double click means it once. */
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (!(form instanceof HTMLFormElement) || form.method !== "post") return;
  if (form.dataset.sent) return event.preventDefault();
  form.dataset.sent = "1";
});

addEventListener("pageshow", () => {
  for (const form of document.querySelectorAll("form[data-sent]")) form.removeAttribute("data-sent");
});
