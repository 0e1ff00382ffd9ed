import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { generationOptions, lengthsAfterPrompt } from "../../../core/generate/options.ts";
import { selectDrawable } from "../../../core/generate/sample.ts";
import { processScores } from "../../../core/generate/scores.ts";
import type { Json, Named } from "../../../core/types.ts";

type Case = Readonly<{
  config: Named<Json>;
  prompt: readonly number[];
  generated: readonly number[];
  scores: readonly number[];
  probabilities: readonly number[];
}>;
/** What test/fixtures/sampling.py made with transformers. */
const figures: Readonly<{
  cases: readonly Case[];
  lengths: readonly Readonly<{ config: Named<Json>; prompt: number; new: number }>[];
}> = JSON.parse(readFileSync(fileURLToPath(new URL("../../fixtures/sampling.json", import.meta.url)), "utf8"));

describe("what generation_config.json says of sampling, as transformers does it", () => {
  for (const [i, { config, prompt, generated, scores, probabilities }] of figures.cases.entries()) {
    it(`${i}: ${Object.keys(config).join(", ") || "nothing"}`, () => {
      const saved = { do_sample: true, eos_token_id: [2, 7], max_length: 40, ...config };
      const options = lengthsAfterPrompt(generationOptions({}, {}, saved), prompt.length, Infinity);
      const own = Float64Array.from(scores);
      const written = { tokens: [...prompt, ...generated], generated: generated.length, source: prompt };
      processScores(own, written, options);
      const { ids, logp } = selectDrawable(own, options);
      const counts = probabilities.map(() => 0);
      ids.forEach((id, k) => (counts[id] = Math.exp(logp[k] ?? 0)));
      counts.forEach((p, id) => {
        assert.ok(Math.abs(p - (probabilities[id] ?? 0)) < 1e-6, `token ${id}: ${p}, right is ${probabilities[id]}`);
      });
    });
  }
});

describe("lengths of generation_config.json count a decoder's prompt", () => {
  for (const { config, prompt, new: wanted } of figures.lengths) {
    it(`${JSON.stringify(config)} behind ${prompt} tokens`, () => {
      assert.equal(lengthsAfterPrompt(generationOptions({}, {}, config), prompt, Infinity).maxNewTokens, wanted);
    });
  }
  it("the shortest too; what is asked for counts before the file", () => {
    const options = generationOptions({}, {}, { min_length: 8, min_new_tokens: 1 });
    assert.equal(lengthsAfterPrompt(options, 3, 100).minNewTokens, 5);
    assert.equal(lengthsAfterPrompt(options, 12, 100).minNewTokens, 1);
    assert.equal(
      lengthsAfterPrompt(generationOptions({ maxNewTokens: 7 }, {}, { max_length: 9 }), 4, 100).maxNewTokens,
      7,
    );
    assert.equal(lengthsAfterPrompt(generationOptions({}, {}, { max_length: 9 }), 4, 2).maxNewTokens, 2);
  });
  it("what is not implemented is refused by its name", () => {
    for (const [field, value] of Object.entries({ guidance_scale: 1.5, penalty_alpha: 0.6, stop_strings: ["a"] })) {
      assert.throws(() => generationOptions({}, {}, { [field]: value as Json }), new RegExp(field));
    }
    assert.throws(() => generationOptions({}, {}, { temperature: "hot" }), /temperature/);
  });
});
