/** Generated sequences against transformers', and what must hold of any. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { compose } from "../../../core/spec/compose.ts";
import { encodeAll } from "../../../core/run/rows/data.ts";
import { evaluateRun } from "../../../core/run/evaluate/evaluate.ts";
import { layOut } from "../../../core/loop/layout.ts";
import { generateAnswers, generateSamples, generationOf } from "../../../core/run/evaluate/generate.ts";
import { openEvaluator, predictRows } from "../../../core/run/evaluate/infer.ts";
import { type OpenRun, openRun } from "../../../core/run/open/open.ts";
import { sample } from "../../../core/generate/sample.ts";
import type { GenerationConfig, Json, Named, Ort, Question, Row, RunSpec } from "../../../core/types.ts";
import { catalog } from "../../../plugins/catalog.ts";
import { lm } from "../../../plugins/heads/lm.ts";
import figures from "../../fixtures/generation.json" with { type: "json" };
import { formulaWeights, modelHost, shapesOf } from "../../formula.ts";

type Case = Readonly<{ name: string; config: Named<Json>; found: readonly (readonly (readonly number[])[])[] }>;
const cases = figures.cases as unknown as readonly Case[];
/** A run over a case's model, with the weights that the script beside the figures makes. */
async function opened(
  { config }: Case,
  generation: Named<unknown> = {},
  adapter?: Json,
  size = 3,
  metrics?: readonly string[],
): Promise<OpenRun> {
  const weights = formulaWeights(shapesOf(config, lm()), { size: 0.4, norms: /norm|ln_/ });
  const host = await modelHost(config, weights);
  const spec = {
    version: 1,
    model: { use: "pretrained", with: { path: "tiny:model" } },
    task: { use: "causal-lm", with: { generation } },
    data: {},
    training: { perDeviceEvalBatchSize: size },
    ...(adapter === undefined ? {} : { adapter }),
    ...(metrics === undefined ? {} : { metrics }),
  };
  return await openRun(compose(spec as unknown as RunSpec, catalog), host);
}

const camel = (options: Named<unknown>): Named<unknown> =>
  Object.fromEntries(
    Object.entries(options).map(([k, v]) => [k.replace(/_(.)/g, (_, c: string) => c.toUpperCase()), v]),
  );

/** What prompts go on with, without what ends it. */
async function generated(open: OpenRun, prompts: readonly (readonly number[])[]): Promise<(readonly number[])[]> {
  const rows: Row[] = prompts.map((input_ids) => ({ input_ids }));
  const samples = await encodeAll(open, open.run.use("data", { use: "memory", with: { rows } }), false);
  const generator = await openEvaluator(open).generator();
  const texts: (readonly number[])[] = [];
  const options = await generationOf(open);
  for await (const { tokens } of generateSamples(open, generator, samples, options)) {
    // The token that ended it is none of the text's.
    const ended = options.eosTokenIds.includes(tokens.at(-1) ?? -1);
    const own = ended ? tokens.slice(0, -1) : tokens;
    texts.push(own);
  }
  await generator.close();
  return texts;
}

describe("sequences are transformers'", () => {
  for (const figure of cases) {
    // Phi-3's angles depend on the longest text of a batch.
    const size = figure.name === "phi3" ? 1 : 3;
    for (const [i, search] of figures.searches.entries()) {
      it(`${figure.name} ${JSON.stringify(search)}`, async () => {
        const open = await opened(figure, camel(search), undefined, size);
        const wanted = figure.found[i]?.map((tokens) => tokens.filter((id) => id !== 3));
        assert.deepEqual(await generated(open, figures.prompts), wanted);
      });
    }
  }
});

describe("generation", () => {
  const figure = cases.find((c) => c.name === "qwen3") as Case;

  it("together or alone, in any order", async () => {
    const by = (size: number): Promise<OpenRun> => opened(figure, { numBeams: 2, maxNewTokens: 7 }, undefined, size);
    const together = await generated(await by(3), figures.prompts);
    assert.deepEqual(await generated(await by(1), figures.prompts), together);
    assert.deepEqual(await generated(await by(2), figures.prompts.toReversed()), together.toReversed());
  });

  it("drawing is seeded, differs by row and seed, and is greedy where one token may be drawn", async () => {
    const at = async (generate: Named<unknown>) =>
      await generated(await opened(figure, { doSample: true, maxNewTokens: 8, ...generate }), [[2, 9], [2, 9]]);
    const [one, other] = await at({ seed: 1 });
    assert.deepEqual(await at({ seed: 1 }), [one, other]);
    assert.notDeepEqual(one, other);
    assert.notDeepEqual(await at({ seed: 2 }), [one, other]);
    const greedy = await generated(await opened(figure, { maxNewTokens: 8 }), [[2, 9], [2, 9]]);
    assert.deepEqual(await at({ topK: 1 }), greedy);
    assert.deepEqual(await at({ topP: 1e-6 }), greedy);
    assert.deepEqual(await at({ temperature: 1e-4 }), greedy);
  });

  it("ends where it is told to", async () => {
    const [tokens = []] = await generated(await opened(figure), [[2, 9, 14, 6, 21]]);
    const end = tokens[4] ?? 0;
    const [cut = []] = await generated(await opened(figure, { eosTokenId: [end, 99] }), [[2, 9, 14, 6, 21]]);
    assert.deepEqual(cut, tokens.slice(0, tokens.indexOf(end)));
  });

  it("stops at the model's positions; a prompt that fills them is an error", async () => {
    const open = await opened(figure, { maxNewTokens: 50, eosTokenId: [] });
    const [found = []] = await generated(open, [[2, 9, 14]]);
    assert.equal(found.length, 37);
    await assert.rejects(generated(open, [Array.from({ length: 40 }, () => 5)]), /row 0.*at most 39/);
  });

  const adapters: readonly Readonly<{ use: string; with: Named<Json> }>[] = [
    { use: "prompt-tuning", with: { numVirtualTokens: 3 } },
    { use: "prefix-tuning", with: { numVirtualTokens: 2 } },
    { use: "lora", with: { r: 2, initLoraWeights: false } },
  ];
  for (const adapter of adapters) {
    it(`with ${adapter.use}, each token is the likeliest of all that stands before it`, async () => {
      const open = await opened(figure, { maxNewTokens: 5, eosTokenId: [] }, adapter);
      const prompts = [[2, 9, 14], [2, 7, 7, 7, 8]];
      const texts = await generated(open, prompts);
      for (const [i, prompt] of prompts.entries()) {
        const again = [...prompt];
        for (const token of texts[i] ?? []) {
          const [next] = await generated(
            await opened(figure, { maxNewTokens: 1, eosTokenId: [] }, adapter),
            [again],
          );
          assert.deepEqual(next, [token]);
          again.push(token);
        }
      }
      const plain = await generated(await opened(figure, { maxNewTokens: 5, eosTokenId: [] }), prompts);
      assert.notDeepEqual(plain, texts);
    });
  }

  it("metrics of text compare each of several turns with its own answer", async () => {
    const [turn = []] = await generated(await opened(figure, { maxNewTokens: 4, eosTokenId: [] }), [[2, 9, 14]]);
    const row = (said: readonly number[]): Row => ({
      input_ids: [2, 9, 14, ...said, 7, 7, 8, 9],
      labels: [-100, -100, -100, ...said, -100, -100, 8, 9],
    });
    const rows = [row(turn), row(turn.map((id) => (id === 5 ? 6 : 5)))];
    const open = await opened(figure, { maxNewTokens: 4, eosTokenId: [] }, undefined, 3, ["exact-match"]);
    const metrics = await evaluateRun(open, open.run.use("data", { use: "memory", with: { rows } }));
    // Of two rows with two turns each, the first row's first is said as it is.
    assert.equal(metrics["exact-match"], 0.25);
  });

  it("asks of an evaluation set no more than a batch at once", async () => {
    const open = await opened(figure, { maxNewTokens: 2, eosTokenId: [] });
    const evaluator = openEvaluator(open);
    let [asked, answered] = [0, 0];
    const questions = async function* (): AsyncIterable<Question> {
      for (let row = 0; row < 20; row++) {
        asked++;
        const fields = { input_ids: { axis: "token", data: Int32Array.of(2, 9, 5 + row), padValue: 0 } } as const;
        yield { sample: { sequences: [{ length: 3, fields }], targets: {}, row }, prompt: "", reference: "" };
      }
    };
    for await (const { row } of generateAnswers(open, await evaluator.generator(), questions())) {
      assert.equal(row, answered++);
      assert.ok(asked - answered < 3, `${asked} asked, ${answered} answered`);
    }
    assert.equal(answered, 20);
    await evaluator.close();
  });

  it("packs weights where there is room for one more copy of them", async () => {
    const packs = async (memory?: number): Promise<boolean> => {
      let packed: unknown;
      const given = await opened(figure);
      const open = { ...given, run: { ...given.run, training: { ...given.run.training, memory: memory ?? "auto" } } };
      const lib = open.host.lib as Ort;
      const create: typeof lib.InferenceSession.create = (bytes, options) => {
        packed = (options as Named<Named<Named<string>>>).extra?.session?.disable_prepacking === "0";
        return lib.InferenceSession.create(bytes, options);
      };
      const host = { ...open.host, lib: { ...lib, Tensor: lib.Tensor, InferenceSession: { create } } };
      const rows = [{ input_ids: [2, 9, 14] }];
      const watched = { ...open, host };
      for await (const _ of predictRows(watched, watched.run.use("data", { use: "memory", with: { rows } }))) break;
      return packed === true;
    };
    assert.equal(await packs(), true);
    assert.equal(await packs(1000), false);
  });

  it("a step is continued once: what it kept is written on in place", async () => {
    const open = await opened(figure);
    const evaluator = openEvaluator(open);
    const { prefill, decode } = await evaluator.generator();
    const fields = { input_ids: { axis: "token", data: Int32Array.of(2, 9, 14), padValue: 0 } } as const;
    const prompt = { sequences: [{ length: 3, fields }], targets: {}, row: 0 };
    const step = await prefill(layOut([prompt], { ...open.layout, rowSharing: false }));
    const next = await decode(step, Int32Array.of(0), Int32Array.of(5));
    assert.equal(next.keyValueCache.places, 4);
    await assert.rejects(decode(step, Int32Array.of(0), Int32Array.of(6)), /continued once/);
    await evaluator.close();
  });

  it("predictions are texts", async () => {
    const open = await opened({ ...figure, config: { ...figure.config, eos_token_id: 26 } }, { maxNewTokens: 3 });
    const texts = [];
    const rows = [{ text: "the film" }, { prompt: "a good", completion: "ignored" }];
    for await (const prediction of predictRows(open, open.run.use("data", { use: "memory", with: { rows } }))) {
      texts.push(prediction);
    }
    assert.deepEqual(texts.map((t) => Object.keys(t)), [["text"], ["text"]]);
    assert.ok(texts.every(({ text }) => typeof text === "string" && text.length > 0), JSON.stringify(texts));
  });
});

describe("drawing", () => {
  const probabilities = [0.5, 0.2, 0.2, 0.08, 0.02];
  const at = (uniform: number, options: Partial<GenerationConfig> = {}): number =>
    sample(
      Float64Array.from(probabilities, Math.log),
      uniform,
      { temperature: 1, topK: 0, topP: 1, ...options } as never,
    );

  it("takes each token as often as it is likely", () => {
    assert.deepEqual([0, 0.49, 0.51, 0.69, 0.71, 0.95, 0.99].map((u) => at(u)), [0, 0, 1, 1, 2, 3, 4]);
  });

  it("keeps the likeliest, equals together", () => {
    assert.deepEqual([0, 0.99].map((u) => at(u, { topK: 1 })), [0, 0]);
    assert.deepEqual([0.55, 0.56, 0.99].map((u) => at(u, { topK: 2 })), [0, 1, 2]);
    assert.deepEqual([0.55, 0.56, 0.99].map((u) => at(u, { topP: 0.85 })), [0, 1, 2]);
    assert.deepEqual([0.51, 0.92, 0.999].map((u) => at(u, { topP: 0.95 })), [0, 3, 3]);
  });

  it("colder is likelier", () => assert.deepEqual([at(0.72), at(0.72, { temperature: 0.5 })], [2, 0]));
});
