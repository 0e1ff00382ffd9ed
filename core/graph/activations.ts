/**
 * Activations by the names that Hugging Face configs use.
 * @module
 */
import { unsupported } from "../errors.ts";
import type { Value } from "./graph.ts";
import { gelu, relu, sigmoid, silu, tanh } from "./functions.ts";

const activations: Readonly<Record<string, (x: Value) => Value>> = {
  gelu: (x) => gelu(x),
  gelu_new: (x) => gelu(x, "tanh"),
  gelu_pytorch_tanh: (x) => gelu(x, "tanh"),
  gelu_fast: (x) => gelu(x, "tanh"),
  relu,
  silu,
  swish: silu,
  tanh,
  sigmoid,
  linear: (x) => x,
};

/** The activation of a config's name. Throws AttuneError where there is none. */
export function activation(plugin: string, field: string, name: unknown): (x: Value) => Value {
  const found = typeof name === "string" ? activations[name] : undefined;
  if (!found) throw unsupported(plugin, field, name, `known activations are ${Object.keys(activations).join(", ")}`);
  return found;
}
