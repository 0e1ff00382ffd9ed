/** Sequences of decoders, as the library `tokenizers` (0.23) decodes the same tokens. */
import assert from "node:assert/strict";
import { it } from "node:test";
import { decoderOf } from "../../../plugins/tokenizers/hf/decoders.ts";

const tokens = ["a", "<0xFF>", "<0xFE>", "b", "<0xC3>", "<0xA9>"];
const decode = (...decoders: readonly object[]): string =>
  decoderOf({ type: "Sequence", decoders: [{ type: "ByteFallback" }, ...decoders] } as never)(tokens);

it("bytes of no text are a token each for the decoder that follows", () => {
  assert.equal(decode(), "a��bé");
  assert.equal(decode({ type: "WordPiece", prefix: "##", cleanup: false }), "a � � b é");
  assert.equal(decode({ type: "CTC" }), "a�bé");
});
