/**
 * Files that the recipe of `bundle_sizes.ts` loads up to its first step, as a page would:
 * `node bench/loaded_files.ts` prints them as JSON. Files that a host loads for itself before the recipe do not count.
 */
import { registerHooks } from "node:module";
import process from "node:process";
import { hostHere } from "../runtimes/host/train.ts";
import type { Catalog, Host, RunSpec, TrainingEvent } from "../core/types.ts";
import { plugins } from "./bundle_sizes.ts";

const root = new URL("..", import.meta.url).href;
const loaded: string[] = [];
registerHooks({
  load: (url, context, next) => {
    if (url.startsWith(root) && !url.includes("/node_modules/")) loaded.push(url.slice(root.length));
    return next(url, context);
  },
});

const host: Host = { ...await hostHere(1), startEncoder: undefined, memoryBytes: 2 ** 32 };
loaded.length = 0;
const { compose } = await import("../core/spec/compose.ts");
const { trainRun } = await import("../core/run/train/train.ts");
const catalog: Record<string, Record<string, unknown>> = {};
for (const path of plugins) {
  for (const entry of Object.values(await import(`../plugins/${path}.ts`)) as { kind?: string; use?: string }[]) {
    if (entry.kind && entry.use) (catalog[entry.kind] ??= {})[entry.use] = entry;
  }
}
const spec = {
  version: 1,
  model: "attune:base",
  task: { use: "sequence-classification", with: { labels: ["negative", "positive"] } },
  data: { train: "reviews" },
  adapter: ["lora"],
  training: { maxSteps: 1, perDeviceTrainBatchSize: 16 },
};
for await (const event of trainRun(compose(spec as unknown as RunSpec, catalog as Catalog), host, {})) {
  if ((event as TrainingEvent).type === "step") break;
}
process.stdout.write(JSON.stringify(loaded) + "\n");
process.exit(0);
