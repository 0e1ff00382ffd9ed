/**
 * Options of a spec's parts are checked where they are written: `npm run check` fails where an `@ts-expect-error` below
 * is no error any more.
 */
import assert from "node:assert/strict";
import { it } from "node:test";
import { compose } from "../../core/spec/compose.ts";
import type { Catalog, RunSpec } from "../../core/types.ts";
import { catalog } from "../../plugins/catalog.ts";

const rows = [{ text: "fun", label: "good" }];
const rowsOf = { use: "memory", with: { rows } } as const;
const spec = {
  version: 1,
  model: { use: "pretrained", with: { path: "attune:base" } },
  task: { use: "sequence-classification", with: { labels: ["bad", "good"] } },
  data: { train: rowsOf },
} as const;

it("takes what the plugins take", () => {
  const run = compose({
    ...spec,
    adapter: [{ use: "lora", with: { r: 8, loraAlpha: 16, targetModules: ["query", "value"] } }, "bitfit"],
    optimizer: { use: "adamw", with: { weightDecay: 0.01 } },
    schedule: "linear",
    loss: { use: "focal" },
    metrics: ["accuracy", { use: "f1", with: { average: "macro" } }],
    callbacks: [{ use: "early-stopping", with: { metric: "accuracy" } }],
    data: {
      train: {
        use: "reviews",
        with: { split: "train" },
        transforms: ["clean", { use: "balance", with: { method: "weights" } }],
      },
      eval: { use: "reviews", with: { split: "test" }, transforms: ["redact"] },
    },
    training: { evalStrategy: "epoch" },
  }, catalog);
  assert.equal(run.adapters.length, 2);
  // A spec of which nothing is known, and a catalog of which nothing is known, are checked when they run.
  const any: RunSpec = { ...spec, optimizer: { use: "sgd", with: { momentum: 0.9 } } };
  assert.equal(compose(any, catalog).optimizer.name, "sgd");
  const wide: Catalog = catalog;
  assert.throws(() => compose({ ...spec, optimizer: { use: "sgd", with: { speed: 1 } } }, wide), /speed/);
});

it("refuses other options, values and missing ones, before it runs", () => {
  const refused = (made: () => unknown, message: RegExp): void => assert.throws(made, message);
  // @ts-expect-error: no such option
  refused(() => compose({ ...spec, adapter: { use: "lora", with: { rank: 8 } } }, catalog), /rank/);
  // @ts-expect-error: a text for a number
  refused(() => compose({ ...spec, optimizer: { use: "adamw", with: { beta1: "0.9" } } }, catalog), /beta1/);
  // @ts-expect-error: no such value
  refused(() => compose({ ...spec, metrics: [{ use: "f1", with: { average: "makro" } }] }, catalog), /average/);
  // @ts-expect-error: no such value
  refused(() => compose({ ...spec, data: { train: { use: "reviews", with: { split: "x" } } } }, catalog), /split/);
  // @ts-expect-error: an option that must be there
  refused(() => compose({ ...spec, data: { train: { use: "memory" } } }, catalog), /rows/);
  const option = { ...rowsOf, transforms: [{ use: "clean", with: { lowercas: true } }] } as const;
  // @ts-expect-error: no such option of a transform
  refused(() => compose({ ...spec, data: { train: option } }, catalog), /lowercas/);
  const value = { ...rowsOf, transforms: ["clean", { use: "balance", with: { method: "x" } }] } as const;
  // @ts-expect-error: no such value of a transform
  refused(() => compose({ ...spec, data: { train: value } }, catalog), /method/);
  // @ts-expect-error: one of several
  refused(() => compose({ ...spec, adapter: ["bitfit", { use: "lora", with: { rank: 8 } }] }, catalog), /rank/);
  // @ts-expect-error: no such plugin
  refused(() => compose({ ...spec, optimizer: { use: "adamv" } }, catalog), /adamv/);
  // @ts-expect-error: no such plugin
  refused(() => compose({ ...spec, schedule: "cosin" }, catalog), /cosin/);
  // @ts-expect-error: no such plugin among several
  refused(() => compose({ ...spec, metrics: ["accuracy", "f2"] }, catalog), /f2/);
  // @ts-expect-error: no such data
  refused(() => compose({ ...spec, data: { train: { use: "jsonlines", with: { path: "x" } } } }, catalog), /jsonlines/);
});
