import { checksOf } from "../../conformance/mod.ts";
import { tinyAdapter } from "../../conformance/tiny/adapter.ts";
import { tinyConfig, tinyFamily, tinyFiles, tinyModel } from "../../conformance/tiny/network.ts";
import {
  rowsInSpec,
  tinyCollator,
  tinyHead,
  tinyLoss,
  tinyModelFiles,
  tinyOptimizer,
  tinyRows,
  tinySchedule,
  tinyTask,
} from "../../conformance/tiny/task.ts";
import { tinyTokenizer } from "../../conformance/tiny/words.ts";
import { hostHere } from "../../runtimes/host/train.ts";
import { itPassesSome } from "../checks.ts";

// What the checks themselves run with holds what they want of others, without any plugin of this package.
const { lib } = await hostHere(1);
const figures = lib ? { lib } : {};
itPassesSome("the tiny tokenizer", checksOf(tinyTokenizer(), figures));
itPassesSome("the tiny model", checksOf(tinyModel(), figures));
itPassesSome(
  "the tiny model in a folder",
  checksOf(tinyModel({ path: "there" }), { ...figures, folder: { at: "there", files: tinyFiles("encoder") } }),
);
for (const side of ["encoder", "decoder"] as const) {
  const sees = side === "decoder" ? "before" : "all";
  itPassesSome(`the tiny ${side}`, checksOf(tinyFamily(), { ...figures, config: tinyConfig(side), sees }));
}
itPassesSome("the tiny rows", checksOf(rowsInSpec(), figures));
const ready = [{ input_ids: [2, 5, 6, 3], label: "good" }];
itPassesSome("the tiny collator", checksOf(tinyCollator(), { ...figures, rows: tinyRows, ready, classes: 2 }));
itPassesSome("the tiny head", checksOf(tinyHead(), figures));
itPassesSome("the tiny loss", checksOf(tinyLoss(), figures));
itPassesSome("the tiny task", checksOf(tinyTask(), figures));
itPassesSome("the tiny adapter", checksOf(tinyAdapter(), figures));
itPassesSome("the tiny optimizer", checksOf(tinyOptimizer(), figures));
itPassesSome("the tiny schedule", checksOf(tinySchedule(), figures));
itPassesSome("the tiny exporter", checksOf(tinyModelFiles(), figures));
