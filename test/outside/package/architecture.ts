import { defineDecoder, rmsNorm } from "attune/blocks/architecture";

/** Llama's layers with norms behind their parts. */
export const outsider = defineDecoder({
  name: "outsider",
  classPrefix: "Outsider",
  defaults: { vocab_size: 28, hidden_size: 16, intermediate_size: 32, num_hidden_layers: 2, num_attention_heads: 2 },
  differences: (c) => ({ norm: rmsNorm(c.number("rms_norm_eps", 1e-5)), norms: "after" }),
  targets: { attention: ["q_proj", "v_proj"] },
});
