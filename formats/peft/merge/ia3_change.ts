/** An IA3 vector folded into a weight: y = (W x) l, or W (x l) in feed-forward layers, whose vector is [1, in]. */
import { badValue, missing, show } from "../../../core/base/errors.ts";
import { sizeOf } from "../../../core/base/tensor.ts";
import { biasChange, type Changes, type Module } from "./module_change.ts";

/** Returns the changes that an IA3 vector makes to a module. Throws AttuneError if it does not fit the weight. */
export function ia3Changes({ path, keys, rows, columns, adapter, weight }: Module): Changes {
  const key = keys.get(".ia3_l") ?? "";
  if (keys.size !== 1 || key === "") throw missing("merge", "ia3_l", `${adapter.label}: ${path}`);
  const { dims } = adapter.form(key);
  const size = sizeOf(dims);
  const feedForward = dims.length === 2 && dims[0] === 1 && !(size === 1 && dims[1] === 1 && rows === 1);
  const square = rows === columns && adapter.config.fan_in_fan_out === true;
  // The vector scales rows if it is over outputs and W is [out, in], or over inputs and W is [in, out].
  const overRows = rows === columns ? feedForward === square : size === rows;
  if (dims.length !== 2 || (dims[0] !== 1 && dims[1] !== 1) || size !== (overRows ? rows : columns)) {
    throw badValue(
      "merge",
      `${adapter.label}: ${path}`,
      dims,
      `a vector for a weight ${show([rows, columns])} of the base`,
    );
  }
  return {
    weight: {
      start: async () => {
        const { data } = await adapter.read(key);
        return (values, firstRow) => {
          for (let i = 0; i < values.length; i++) {
            const at = overRows ? firstRow + Math.floor(i / columns) : i % columns;
            values[i] = (values[i] ?? 0) * weight * (data[at] ?? 0);
          }
        };
      },
    },
    outFeatures: size,
    ...(feedForward ? {} : { bias: biasChange(adapter, key, (x, update) => x * weight * update) }),
  };
}
