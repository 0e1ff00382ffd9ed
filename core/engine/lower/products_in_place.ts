/** Products of ONNX Runtime that read matrices in place although their rows are interleaved. */
import type { OnnxAttribute, OnnxNode } from "../../onnx/model.ts";

const int = (value: number): OnnxAttribute => ({ type: "int", value });
const plain: OnnxNode["attributes"] = { alpha: { type: "float", value: 1 }, transA: int(0), transB: int(0) };

/**
 * Fuses `Transpose(B)`, from [rows, ..., columns] to [..., rows, columns], into the product that reads it, so that
 * cached keys and values are never copied. Only for providers with the CPU's kernels.
 */
export function productsInPlace(nodes: readonly OnnxNode[], outputs: ReadonlySet<string>): OnnxNode[] {
  const turned = new Map(nodes.filter(movesRowsInward).map((node) => [node.outputs[0] ?? "", node.inputs[0] ?? ""]));
  if (turned.size === 0) return [...nodes];
  const changed = nodes.map((node): OnnxNode => {
    const [a = "", b = ""] = node.inputs;
    const source = node.op === "MatMul" || node.op === "FusedMatMul" ? turned.get(b) : undefined;
    if (source === undefined) return node;
    const attributes = { ...plain, ...node.attributes, transBatchA: int(0), transBatchB: int(1) };
    return { ...node, op: "FusedMatMul", domain: "com.microsoft", inputs: [a, source], attributes };
  });
  const read = new Set(changed.flatMap(({ inputs }) => inputs));
  return changed.filter(({ outputs: [output = ""] }) => !turned.has(output) || read.has(output) || outputs.has(output));
}

/** Whether a transpose moves [rows, ..., columns] to [..., rows, columns]. */
function movesRowsInward({ op, attributes: { perm } }: OnnxNode): boolean {
  if (op !== "Transpose" || perm?.type !== "ints" || perm.value.length < 3) return false;
  const last = perm.value.length - 1;
  return perm.value.every((from, to) => from === (to === last ? last : to === last - 1 ? 0 : to + 1));
}
