/** `/v1/embeddings` in OpenAI's format. */
import * as v from "valibot";
import { badFile } from "../../core/base/errors.ts";
import type { AdapterPool } from "../../core/inference/adapter_pool.ts";
import type { Row } from "../../core/types.ts";
import { httpError } from "../http/responses.ts";
import { checkValues, predicted, tokensOf } from "./inference.ts";
import { alwaysOffloaded } from "../http/offload.ts";
import { embeddings } from "./serving_task.ts";
import { jsonRoute, type Route } from "../http/route.ts";
import type { EdgeService } from "./service.ts";

const name = v.pipe(v.string(), v.minLength(1), v.maxLength(512));
const tokens = v.pipe(v.array(v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(2 ** 31 - 1))), v.minLength(1));

/** Returns the route. */
export function embeddingRoutes({ inference, limits }: EdgeService): readonly Route[] {
  const body = v.strictObject({
    model: name,
    adapter: v.optional(v.nullable(name)),
    input: v.union([
      v.string(),
      tokens,
      v.pipe(v.array(v.string()), v.minLength(1), v.maxLength(limits.inputs)),
      v.pipe(v.array(tokens), v.minLength(1), v.maxLength(limits.inputs)),
    ]),
    encoding_format: v.optional(v.picklist(["float", "base64"]), "float"),
    dimensions: v.optional(v.pipe(v.number(), v.integer(), v.minValue(1))),
    user: v.optional(v.string()),
  });
  /** Models whose files contained all weights. */
  const whole = new WeakSet<AdapterPool>();
  return [jsonRoute({
    method: "post",
    path: "/v1/embeddings",
    policy: "infer",
    rate: "heavy",
    maxBytes: limits.bodyBytes,
    work: { lane: "model", ...alwaysOffloaded },
    summary: "Embed texts or token ids",
    description: "Pooled as the model's sentence-transformers files say, or else means of length 1.",
    body,
    handle: async (c, { model, adapter, input, encoding_format, dimensions }) => {
      const rows = rowsOf(input);
      const asked = { model, adapter: adapter ?? undefined, caller: c.get("caller") };
      const { vectors, count } = await inference.use(asked, embeddings, async (ready) => {
        const { set, stack } = ready;
        if (!whole.has(set)) {
          const [lacking] = set.fresh();
          if (lacking !== undefined) throw badFile("embeddings", "model.safetensors", `lacks ${lacking}`);
          whole.add(set);
        }
        const samples = await set.encode(rows, stack);
        const count = tokensOf(samples, limits);
        const vectors: number[][] = [];
        for await (const { embedding } of predicted(ready, samples, limits)) {
          vectors.push(embedding as number[]);
          checkValues(rows.length, vectors[0]?.length ?? 0, limits);
          c.req.raw.signal.throwIfAborted();
        }
        return { vectors, count };
      });
      const width = vectors[0]?.length;
      if (dimensions !== undefined && dimensions !== width) {
        throw httpError(400, "invalid_value", `dimensions: ${width} is expected, the width of ${model}`, "dimensions");
      }
      return c.json({
        object: "list",
        data: vectors.map((vector, index) => ({
          object: "embedding",
          index,
          embedding: encoding_format === "base64" ? base64(vector) : vector,
        })),
        model,
        usage: { prompt_tokens: count, total_tokens: count },
      });
    },
  })];
}

function rowsOf(input: string | readonly (string | number | readonly number[])[]): Row[] {
  if (typeof input === "string") return [{ text: input }];
  if (typeof input[0] === "number") return [{ input_ids: input }];
  return input.map((one) => (typeof one === "string" ? { text: one } : { input_ids: one }));
}

/** Encodes a vector as base64 of float32 values, little-endian. */
function base64(vector: readonly number[]): string {
  const view = new DataView(new ArrayBuffer(4 * vector.length));
  vector.forEach((x, i) => view.setFloat32(4 * i, x, true));
  return btoa(Array.from(new Uint8Array(view.buffer), (byte) => String.fromCharCode(byte)).join(""));
}
