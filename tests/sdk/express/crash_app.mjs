// An app of the official TypeScript SDK that is killed: three steps and a sleep, each body of which is written down.
// Usage: node crash_app.mjs PORT

import express from "express";
import { Inngest } from "inngest";
import { serve } from "inngest/express";

import { tell } from "./ledger.mjs";

const client = new Inngest({ id: "crashing" });

const work = client.createFunction({ id: "work", triggers: [{ event: "work" }] }, async ({ step, runId }) => {
  const named = (name) =>
    step.run(name, async () => {
      tell(runId, `${name} ${Date.now()}`);
      await new Promise((done) => setTimeout(done, 30));
      return name;
    });
  const first = await named("first");
  await step.sleep("nap", "1s");
  return [first, await named("second"), await named("third")];
});

const app = express();
app.use(express.json());
app.use("/api/inngest", serve({ client, functions: [work] }));
app.listen(Number(process.argv[2]), "127.0.0.1");
