// An app of the official TypeScript SDK with one function of three steps, all settings as they come.
// Usage: node sdk_app.mjs PORT

import express from "express";
import { Inngest } from "inngest";
import { serve } from "inngest/express";

const client = new Inngest({ id: "bench-node" });

const three = client.createFunction({ id: "three", triggers: [{ event: "bench-node/three" }] }, async ({ step }) => {
  let sum = 0;
  for (const id of ["a", "b", "c"]) sum += await step.run(id, () => 1);
  return sum;
});

const app = express();
app.use(express.json({ limit: "5mb" }));
app.use("/api/inngest", serve({ client, functions: [three] }));
app.listen(Number(process.argv[2]), "127.0.0.1");
