/**
 * Shapes of a loss's inputs and result, checked before the loss is built, so that nothing broadcasts silently.
 */
import { AttuneError, badValue, show } from "../base/errors.ts";
import { sameShape } from "../graph/ops/dims.ts";
import { reshape } from "../graph/ops/functions.ts";
import type { Shape, Value } from "../graph/graph.ts";
import type { Loss } from "../types.ts";

/**
 * Returns a target in the shape that its loss takes: if only the output has a trailing axis of length 1 (one label, one
 * value), the target gets one too. `classCount`: the number of the task's classes.
 *
 * @throws AttuneError if the shapes do not match, or an option with a value per class has another number of values.
 */
export function targetFor(loss: Loss, output: Value, target: Value, classCount?: number): Value {
  const { shape } = output;
  const classes = shape.at(-1);
  if (classCount !== undefined && classes !== classCount) {
    throw badValue("spec", "head", `${classes} outputs`, `${classCount} (one for each of the task's classes)`);
  }
  for (const [option, values] of Object.entries(loss.perClass ?? {})) {
    if (values === undefined || typeof classes !== "number" || values.length === classes) continue;
    throw badValue(
      loss.name,
      `loss.with.${option}`,
      `${values.length} (${show(values)})`,
      `${classes} numbers, one for each class`,
    );
  }
  switch (loss.compares ?? guessed(output, target)) {
    case "elements":
      if (!sameShape(withoutOnes(shape), withoutOnes(target.shape))) throw unlike(loss, output, target, shape);
      return reshape(target, shape);
    case "classes":
      if (target.dtype !== "int32" || !sameShape(shape.slice(0, -1), target.shape)) {
        throw unlike(loss, output, target, shape.slice(0, -1));
      }
      return target;
    case "rows":
      if (!sameShape(shape.slice(0, 1), target.shape)) throw unlike(loss, output, target, shape.slice(0, 1));
      return target;
    default:
      return target;
  }
}

/** Returns a loss's sum as a scalar. Throws AttuneError if it has several elements. */
export function scalarOf(loss: Loss, sum: Value): Value {
  if (sum.shape.every((dim) => dim === 1)) return reshape(sum, []);
  throw new AttuneError(
    `The loss "${loss.name}" returns [${sum.shape.join(", ")}] instead of a scalar, its sum over all rows`,
    { code: "BAD_VALUE", plugin: loss.name, path: "loss", found: sum.shape, allowed: ["a scalar"] },
  );
}

/** Guesses what an undeclared loss compares: elements, if dtypes match, and shapes in rank or up to trailing 1s. */
function guessed({ shape, dtype }: Value, target: Value): "elements" | undefined {
  const alike = dtype === target.dtype &&
    (shape.length === target.shape.length || sameShape(withoutOnes(shape), withoutOnes(target.shape)));
  return alike ? "elements" : undefined;
}

/** Removes trailing axes of length 1 from a shape. */
function withoutOnes(shape: Shape): Shape {
  return shape.slice(0, shape.findLastIndex((dim) => dim !== 1) + 1);
}

function unlike(loss: Loss, output: Value, target: Value, targetShape: Shape): AttuneError {
  const listed = (shape: Shape): string => `[${shape.join(", ")}]`;
  const actual = `${target.dtype} ${listed(target.shape)}`;
  const expected = `${loss.compares === "classes" ? "numbers of classes " : ""}${listed(targetShape)}`;
  return new AttuneError(
    `The loss "${loss.name}" compares an output ${
      listed(output.shape)
    } with a target of ${actual}, where ${expected} ` +
      "is expected: loss, head and task do not match",
    { code: "BAD_VALUE", plugin: loss.name, path: "loss", found: actual, allowed: [expected] },
  );
}
