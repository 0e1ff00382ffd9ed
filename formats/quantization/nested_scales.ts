/** Decoding, in a session, of scales that are quantized themselves. */
import type { NodeWriter } from "../../core/types.ts";
import { dynamicMap, NESTED_BLOCK } from "./bitsandbytes.ts";

/** Writes the decoding of quantized scales to float32 [count]. `names`: the weight's tensors that contain them. */
export function writeNested(
  writer: NodeWriter,
  names: Readonly<Record<"codes" | "nested" | "offset", string>>,
  count: number,
): string {
  const map = writer.constant("dynamic map", { dtype: "float32", dims: [256], data: dynamicMap });
  const values = writer.add("Gather", [map, writer.cast(writer.tensor(names.codes), "int32")]);
  const nested = writer.tensor(names.nested);
  const groups = Math.ceil(count / NESTED_BLOCK);
  const spread = (): string => writer.expand(writer.reshape(nested, [groups, 1]), [groups, NESTED_BLOCK]);
  const scales = groups === 1 ? nested : writer.slice(writer.reshape(spread(), [groups * NESTED_BLOCK]), 0, 0, count);
  return writer.add("Add", [writer.add("Mul", [values, scales]), writer.tensor(names.offset)]);
}
