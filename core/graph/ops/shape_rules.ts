/** Helpers for shape rules. */
import { AttuneError, show } from "../../base/errors.ts";
import type { Shape } from "./dims.ts";
import type { Call, Inferred } from "./record.ts";

type AnyCall = Pick<Call, "op" | "inputs">;

/** A shape rule: one output with the dtype and shape of the first input. */
export const same = (call: AnyCall): readonly Inferred[] => [like(arg(call, 0))];

/** Returns the dtype of a value with its own or another shape. */
export function like({ dtype, shape }: Inferred, other: Shape = shape): Inferred {
  return { dtype, shape: other };
}

/** Returns a required input. Throws AttuneError if it is absent. */
export function arg(call: AnyCall, index: number): Inferred {
  const value = call.inputs[index];
  if (!value) throw misfit(call, `input ${index}`);
  return value;
}

/** Broadcasts two shapes by NumPy's rule, with symbolic dims. */
export function broadcastShapes(call: AnyCall, a: Shape, b: Shape): Shape {
  const rank = Math.max(a.length, b.length);
  return Array.from({ length: rank }, (_, i) => {
    const x = a[a.length - rank + i] ?? 1;
    const y = b[b.length - rank + i] ?? 1;
    if (x === y || y === 1) return x;
    if (x === 1) return y;
    throw misfit(call, "shapes that broadcast");
  });
}

/** Returns the error for inputs that do not fit an op. */
export function misfit(call: AnyCall, expected: string): AttuneError {
  const signatures = call.inputs.map((v) => (v ? `${v.dtype}${show(v.shape)}` : "-")).join(", ");
  return new AttuneError(`${call.op}: expected ${expected} but found ${signatures}`, {
    code: "BAD_SHAPE",
    plugin: "graph",
    found: signatures,
  });
}
