// What the functions are set to, by their ids; the same as in ../options.py.

const KEY = "event.data.key";

/** What a function has beyond its id, its trigger `app/id`, and its handler. */
export function options(app) {
  return { ...failing, ...flow(app), tick: { triggers: [{ cron: "* * * * *" }] } };
}

const failing = {
  flaky: { retries: 3 },
  stumble: { retries: 2 },
  caught: { retries: 1 },
  later: { retries: 2 },
  doomed: { retries: 0 },
};

const flow = (app) => ({
  batch: { batchEvents: { maxSize: 3, timeout: "30s", key: "event.data.shelf" } },
  debounce: { debounce: { period: "1s", key: KEY } },
  narrow: { concurrency: { limit: 1, key: KEY } },
  throttle: { throttle: { limit: 1, period: "1s", key: KEY } },
  burst: { throttle: { limit: 1, period: "1h", burst: 3, key: KEY } },
  limited: { rateLimit: { limit: 1, period: "60s", key: KEY } },
  urgent: { priority: { run: "event.data.urgent ? 600 : 0" }, concurrency: 1 },
  single: { singleton: { mode: "skip", key: KEY } },
  latest: { singleton: { mode: "cancel", key: KEY } },
  hasty: { timeouts: { finish: "1s" } },
  cancel: { cancelOn: [{ event: `${app}/withdrawn`, if: "event.data.key == async.data.key" }] },
  once: { idempotency: KEY },
});
