/** The form that sends an event: the commands below it stay in step with the name and the data in its fields. */

/** Longer than this, terminals do not take it. */
const LONGEST = 32_768;

const form = document.querySelector("form.send-form");
const commands = document.getElementById("same");

/**
 * As a word for a shell.
 * @param {string} text
 */
function quoted(text) {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'"'"'`)}'`;
}

/**
 * The same JSON without the space between: read and written again, large numbers would lose digits.
 * @param {string} json
 */
function compact(json) {
  return json.replace(/("(?:[^"\\]|\\.)*")|\s+/g, (_, text) => text ?? "");
}

/**
 * The data of an event, or nothing if it is none yet.
 * @param {string} typed
 */
function dataOf(typed) {
  try {
    const found = JSON.parse(typed.trim() || "{}");
    return typeof found === "object" && found && !Array.isArray(found) ? compact(typed.trim() || "{}") : "";
  } catch {
    return "";
  }
}

function follow() {
  if (!(form instanceof HTMLFormElement) || !commands) return;
  const fields = new FormData(form);
  const name = String(fields.get("name")), data = dataOf(String(fields.get("data")));
  commands.hidden = !name.trim() || name.startsWith("-") || !data || data.length > LONGEST;
  if (commands.hidden) return;
  const words = {
    send: `${quoted(name)} ${quoted(data)}`,
    curl: quoted(`{"name":${JSON.stringify(name)},"data":${data}}`),
  };
  for (const [which, word] of Object.entries(words)) {
    const shown = commands.querySelector(`[data-command="${which}"]`);
    const code = shown?.querySelector("pre");
    if (shown instanceof HTMLElement && code) code.textContent = `${shown.dataset.before}${word}${shown.dataset.after}`;
  }
}

form?.addEventListener("input", follow);
follow();
