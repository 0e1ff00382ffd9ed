/** Activation functions under the names that Hugging Face configs use. */
import { unsupported } from "../base/errors.ts";
import type { Value } from "./graph.ts";
import { add, gelu, maximum, minimum, mul, relu, sigmoid, silu, softplus, square, tanh } from "./ops/functions.ts";

const geluTanh = (x: Value): Value => gelu(x, "tanh");
const relu6 = (x: Value): Value => minimum(relu(x), 6);

const activations: Readonly<Record<string, (x: Value) => Value>> = {
  gelu: (x) => gelu(x),
  gelu_python: (x) => gelu(x),
  gelu_new: geluTanh,
  gelu_pytorch_tanh: geluTanh,
  gelu_python_tanh: geluTanh,
  gelu_accurate: geluTanh,
  gelu_fast: geluTanh,
  gelu_10: (x) => minimum(maximum(gelu(x), -10), 10),
  quick_gelu: (x) => mul(x, sigmoid(mul(x, 1.702))),
  relu,
  relu2: (x) => square(relu(x)),
  relu6,
  leaky_relu: (x) => maximum(x, mul(x, 0.01)),
  hardswish: (x) => mul(x, mul(relu6(add(x, 3)), 1 / 6)),
  silu,
  swish: silu,
  mish: (x) => mul(x, tanh(softplus(x))),
  tanh,
  sigmoid,
  linear: (x) => x,
};

/** Returns the activation that a config names. Throws AttuneError if the name is unknown. */
export function activation(plugin: string, field: string, name: unknown): (x: Value) => Value {
  const known = typeof name === "string" ? activations[name] : undefined;
  if (!known) throw unsupported(plugin, field, name, `supported: ${Object.keys(activations).join(", ")}`);
  return known;
}
