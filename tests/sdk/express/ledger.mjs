// The file into which every body says that it was executed.

import { appendFileSync, existsSync, readFileSync } from "node:fs";

const LEDGER = process.env.LEDGER;

/** Adds the line `key what`; `what`. */
export function tell(key, what) {
  appendFileSync(LEDGER, `${key} ${what}\n`);
  return what;
}

/** How many such lines there are. */
export function told(key, what) {
  if (!existsSync(LEDGER)) return 0;
  return readFileSync(LEDGER, "utf8").split("\n").filter((line) => line === `${key} ${what}`).length;
}
