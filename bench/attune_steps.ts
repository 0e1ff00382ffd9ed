/** Runs training steps of Attune on requested rows: JSON lines in, JSON lines out (see README). */
import { parseArgs } from "node:util";
import { compose } from "../core/spec/compose.ts";
import { openRun } from "../core/run/open/open.ts";
import type { RunSpec } from "../core/types.ts";
import { catalog } from "../plugins/catalog.ts";
import { hostHere } from "../runtimes/host/train.ts";
import { acceleratorsIn, serveSteps } from "./serve_steps.ts";

const { values } = parseArgs({
  options: {
    mode: { type: "string", default: "lora" },
    model: { type: "string", default: "" },
    threads: { type: "string", default: "2" },
    /** Pads rows as the opponent does, without `rowSharing`. */
    padded: { type: "boolean", default: false },
    /** One accelerator as in a spec: its name, or an object. */
    accelerators: { type: "string" },
  },
});

const lora = { use: "lora", with: { r: 8, loraAlpha: 16, loraDropout: 0.1, targetModules: ["query", "value"] } };
const spec: RunSpec = {
  version: 1,
  name: "bench",
  model: { use: "pretrained", with: { path: values.model } },
  task: { use: "sequence-classification", with: { labels: ["negative", "positive"] } },
  data: { train: { use: "reviews", with: { split: "train" } } },
  ...(values.mode === "lora" ? { adapter: lora } : {}),
  ...acceleratorsIn(values.accelerators),
  training: { maxLength: 128, perDeviceTrainBatchSize: 16, rowSharing: !values.padded },
};
await serveSteps(await openRun(compose(spec, catalog), await hostHere(Number(values.threads))), {
  name: `attune ${values.mode}${values.padded ? " padded" : ""}${values.accelerators ? ` ${values.accelerators}` : ""}`,
  learningRate: values.mode === "lora" ? 1e-3 : 5e-5,
});
