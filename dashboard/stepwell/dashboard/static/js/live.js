/** Keeps the page up to date: when the server says that runs have changed, the page is read anew and changed in place. */

import { morph } from "./morph.js";

/** Between two readings are at least as many ms as the page says, however much changes; and twice as long as one took. */
const SLOWNESS = 2;
/** But no more than so many ms: of a server that was away a reading may have taken very long. */
const LONGEST = 3_000;
/** After so many ms a broken stream is opened again; until it is there, the page is read at that pace. */
const RETRY = 2_000;
/** A stream is silent while nothing happens, and as silent while the server has lost Redis: so often, in ms, it is tried. */
const CHECK = 15_000;
/** A page that is not there after so many ms is not fresh, whatever comes of it. */
const PATIENCE = 5_000;

const page = /** @type {HTMLElement} */ (document.getElementById("page"));
const sign = /** @type {HTMLElement} */ (document.getElementById("live"));

/** @type {EventSource | null} */
let stream = null;
let retry = 0;
/** Whether the stream has said that it misses nothing. */
let told = false;
let reading = false;
let stale = false;
let clock = 0;

/**
 * Tells the reader how fresh the page is.
 * @param {"live" | "reconnecting" | ""} state
 */
function show(state) {
  const text = { live: "Live", reconnecting: "Reconnecting…", "": "" }[state];
  if (sign.textContent === text) return;
  sign.textContent = text;
  if (state) sign.dataset.state = state;
  else delete sign.dataset.state;
}

/** Opens the stream that the page asks for. A page that is not seen needs none: browsers allow few connections. */
function follow() {
  const wanted = document.hidden ? "" : (page.dataset.stream ?? "");
  if (stream && new URL(stream.url).href === new URL(wanted, location.href).href) return;
  leave();
  if (!wanted) return;
  stream = new EventSource(wanted);
  stream.addEventListener("refetch", () => {
    told = true;
    refetch();
  });
  stream.addEventListener("runs", () => refetch());
  stream.addEventListener("said", () => refetch());
  stream.addEventListener("error", broken);
}

function leave() {
  clearTimeout(retry);
  stream?.close();
  stream = null;
  told = false;
}

function broken() {
  leave();
  show("reconnecting");
  retry = setTimeout(() => {
    refetch();
    follow();
  }, RETRY);
}

/** Reads the page anew; what changes meanwhile is read after it. */
async function refetch() {
  stale = true;
  if (reading) return;
  reading = true;
  while (stale) {
    stale = false;
    const begun = performance.now();
    await read();
    const pause = Math.max(Number(page.dataset.pace), Math.min(LONGEST, SLOWNESS * (performance.now() - begun)));
    await new Promise((resolve) => setTimeout(resolve, pause));
  }
  reading = false;
}

async function read() {
  const slow = setTimeout(() => show("reconnecting"), PATIENCE);
  try {
    const response = await fetch(location.href, { headers: { "Stepwell-Fragment": "1" } });
    // The session is over: loaded anew, the page leads to where one signs in, and from there back.
    if (response.status === 401) return location.reload();
    const html = response.headers.get("content-type")?.startsWith("text/html");
    // What is shown is worth more than a page that says that it cannot be read just now.
    if (!html || response.status >= 500) return broken();
    replace(new DOMParser().parseFromString(await response.text(), "text/html"));
  } catch {
    broken();
  } finally {
    clearTimeout(slow);
  }
}

/** Some of what is shown changes without anything being said: such a page tells how often it has to be read, in ms. */
function tick() {
  clearTimeout(clock);
  const every = Number(page.dataset.every) || (page.dataset.stream ? CHECK : 0);
  if (every && !document.hidden) clock = setTimeout(() => refetch().then(tick), every);
}

/** @param {Document} fresh */
function replace(fresh) {
  const main = fresh.getElementById("page");
  if (!main) return;
  document.documentElement.dataset.now = fresh.documentElement.dataset.now;
  document.title = fresh.title;
  morph(page, main);
  document.dispatchEvent(new Event("stepwell:fresh"));
  if (!page.dataset.stream) show("");
  else if (told) show("live");
  follow();
}

function begin() {
  follow();
  tick();
}

document.addEventListener("visibilitychange", begin);
addEventListener("pagehide", leave);
addEventListener("pageshow", begin);
begin();
