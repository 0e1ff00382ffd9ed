/** Ops that look up or add to elements by index. */
import type { OnnxAttribute } from "../../onnx/model.ts";
import { sizeOfShape } from "./dims.ts";
import { apply, cast, gather, reshape, zeros } from "./functions.ts";
import { noGradient, perInput } from "./gradient_rules.ts";
import { any, axisForm, int, type Kernels, kernels, type OpRecords } from "./record.ts";
import { arg, same } from "./shape_rules.ts";
import type { IndexOps } from "./ops.ts";

const scattered: Kernels = kernels(any.cpu, ["float32"]);
const reduction: OnnxAttribute = { type: "string", value: "add" };

/** The records of these ops. */
export const indexing: OpRecords<IndexOps> = {
  Gather: {
    shape: (call) => {
      const [data, indices] = [arg(call, 0), arg(call, 1)];
      const { axis } = call.attrs;
      const shape = [...data.shape.slice(0, axis), ...indices.shape, ...data.shape.slice(axis + 1)];
      return [{ dtype: data.dtype, shape }];
    },
    // The gradient's rows are added up at the indices that they were gathered from.
    gradient: perInput(({ x, b: indices, attrs, node }, dy) => {
      if (attrs.axis !== 0) throw noGradient(node, "only axis 0 has a gradient");
      const count = sizeOfShape(indices.shape);
      const index = reshape(cast(indices, "int64"), [count, 1]);
      const updates = reshape(dy, [count, ...x.shape.slice(1)]);
      return apply("ScatterND", [zeros(x, x.shape), index, updates], {});
    }),
    kernels: any,
    form: axisForm,
  },
  GatherElements: {
    shape: (call) => [{ dtype: arg(call, 0).dtype, shape: arg(call, 1).shape }],
    gradient: perInput(({ x, b, attrs }, dy) => apply("ScatterElements", [zeros(x, x.shape), b, dy], attrs)),
    kernels: any,
    form: axisForm,
  },
  // The gradient passes to `data` unchanged, and to `updates` at the rows or elements that they were added to.
  ScatterND: {
    shape: same,
    gradient: perInput((_, dy) => dy, undefined, ({ b }, dy) => gather(dy, reshape(b, [b.shape[0] ?? 1]))),
    kernels: scattered,
    form: () => ({ attributes: { reduction } }),
  },
  ScatterElements: {
    shape: same,
    gradient: perInput((_, dy) => dy, undefined, ({ b, attrs }, dy) => apply("GatherElements", [dy, b], attrs)),
    kernels: scattered,
    form: ({ axis }) => ({ attributes: { axis: int(axis), reduction } }),
  },
};
