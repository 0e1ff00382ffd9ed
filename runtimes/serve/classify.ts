/** `/v1/classify`: classifies texts with a model, or an adapter over one. */
import * as v from "valibot";
import { httpError } from "../http/responses.ts";
import { checkValues, predicted, tokensOf } from "./inference.ts";
import { alwaysOffloaded } from "../http/offload.ts";
import { classification } from "./serving_task.ts";
import { jsonRoute, type Route } from "../http/route.ts";
import type { EdgeService } from "./service.ts";

const name = v.pipe(v.string(), v.minLength(1), v.maxLength(512));

/** Returns the route. */
export function classifyRoutes({ inference, limits }: EdgeService): readonly Route[] {
  const body = v.strictObject({
    model: name,
    adapter: v.optional(v.nullable(name)),
    input: v.union([v.string(), v.pipe(v.array(v.string()), v.minLength(1), v.maxLength(limits.inputs))]),
  });
  return [jsonRoute({
    method: "post",
    path: "/v1/classify",
    policy: "infer",
    rate: "heavy",
    maxBytes: limits.bodyBytes,
    work: { lane: "model", ...alwaysOffloaded },
    summary: "Classify texts",
    description: "One result for each text, in order: the likeliest class, its score, and the scores of all classes.",
    body,
    handle: async (c, { model, adapter, input }) => {
      const texts = typeof input === "string" ? [input] : input;
      const asked = { model, adapter: adapter ?? undefined, caller: c.get("caller") };
      const results = await inference.use(asked, classification, async (ready) => {
        const { set, stack } = ready;
        const fresh = set.fresh(stack);
        if (fresh.length > 0) {
          const why = `no trained classifier (${fresh.join(", ")} missing): name a classification model or adapter`;
          throw httpError(400, "no_classifier", `model: ${why}`, adapter ? "adapter" : "model");
        }
        const outputs: unknown[] = [];
        const samples = await set.encode(texts.map((text) => ({ text })), stack);
        tokensOf(samples, limits);
        for await (const prediction of predicted(ready, samples, limits)) {
          outputs.push(prediction);
          checkValues(texts.length, Object.keys(Object(prediction.scores)).length, limits);
          c.req.raw.signal.throwIfAborted();
        }
        return outputs;
      });
      return c.json({ results });
    },
  })];
}
