import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { compose } from "../../../core/spec/compose.ts";
import { evaluateRun } from "../../../core/run/evaluate/evaluate.ts";
import { openRun } from "../../../core/run/open/open.ts";
import { describeTrainedModel } from "../../../core/run/write/export.ts";
import type { Dataset, Json, Named, RunSpec } from "../../../core/types.ts";
import { catalog } from "../../../plugins/catalog.ts";
import { hostHere } from "../../../runtimes/host/train.ts";
import { testAdapter } from "../../adapter_checks.ts";
import { families, specWith, tinyModel } from "../../conformance/families.ts";
import { tinyHost } from "../../tiny.ts";

testAdapter("prompt-tuning", { use: "prompt-tuning", with: { numVirtualTokens: 3 } }, {
  startsAtBase: false,
  mergeable: false,
  peft: true,
});
testAdapter("prompt-tuning from a text", {
  use: "prompt-tuning",
  with: { numVirtualTokens: 5, promptTuningInit: "TEXT", promptTuningInitText: "the film was" },
}, { startsAtBase: false, mergeable: false, peft: true });
testAdapter("prefix-tuning", { use: "prefix-tuning", with: { numVirtualTokens: 3 } }, {
  startsAtBase: false,
  mergeable: false,
  peft: true,
});
testAdapter("prefix-tuning with a projection", {
  use: "prefix-tuning",
  with: { numVirtualTokens: 3, prefixProjection: true, encoderHiddenSize: 6 },
}, { startsAtBase: false, mergeable: false, peft: true });
testAdapter("p-tuning", { use: "p-tuning", with: { numVirtualTokens: 3, encoderHiddenSize: 6 } }, {
  startsAtBase: false,
  mergeable: false,
  peft: true,
});

describe("a prompt of words is those words", async () => {
  const host = tinyHost(await hostHere(1));
  const decoders = Object.entries(families).filter(([, { task }]) => task === "causal-lm");
  for (const [name, family] of decoders) {
    it(`${name}: whatever its embeddings are multiplied by`, async () => {
      const lossOf = async (row: Named<Json>, adapter: Json): Promise<number> => {
        const spec = specWith(tinyModel(family), "causal-lm", [adapter].flat(), 0.1);
        const data = { use: "memory", with: { rows: [row] } };
        const run = compose({ ...spec, data: { train: data, eval: data } } as unknown as RunSpec, catalog);
        const open = await openRun(run, host);
        return (await evaluateRun(open, open.run.data.eval as Dataset, { untrained: true })).loss ?? NaN;
      };
      // [CLS] the film was [SEP], and then "very good".
      const [prompt, text] = [[2, 5, 7, 10, 3], [12, 13, 7, 8]];
      const labels = [...prompt.map(() => -100), ...text];
      const words = { numVirtualTokens: 5, promptTuningInit: "TEXT", promptTuningInitText: "the film was" };
      const virtual = await lossOf({ input_ids: text }, { use: "prompt-tuning", with: words });
      const real = await lossOf({ input_ids: [...prompt, ...text], labels }, []);
      assert.ok(Math.abs(virtual - real) < 1e-5, `${virtual} ${real}`);
      // PEFT saves what the model's table gives: Gemma's multiplies within itself, Granite multiplies behind it.
      const run = compose(
        specWith(tinyModel(family), "causal-lm", [{ use: "prompt-tuning", with: words }], 0.1),
        catalog,
      );
      const { all, read, backbone } = await describeTrainedModel(await openRun(run, host));
      const [own = ""] = Object.keys(all).filter((name) => all[name]?.adapter);
      const [rows, { data: table, dims: [, width = 1] }] = [
        (await read(own)).data,
        await read(`${backbone.wordEmbeddings}.weight`),
      ];
      const scale = name.startsWith("gemma") ? Math.sqrt(width) : 1;
      prompt.forEach((id, i) => {
        for (let k = 0; k < width; k++) {
          const due = scale * (table[id * width + k] ?? NaN);
          assert.ok(Math.abs((rows[i * width + k] ?? NaN) - due) < 1e-5, `${name} ${i} ${k}`);
        }
      });
    });
  }
});
