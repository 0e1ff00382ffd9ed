/** `/v1/tokenize` and `/v1/detokenize`. */
import * as v from "valibot";
import { tooMuch } from "../../core/base/errors.ts";
import { httpError } from "../http/responses.ts";
import { jsonRoute, type Route } from "../http/route.ts";
import type { EdgeService } from "./service.ts";
import { detokenize, detokenizeSchema, inputsOf, tokenize, tokenizeSchema } from "./tokenize_texts.ts";

const numbers = v.array(v.number());
const places = v.array(v.nullable(v.number()));
/** The schema of an encoding, for /openapi.json. */
const encodingSchema = v.object({
  inputIds: numbers,
  attentionMask: v.optional(numbers),
  tokenTypeIds: v.optional(numbers),
  specialTokensMask: v.optional(numbers),
  assistantMasks: v.optional(numbers),
  offsets: v.optional(v.array(v.tuple([v.number(), v.number()]))),
  wordIds: places,
  sequenceIds: places,
  length: v.optional(v.number()),
  text: v.optional(v.string()),
  overflowing: v.optional(v.array(v.unknown())),
});

/** Limits of what the listening thread computes: bytes of a body, places of padded encodings. */
const [LIGHT, PLACES] = [2 ** 14, 2 ** 15];

/** Whether a request is computed quickly. A small body may need much: padding, overlapping windows, chat templates. */
function isLight(body: unknown, maxPlaces: number): boolean {
  const { input, pair, options } = Object(body) as { input?: unknown; pair?: unknown; options?: unknown };
  const { maxLength, padding, padToMultipleOf, stride } = Object(options) as Record<string, unknown>;
  if (Number(stride ?? 0) > 0) return false;
  const texts = Array.isArray(input) ? input : [input];
  if (texts.flat().some((text) => typeof text === "object") && texts.length > 8) return false;
  if (padding === undefined || padding === false || padding === "do_not_pad") return true;
  const longest = Math.max(
    ...[texts, pair ?? ""].flat(2).map((text) => (typeof text === "string" ? text.length : LIGHT)),
  );
  const to = padding === "max_length" ? Number(maxLength ?? Infinity) : longest;
  const places = texts.length * Math.max(to, Number(padToMultipleOf ?? 1));
  // Requests that will be refused at once are handled here.
  return places <= PLACES || padding === "max_length" && Number(maxLength) > 0 && places > maxPlaces;
}

/** Returns the routes. */
export function tokenizeRoutes({ limits, withTokenizer }: EdgeService): readonly Route[] {
  const work = { lane: "compute", bytes: LIGHT, isLight: (body: unknown) => isLight(body, limits.places) } as const;
  const shared = { method: "post", policy: "tokenize", rate: "light", maxBytes: limits.bodyBytes, work } as const;
  const few = (count: number, param: string): void => {
    if (count > limits.inputs) {
      throw httpError(400, "too_many_inputs", `${param}: at most ${limits.inputs} texts, found ${count}`, param);
    }
  };
  return [
    jsonRoute({
      ...shared,
      path: "/v1/tokenize",
      summary: "Turn texts, pairs, words or conversations into token ids",
      description: "Options are those of transformers' tokenizers in camelCase.",
      body: tokenizeSchema,
      answers: { "application/json": v.object({ encodings: v.array(encodingSchema) }) },
      example: {
        tokenizer: "attune:base",
        input: ["A great film.", "Not for me."],
        options: { padding: true, truncation: true, maxLength: 32 },
      },
      handle: async (c, body) => {
        few(inputsOf(body), "input");
        const encodings = await withTokenizer(
          body.tokenizer,
          c.get("caller"),
          (opened) => tokenize(opened, body, limits.places),
        );
        return c.json({ encodings });
      },
    }),
    jsonRoute({
      ...shared,
      path: "/v1/detokenize",
      summary: "Turn token ids into text",
      body: detokenizeSchema,
      answers: { "application/json": v.object({ text: v.union([v.string(), v.array(v.string())]) }) },
      example: { tokenizer: "attune:base", inputIds: [101, 102], skipSpecialTokens: true },
      handle: async (c, body) => {
        few(body.inputIds.filter(Array.isArray).length, "inputIds");
        const places = body.inputIds.flat().length;
        if (places > limits.places) {
          throw tooMuch("detokenize", "inputIds", "token ids together", places, limits.places);
        }
        const text = await withTokenizer(body.tokenizer, c.get("caller"), (opened) => detokenize(opened, body));
        return c.json({ text });
      },
    }),
  ];
}
