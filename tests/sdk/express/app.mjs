// An app of the official TypeScript SDK on express; a second one, with streamed replies, is beside it.
// Usage: node app.mjs PORT

import express from "express";
import { Inngest } from "inngest";
import { serve } from "inngest/express";

import { options } from "./options.mjs";
import { FAILED, HANDLERS } from "./stories.mjs";

function functions(client, app, ids) {
  const extra = options(app);
  return ids.map((id) =>
    client.createFunction(
      { id, triggers: [{ event: `${app}/${id}` }], onFailure: FAILED[id], ...extra[id] },
      HANDLERS[id],
    ),
  );
}

const client = new Inngest({ id: "express" });
const streamed = new Inngest({ id: "express_streamed" });
const some = ["three", "flaky", "parallel", "broken"];

const app = express();
app.use(express.json({ limit: "50mb" }));
app.use("/api/inngest", serve({ client, functions: functions(client, "express", Object.keys(HANDLERS)) }));
app.use(
  "/api/streamed",
  serve({ client: streamed, functions: functions(streamed, "express_streamed", some), streaming: true }),
);
app.listen(Number(process.argv[2]), "127.0.0.1");
