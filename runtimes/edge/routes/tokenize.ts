/**
 * `/v1/tokenize` and `/v1/detokenize`.
 * @module
 */
import { failed } from "../answers.ts";
import { jsonRoute, type Route } from "../route.ts";
import type { EdgeService } from "../service.ts";
import { detokenize, detokenizeSchema, inputsOf, tokenize, tokenizeSchema } from "../tokenize.ts";

/** The routes. */
export function tokenizeRoutes({ limits, withTokenizer }: EdgeService): readonly Route[] {
  const shared = { method: "post", policy: "tokenize", rate: "light", maxBytes: limits.bodyBytes } as const;
  const few = (found: number, param: string): void => {
    if (found > limits.inputs) {
      throw failed(400, "too_many_inputs", `${param}: at most ${limits.inputs} texts, found ${found}`, param);
    }
  };
  return [
    jsonRoute({
      ...shared,
      path: "/v1/tokenize",
      summary: "Text, pairs, words or conversations to token ids",
      description: "Options are those of transformers' tokenizers in camelCase.",
      body: tokenizeSchema,
      handle: async (c, body) => {
        few(inputsOf(body), "input");
        const encodings = await withTokenizer(body.tokenizer, c.get("caller"), (own) => tokenize(own, body));
        return c.json({ encodings });
      },
    }),
    jsonRoute({
      ...shared,
      path: "/v1/detokenize",
      summary: "Token ids to text",
      body: detokenizeSchema,
      handle: async (c, body) => {
        few(body.inputIds.filter(Array.isArray).length, "inputIds");
        const text = await withTokenizer(body.tokenizer, c.get("caller"), (own) => detokenize(own, body));
        return c.json({ text });
      },
    }),
  ];
}
