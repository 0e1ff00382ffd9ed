import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { compose } from "../../../core/spec/compose.ts";
import { predictRows } from "../../../core/run/evaluate/infer.ts";
import { openRun } from "../../../core/run/open/open.ts";
import { trainRun } from "../../../core/run/train/train.ts";
import type { Json, Named, Row, RunSpec } from "../../../core/types.ts";
import { catalog } from "../../../plugins/catalog.ts";
import { memory } from "../../../plugins/data/memory.ts";
import { hostHere } from "../../../runtimes/host/train.ts";
import { sharedPath, SKIP_REASON } from "../../shared.ts";
import { tinyRows } from "../../tiny.ts";
import { specOf, trained } from "./helpers.ts";

type Kind = Readonly<
  { case: string; lm: string; template: string; logits: number[][]; losses: number[] } & Named<Json>
>;
const fixture: { rows: Row[]; verbalizer: Named<string[]>; kinds: Kind[] } = JSON.parse(
  readFileSync(fileURLToPath(new URL("../../fixtures/prompts.json", import.meta.url)), "utf8"),
);

describe("prompts with label words", () => {
  for (const { case: name, logits, losses, ...prompt } of fixture.kinds) {
    const path = sharedPath(`reference/cases/${name}/model`);
    const { demonstrations = [] } = prompt as { demonstrations?: Row[] };
    const title = `${name}, ${prompt.scoring ?? "token"}${demonstrations.length > 0 ? ", in context" : ""}`;
    it(`as transformers scores them: ${title}`, { skip: path === undefined && SKIP_REASON }, async () => {
      const data = { use: "memory", with: { rows: fixture.rows } };
      const run = compose({
        version: 1,
        model: { use: "pretrained", with: { path: path as string } },
        task: { use: "prompt-classification", with: { ...prompt, verbalizer: fixture.verbalizer } },
        data: { train: data, eval: data },
        optimizer: "sgd",
        schedule: "constant",
        training: {
          learningRate: 0.05,
          maxSteps: 3,
          maxGradNorm: 0,
          perDeviceTrainBatchSize: 4,
          perDeviceEvalBatchSize: 3,
          trainSamplingStrategy: "sequential",
        },
      } as unknown as RunSpec, catalog);
      const host = await hostHere(1);
      let i = 0;
      for await (const { scores } of predictRows(await openRun(run, host), memory({ rows: fixture.rows }))) {
        const [a = 0, b = 0] = logits[i++] ?? [];
        const wanted = 1 / (1 + Math.exp(b - a));
        const negative = Number((scores as Named<number>).negative);
        assert.ok(Math.abs(negative - wanted) < 2e-6, `row ${i}: ${negative} and ${wanted}`);
      }
      assert.equal(i, fixture.rows.length);
      const answers: number[] = [];
      for await (const event of trainRun(run, host, {})) if (event.type === "step") answers.push(event.loss);
      losses.forEach((loss, i) =>
        assert.ok(Math.abs((answers[i] ?? NaN) - loss) < 1e-5 * Math.max(1, loss), `${answers[i]} and ${loss}`)
      );
    });
  }

  const task: Named<Json> = {
    use: "prompt-classification",
    with: { template: "{text} is {mask} .", verbalizer: { bad: ["bad", "awful"], good: ["good"] } },
  };
  for (
    const adapter of [[], ["prompt-tuning"], [{ use: "lora", with: { r: 2 } }], ["prefix-tuning"]] as readonly Json[]
  ) {
    it(`learns with ${JSON.stringify(adapter)}`, async () => {
      const { losses } = await trained(
        specOf(task, tinyRows, { adapter, training: { learningRate: 0.02, numTrainEpochs: 6 } }),
      );
      assert.ok((losses.at(-1) ?? NaN) < 0.8 * (losses[0] ?? NaN), `${losses[0]} to ${losses.at(-1)}`);
    });
  }

  it("cuts texts, never the template", async () => {
    const long = { text: "very ".repeat(60), label: "good" };
    const { losses } = await trained(specOf(task, [long, long], { training: { maxLength: 16, numTrainEpochs: 1 } }));
    assert.ok(Number.isFinite(losses[0]));
    const spec = specOf(task, [long], { training: { maxLength: 4 } });
    await assert.rejects(trained(spec), /the prompt of row 0 is longer even without its texts/);
  });

  it("says which words will not do", async () => {
    const of = async (verbalizer: Json): Promise<unknown> =>
      await trained(
        specOf({ use: "prompt-classification", with: { template: "{text} {mask}", verbalizer } }, tinyRows),
      );
    await assert.rejects(
      of({ bad: ["bad"], good: ["wonderful"] }),
      /words that the tokenizer knows but found "wonderful"/,
    );
    await assert.rejects(of({ bad: ["bad"], good: ["bad"] }), /words that begin differently from those of "bad"/);
    const causal = { template: "{text} {mask} .", lm: "causal", verbalizer: { bad: ["bad"], good: ["good"] } };
    const spec = specOf({ use: "prompt-classification", with: causal }, tinyRows) as unknown as RunSpec;
    assert.throws(() => compose(spec, catalog), /ends in \{mask\}/);
    const masked = specOf({ use: "prompt-classification", with: { ...causal, template: "{text} {mask}" } }, tinyRows);
    await assert.rejects(trained(masked), /no language modelling head/);
  });

  it("reads words without a language head's own layers", async () => {
    const plain = { ...task, with: { ...task.with as Named<Json>, transform: false } };
    const { events } = await trained(specOf(plain, tinyRows, { training: { numTrainEpochs: 1 } }));
    const names = events.flatMap((e) => (e.type === "start" ? [e.totalParameters] : []));
    const { events: whole } = await trained(specOf(task, tinyRows, { training: { numTrainEpochs: 1 } }));
    const more = whole.flatMap((e) => (e.type === "start" ? [e.totalParameters] : []));
    // dense 16 × 16 + 16, norm 2 × 16, bias of 28 tokens
    assert.equal((more[0] ?? 0) - (names[0] ?? 0), 16 * 16 + 16 + 32 + 28);
  });
});
