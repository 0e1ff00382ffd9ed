import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import type { Json, Named } from "../../../core/types.ts";
import { autoTokenizer } from "../../../plugins/tokenizers/hf/classes/auto.ts";
import { checkDefinition } from "../../../plugins/tokenizers/hf/definition.ts";
import { hf } from "../../../plugins/tokenizers/hf.ts";
import { hostHere } from "../../../runtimes/host/train.ts";
import { memory } from "../../../plugins/stores/memory.ts";
import { jsonBytes } from "../../../core/base/bytes.ts";

type Case = Readonly<{
  base: string;
  files: Named<Named<Json>>;
  steps: Named<number>;
  special: Named<readonly [string, number]>;
  paddingSide: string;
  truncationSide: string;
  typeIds: boolean;
  ids: readonly string[];
  pair: readonly number[];
  pairTypes: readonly number[] | null;
  decoded: readonly string[];
}>;
/** What test/fixtures/auto_tokenizers.py made with transformers. */
const figures: Readonly<{
  bases: Named<Named<Json>>;
  texts: readonly string[];
  pair: readonly [string, string];
  parts: readonly Json[];
  cases: readonly Case[];
}> = JSON.parse(
  readFileSync(fileURLToPath(new URL("../../fixtures/auto_tokenizers.json", import.meta.url)), "utf8"),
);
const nameOf = ({ files, base }: Case, i: number): string =>
  `${i}: ${base}, ${files["config.json"]?.model_type ?? "no model"}, ${
    files["tokenizer_config.json"]?.tokenizer_class ?? "no class"
  }`;

/** What the library leaves out where it is as without. */
function bare(key: string, part: unknown): unknown {
  if (key !== "model") return part;
  const { vocab: _, merges: __, ...model } = part as Named<unknown>;
  return model;
}

describe("what AutoTokenizer makes of a checkpoint's files", () => {
  for (const [i, one] of figures.cases.entries()) {
    const definition = figures.bases[one.base] ?? {};
    it(`${nameOf(one, i)}: its steps, tokens and sides`, () => {
      const opened = autoTokenizer({
        definition,
        config: one.files["tokenizer_config.json"] ?? {},
        map: one.files["special_tokens_map.json"],
        added: one.files["added_tokens.json"],
        model: one.files["config.json"],
      }, checkDefinition(definition).ids);
      for (const [key, at] of Object.entries(one.steps)) {
        assert.deepEqual(bare(key, opened.definition[key]), figures.parts[at], key);
      }
      assert.deepEqual(opened.special, Object.fromEntries(Object.entries(one.special).map(([n, [text]]) => [n, text])));
      assert.equal(opened.paddingSide, one.paddingSide);
      assert.equal(opened.truncationSide, one.truncationSide);
      assert.equal(opened.typeIds, one.typeIds);
    });
    it(`${nameOf(one, i)}: the ids of texts`, async () => {
      const store = await memory({}).open(await hostHere(1));
      for (const [name, value] of Object.entries({ ...one.files, "tokenizer.json": definition })) {
        await store.put(name, jsonBytes(value));
      }
      const tokenizer = await hf().open(store);
      const ids = figures.texts.map((text) => tokenizer.encode(text)[0].ids);
      assert.deepEqual(ids.map((own) => own.join(" ")), one.ids);
      const [textA, textPair] = figures.pair;
      const [pair] = tokenizer.encode(textA, { textPair, truncation: true, maxLength: 8 });
      assert.deepEqual([...pair.ids], one.pair);
      assert.deepEqual([...pair.typeIds], one.pairTypes ?? one.pair.map(() => 0));
      const decoded = [false, true].flatMap((skipSpecialTokens) =>
        ids.map((own) => tokenizer.decode(own, { skipSpecialTokens }))
      );
      assert.deepEqual(decoded, one.decoded);
      for (const [name, [, id]] of Object.entries(one.special)) {
        assert.equal(tokenizer.specialTokenIds[name.replace(/_token$/, "")], id, name);
      }
    });
  }
});
