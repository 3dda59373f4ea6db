// The functions; those of ../async_stories.py, and a few of this SDK's own.

import { NonRetriableError, RetryAfterError, referenceFunction } from "inngest";

import { tell, told } from "./ledger.mjs";

const PAUSE = 150;
const MEBIBYTE = 1 << 20;
const PLACE = `${process.env.INNGEST_DEV}/e/any`;

const keyOf = ({ event }) => event.data.key;
const appOf = ({ event }) => event.name.split("/")[0];
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const asked = (ctx) => ({ name: `${appOf(ctx)}/asked`, data: { key: keyOf(ctx) } });
const other = (functionId, appId) => referenceFunction({ functionId, appId });

async function three(ctx) {
  const done = [];
  for (const id of ["a", "b", "c"]) done.push(await ctx.step.run(id, () => tell(keyOf(ctx), id)));
  return done;
}

async function again(ctx) {
  const done = [];
  for (let number = 0; number < 3; number++) {
    done.push(await ctx.step.run("turn", () => tell(keyOf(ctx), `turn-${number}`)));
  }
  return done;
}

async function nap(ctx) {
  const before = await ctx.step.run("before", () => tell(keyOf(ctx), "before"));
  await ctx.step.sleep("nap", "300ms");
  return [before, await ctx.step.run("after", () => tell(keyOf(ctx), "after"))];
}

async function wait(ctx) {
  const approved = await ctx.step.waitForEvent("approval", {
    event: `${appOf(ctx)}/approved`,
    if: "event.data.key == async.data.key",
    timeout: `${ctx.event.data.patience}s`,
  });
  return approved ? approved.data.by : "nobody";
}

async function signalled(ctx) {
  return ctx.step.waitForSignal("go", { signal: `go-${keyOf(ctx)}`, timeout: "30s", onConflict: "fail" });
}

async function signaller(ctx) {
  return ctx.step.sendSignal("send", { signal: `go-${keyOf(ctx)}`, data: { by: "ann" } });
}

async function child(ctx) {
  const doubled = await ctx.step.run("double", () => {
    tell(keyOf(ctx), "double");
    return 2 * ctx.event.data.number;
  });
  return { doubled, event: ctx.event.name };
}

async function calls(ctx) {
  return ctx.step.invoke("call", { function: other("child"), data: { key: keyOf(ctx), number: 21 } });
}

// Calls a function that a worker executes.
async function abroad(ctx) {
  return ctx.step.invoke("call", { function: other("total", "books"), data: { prices: [1, 2, 3] } });
}

async function rescued(ctx) {
  try {
    await ctx.step.invoke("call", { function: other("doomed"), data: { key: `${keyOf(ctx)}-doomed` } });
  } catch (error) {
    return error.message;
  }
}

async function lost(ctx) {
  try {
    await ctx.step.invoke("call", { function: other("nowhere"), data: {} });
  } catch (error) {
    return error.message;
  }
}

async function parallel(ctx) {
  const slept = async () => {
    await ctx.step.sleep("nap", "200ms");
    return "slept";
  };
  const parts = await Promise.all([
    ctx.step.run("left", () => tell(keyOf(ctx), "left")),
    ctx.step.run("right", () => tell(keyOf(ctx), "right")),
    slept(),
  ]);
  return [...parts, await ctx.step.run("join", () => tell(keyOf(ctx), "join"))];
}

// A step that fails at first, beside one that does not.
async function shaky(ctx) {
  const failsOnce = () => {
    tell(keyOf(ctx), "tried");
    if (told(keyOf(ctx), "tried") < 2) throw new Error("not yet");
    return "passed";
  };
  return Promise.all([
    ctx.step.run("fails once", failsOnce),
    ctx.step.run("steady", () => tell(keyOf(ctx), "steady")),
  ]);
}

// The hare goes on while the tortoise is on its way.
async function race(ctx) {
  const hare = async () => {
    await ctx.step.run("first", () => tell(keyOf(ctx), "hare-first"));
    return ctx.step.run("second", () => tell(keyOf(ctx), "hare-second"));
  };
  const tortoise = async () => {
    await ctx.step.waitForEvent("wait", { event: `${appOf(ctx)}/never`, timeout: "1s" });
    return ctx.step.run("arrive", () => tell(keyOf(ctx), "tortoise"));
  };
  return ctx.group.parallel({ mode: "race" }, () => Promise.all([hare(), tortoise()]));
}

// What is done first wins; the SDK lets the run end when the others have ended, too.
async function winner(ctx) {
  const quick = () => ctx.step.run("quick", () => tell(keyOf(ctx), "quick"));
  const slow = () => ctx.step.waitForEvent("slow", { event: `${appOf(ctx)}/never`, timeout: "1s" });
  return ctx.group.parallel(() => Promise.race([quick(), slow()]));
}

async function flaky(ctx) {
  const before = await ctx.step.run("before", () => tell(keyOf(ctx), "before"));
  const last = await ctx.step.run("flaky", () => {
    tell(keyOf(ctx), "tried");
    if (ctx.attempt < 2) throw new Error(`attempt ${ctx.attempt} fails`);
    return ctx.attempt;
  });
  return [before, last];
}

// Its body, outside any step, fails at first.
async function stumble(ctx) {
  const before = await ctx.step.run("before", () => tell(keyOf(ctx), "before"));
  if (!told(keyOf(ctx), "stumbled")) throw new Error(tell(keyOf(ctx), "stumbled"));
  return [before, await ctx.step.run("after", () => tell(keyOf(ctx), "after"))];
}

async function caught(ctx) {
  try {
    await ctx.step.run("charge", () => {
      tell(keyOf(ctx), "tried");
      throw new TypeError("no such card");
    });
  } catch (error) {
    return [error.name, error.message, await ctx.step.run("refund", () => tell(keyOf(ctx), "refund"))];
  }
}

async function broken(ctx) {
  tell(keyOf(ctx), "tried");
  throw new NonRetriableError("the card is blocked");
}

async function brokenStep(ctx) {
  return ctx.step.run("charge", () => {
    tell(keyOf(ctx), "tried");
    throw new NonRetriableError("the card is blocked");
  });
}

async function later(ctx) {
  tell(keyOf(ctx), "tried");
  if (told(keyOf(ctx), "tried") < 2) throw new RetryAfterError("busy", "2s");
  return "served";
}

async function laterStep(ctx) {
  return ctx.step.run("serve", () => {
    tell(keyOf(ctx), "tried");
    if (told(keyOf(ctx), "tried") < 2) throw new RetryAfterError("busy", "2s");
    return "served";
  });
}

async function doomed(ctx) {
  throw new Error(tell(keyOf(ctx), "doomed"));
}

async function doomedFailed(ctx) {
  const { error } = ctx.event.data;
  const key = ctx.event.data.event.data.key;
  return ctx.step.run("mourn", () => tell(key, `mourned-${error.message}`));
}

const tick = ({ event }) => ({ event: event.name, cron: event.data.cron });
const batch = ({ events }) => events.map((event) => event.data.key);
const debounce = (ctx) => tell(keyOf(ctx), `number-${ctx.event.data.number}`);

async function narrow(ctx) {
  await ctx.step.run("pass", async () => {
    tell(keyOf(ctx), "in");
    await pause(PAUSE);
    tell(keyOf(ctx), "out");
  });
}

async function throttle(ctx) {
  return ctx.step.run("now", () => performance.now() / 1000);
}

async function noted(ctx) {
  return ctx.step.run("a", () => tell(keyOf(ctx), "a"));
}

async function urgent(ctx) {
  await ctx.step.run("serve", async () => {
    tell(keyOf(ctx), ctx.event.data.name);
    await pause(2 * PAUSE);
  });
}

async function single(ctx) {
  await ctx.step.run("a", () => tell(keyOf(ctx), "a"));
  await ctx.step.waitForEvent("end", { event: `${appOf(ctx)}/ended`, timeout: "2s" });
  return ctx.step.run("b", () => tell(keyOf(ctx), "b"));
}

async function cancel(ctx) {
  await ctx.step.run("a", () => tell(keyOf(ctx), "a"));
  await ctx.step.sleep("long", "60s");
  return ctx.step.run("b", () => tell(keyOf(ctx), "b"));
}

// Sends one event twice; the id that it gives it makes that one.
async function sender(ctx) {
  const news = { name: `${appOf(ctx)}/told`, id: `news-${keyOf(ctx)}`, data: { key: keyOf(ctx) } };
  const first = await ctx.step.sendEvent("send", news);
  const second = await ctx.step.sendEvent("send again", [news]);
  return [first.ids.length, second.ids.length];
}

async function toldOf(ctx) {
  return ctx.step.run("a", () => tell(keyOf(ctx), "told"));
}

// Five steps of a mebibyte each.
async function bulky(ctx) {
  const parts = [];
  for (const letter of "abcde") {
    parts.push(await ctx.step.run(letter, () => tell(keyOf(ctx), letter).repeat(MEBIBYTE)));
  }
  return [parts.map((part) => part[0]).join(""), parts.join("").length];
}

// Has the server ask a model; in its place there is the server itself, which takes what it is sent for an event.
async function inferred(ctx) {
  const model = { format: "openai-chat", authKey: "any", headers: {}, url: PLACE, options: {} };
  return ctx.step.ai.infer("ask", { model, body: asked(ctx) });
}

// Has the server make a request.
async function fetched(ctx) {
  const answer = await ctx.step.fetch(PLACE, { method: "POST", body: JSON.stringify(asked(ctx)) });
  return [answer.status, await answer.json()];
}

/** Of every function, by its id. */
export const HANDLERS = {
  three,
  again,
  nap,
  wait,
  signalled,
  signaller,
  child,
  calls,
  abroad,
  rescued,
  lost,
  parallel,
  shaky,
  race,
  winner,
  flaky,
  stumble,
  caught,
  broken,
  broken_step: brokenStep,
  later,
  later_step: laterStep,
  doomed,
  tick,
  batch,
  debounce,
  narrow,
  throttle,
  burst: throttle,
  limited: noted,
  urgent,
  single,
  latest: single,
  hasty: cancel,
  cancel,
  once: noted,
  sender,
  told: toldOf,
  bulky,
  inferred,
  fetched,
};

/** What is called when a function has failed. */
export const FAILED = { doomed: doomedFailed };
