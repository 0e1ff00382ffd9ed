/** What a user writes with the package's plugins: it compiles, and what is wrong does not. */
import { compose, type RunSpec } from "attune";
import { catalog } from "attune/catalog";
import { levels } from "./attune-plugin-outside/accelerator.ts";
import { gain } from "./attune-plugin-outside/adapter.ts";
import { outsider } from "./attune-plugin-outside/architecture.ts";
import { phrases } from "./attune-plugin-outside/data.ts";
import { trainedTensors } from "./attune-plugin-outside/exporter.ts";
import { lossLines } from "./attune-plugin-outside/logger.ts";
import { polyOne } from "./attune-plugin-outside/loss.ts";
import { confidence } from "./attune-plugin-outside/metric.ts";
import { signSgd } from "./attune-plugin-outside/optimizer.ts";
import { stairs } from "./attune-plugin-outside/schedule.ts";

const all = {
  ...catalog,
  architecture: { ...catalog.architecture, outsider },
  schedule: { ...catalog.schedule, stairs },
};
const config = { model_type: "outsider", vocab_size: 28, hidden_size: 16, max_position_embeddings: 32 };
const common = {
  version: 1,
  model: { use: "random", with: { config, tokenizer: "./model" } },
  task: { use: "sequence-classification", with: { labels: ["bad", "good"] } },
  data: { train: phrases({ rows: 12 }), eval: phrases({ rows: 6 }) },
} as const;

/** As objects: every part is what its factory made. */
export const run = compose({
  ...common,
  loss: polyOne({ epsilon: 2 }),
  adapter: gain({ targets: ["q_proj"] }),
  optimizer: signSgd({ weightDecay: 0.1 }),
  schedule: stairs({ every: 1 }),
  metrics: [confidence()],
  loggers: [lossLines({ path: "lines.txt" })],
  exporters: [trainedTensors()],
  accelerators: [levels({ most: 31 })],
  training: { maxSteps: 2, learningRate: 0.01, perDeviceTrainBatchSize: 4 },
}, all);

/** By name, with the package's plugins in the catalog. */
export const byName: RunSpec = compose({ ...common, schedule: { use: "stairs", with: { every: 3 } } }, all).spec;

/** Never called: each line is wrong, and tsc has to say so. */
export function wrong(): void {
  // @ts-expect-error every is a number
  stairs({ every: "often" });
  // @ts-expect-error there is no option evry
  stairs({ evry: 1 });
  // @ts-expect-error targets are names
  gain({ targets: [1] });
  // @ts-expect-error there is no option momentum
  signSgd({ momentum: 0.9 });
  // @ts-expect-error most is a number
  levels({ most: "many" });
  // @ts-expect-error a schedule is no loss
  compose({ ...common, loss: stairs() }, all);
  // @ts-expect-error there is no option evry
  compose({ ...common, schedule: { use: "stairs", with: { evry: 3 } } }, all);
}
