/** The scaling of rotary positions in a GGUF file, as fields of a Hugging Face config. */
import { badFile, unsupported } from "../../../../core/base/errors.ts";
import type { Json, Named } from "../../../../core/types.ts";
import type { GgufFields } from "./metadata.ts";

/** Llama 3.1's scaling, which files only have as a factor for each frequency. */
const LLAMA3 = { low_freq_factor: 1, high_freq_factor: 4, original_max_position_embeddings: 8192 };

/** Returns `rope_scaling` and related fields; empty if positions are not scaled. */
export async function anglesOf(fields: GgufFields): Promise<Named<Json>> {
  const context = fields.number("context_length");
  const [long, short] = [
    await fields.values("rope_factors_long.weight"),
    await fields.values("rope_factors_short.weight"),
  ];
  if (long && short) {
    const attention = fields.optional("rope.scaling.attn_factor");
    return {
      original_max_position_embeddings: fields.number("rope.scaling.original_context_length"),
      rope_scaling: {
        rope_type: "longrope",
        long_factor: long,
        short_factor: short,
        ...(attention === undefined ? {} : { attention_factor: decimal(attention) }),
      },
    };
  }
  if (long || short) {
    throw badFile(
      "pretrained",
      "rope_factors_long.weight",
      "exists without rope_factors_short.weight, or the other way around",
    );
  }
  const factors = await fields.values("rope_freqs.weight");
  if (factors) return { rope_scaling: slowerBy(factors, fields.number("rope.freq_base", 10000), context) };
  return { rope_scaling: scaled(fields) };
}

/** Rounds a number to what was written before it was stored in single precision. */
export function decimal(value: number): number {
  return Number(value.toPrecision(7));
}

/** Returns Llama 3.1's scaling if the factors match it, else the factors themselves. */
function slowerBy(factors: readonly number[], theta: number, context: number): Json {
  const factor = Math.round(Math.max(...factors));
  const { low_freq_factor: low, high_freq_factor: high, original_max_position_embeddings: length } = LLAMA3;
  const isLlama3 = factors.every((given, i) => {
    const waves = length / (2 * Math.PI * theta ** (i / factors.length));
    const smooth = Math.min(1, Math.max(0, (waves - low) / (high - low)));
    return Math.abs(given * ((1 - smooth) / factor + smooth) - 1) < 1e-3;
  });
  if (isLlama3) return { rope_type: "llama3", factor, ...LLAMA3 };
  // Frequencies are divided by factors at any length, so the long and short factors are the same.
  return {
    rope_type: "longrope",
    long_factor: [...factors],
    short_factor: [...factors],
    attention_factor: 1,
    original_max_position_embeddings: context,
  };
}

function scaled(fields: GgufFields): Json {
  const type = fields.text("rope.scaling.type");
  const linear = fields.optional("rope.scale_linear");
  if (type === undefined && linear !== undefined && linear !== 1) return { rope_type: "linear", factor: linear };
  if (type === undefined || type === "none" || type === "longrope") return null;
  const factor = decimal(fields.number("rope.scaling.factor", 1));
  if (type === "linear") return factor === 1 ? null : { rope_type: "linear", factor };
  if (type !== "yarn") {
    throw unsupported("pretrained", fields.at("rope.scaling.type"), type, "supported: none, linear, yarn, longrope");
  }
  for (const name of ["yarn_attn_factor", "yarn_ext_factor", "yarn_log_multiplier", "attn_factor"]) {
    const value = fields.optional(`rope.scaling.${name}`);
    const plain = name === "yarn_log_multiplier" ? 0 : 1;
    if (value !== undefined && value !== plain) {
      throw unsupported("pretrained", fields.at(`rope.scaling.${name}`), value, `only ${plain} is`);
    }
  }
  const named = [["beta_fast", "yarn_beta_fast"], ["beta_slow", "yarn_beta_slow"]] as const;
  return {
    rope_type: "yarn",
    factor,
    original_max_position_embeddings: fields.number("rope.scaling.original_context_length"),
    ...Object.fromEntries(named.flatMap(([name, theirs]) => {
      const value = fields.optional(`rope.scaling.${theirs}`);
      return value === undefined ? [] : [[name, value]];
    })),
  };
}
