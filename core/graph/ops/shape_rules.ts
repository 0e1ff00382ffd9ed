/** What shape rules are made of. */
import { AttuneError, show } from "../../base/errors.ts";
import type { Shape } from "./dims.ts";
import type { Call, Inferred } from "./record.ts";

type AnyCall = Pick<Call, "op" | "inputs">;

/** The shape of the first input. */
export const same = (call: AnyCall): readonly Inferred[] => [like(arg(call, 0))];

/** The dtype of a value with its shape, or with another one. */
export function like({ dtype, shape }: Inferred, other: Shape = shape): Inferred {
  return { dtype, shape: other };
}

/** An input that there must be. */
export function arg(call: AnyCall, index: number): Inferred {
  const value = call.inputs[index];
  if (!value) throw misfit(call, `input ${index}`);
  return value;
}

/** The broadcast of two shapes, by NumPy's rule over symbolic dims. */
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

/** The error for inputs that do not fit. */
export function misfit(call: AnyCall, expected: string): AttuneError {
  const signatures = call.inputs.map((v) => (v ? `${v.dtype}${show(v.shape)}` : "-")).join(", ");
  return new AttuneError(`${call.op}: expected ${expected} but found ${signatures}`, {
    code: "BAD_SHAPE",
    plugin: "graph",
    found: signatures,
  });
}
