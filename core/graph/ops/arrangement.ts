/** Ops that rearrange elements. */
import { addDims, type Dim, mulDims, renameDim, type Shape, sizeOfShape } from "./dims.ts";
import { concat, reshape, slice, transpose, zeros } from "./functions.ts";
import { unbroadcast } from "./gradient_rules.ts";
import { any, axisForm, type OnnxInput, type OpRecords, type RowForm } from "./record.ts";
import { arg, broadcastShapes, misfit } from "./shape_rules.ts";
import type { ArrangementOps } from "./ops.ts";
import type { Value } from "./value.ts";

/** The records of these ops. */
export const arrangement: OpRecords<ArrangementOps> = {
  Transpose: {
    shape: (call) => {
      const { shape, dtype } = arg(call, 0);
      const { perm } = call.attrs;
      if ([...perm].sort().some((p, i) => p !== i) || perm.length !== shape.length) {
        throw misfit(call, "a permutation of the axes");
      }
      return [{ dtype, shape: perm.map((p) => shape[p] as Dim) }];
    },
    gradient: ({ attrs: { perm } }, dy) => transpose(dy, inverse(perm)),
    kernels: any,
    rows: ({ attrs: { perm } }, form) => {
      const from = perm[axisOf(form)] ?? 0;
      if (form === "flat") return from === 0 ? [form] : undefined;
      return perm[0] === 0 ? [from] : undefined;
    },
    recompute: "passes",
    form: ({ perm }) => ({ attributes: { perm: { type: "ints", value: perm } } }),
  },
  Reshape: {
    shape: (call) => {
      const { shape, dtype } = arg(call, 0);
      if (sizeOfShape(shape) !== sizeOfShape(call.attrs.shape)) throw misfit(call, "the same number of elements");
      return [{ dtype, shape: call.attrs.shape }];
    },
    gradient: ({ x }, dy) => reshape(dy, x.shape),
    kernels: any,
    rows: ({ inputs: [x], attrs: { shape } }, form, seq) => {
      const before = x && formBefore(x.shape, shape, form, seq);
      return before === undefined ? undefined : [before];
    },
    recompute: "passes",
    form: ({ shape }) => ({ inputs: [{ sizes: shape, inferred: true }] }),
  },
  Expand: {
    shape: (call) => {
      const { shape, dtype } = arg(call, 0);
      return [{ dtype, shape: broadcastShapes(call, shape, call.attrs.shape) }];
    },
    gradient: ({ x }, dy) => unbroadcast(dy, x),
    kernels: any,
    recompute: "passes",
    form: ({ shape }) => ({ inputs: [{ sizes: shape }] }),
  },
  Concat: {
    shape: (call) => {
      const first = arg(call, 0);
      const { axis } = call.attrs;
      let total: Dim = 0;
      for (const value of call.inputs) {
        if (!value || value.shape.length !== first.shape.length || value.dtype !== first.dtype) {
          throw misfit(call, "tensors of one rank and dtype");
        }
        if (value.shape.some((d, i) => i !== axis && d !== first.shape[i])) throw misfit(call, "equal other dims");
        total = addDims(total, value.shape[axis] ?? 1);
      }
      return [{ dtype: first.dtype, shape: withDim(first.shape, axis, total) }];
    },
    gradient: ({ node: { inputs }, attrs: { axis } }, dy, i) => {
      const start = inputs.slice(0, i).reduce<Dim>((sum, x) => addDims(sum, x?.shape[axis] ?? 1), 0);
      return slice(dy, axis, start, i < inputs.length - 1 ? addDims(start, inputs[i]?.shape[axis] ?? 1) : null);
    },
    kernels: any,
    rows: ({ inputs, attrs: { axis } }, form) => (axis === axisOf(form) ? undefined : inputs.map(() => form)),
    recompute: "passes",
    form: axisForm,
  },
  Slice: {
    shape: (call) => {
      const { shape, dtype } = arg(call, 0);
      const { axis, start, end } = call.attrs;
      const dim = shape[axis] ?? 1;
      const known = [start, end, dim].filter((place) => typeof place === "number");
      if (known.some((place) => place < 0) || known.some((place, i) => place > (known[i + 1] ?? Infinity))) {
        throw misfit(call, `an axis ${axis} that has places ${start} to ${end ?? "its end"}`);
      }
      return [{ dtype, shape: withDim(shape, axis, addDims(end ?? dim, mulDims(-1, start))) }];
    },
    gradient: ({ x, attrs: { axis, start, end } }, dy) => {
      const dim = x.shape[axis] ?? 1;
      const pad = (size: Dim): Value => zeros(x, withDim(x.shape, axis, size));
      const before = start === 0 ? [] : [pad(start)];
      const behind = end === null || dim === end ? [] : [pad(addDims(dim, mulDims(-1, end)))];
      return concat([...before, dy, ...behind], axis);
    },
    kernels: any,
    rows: ({ attrs: { axis } }, form) => (axis === axisOf(form) ? undefined : [form]),
    recompute: "passes",
    form: ({ axis, start, end }) => ({ inputs: [place(start), place(end ?? 2 ** 31 - 1), { ints: [axis] }] }),
  },
};

/** Returns the axis of the places. */
export function axisOf(form: RowForm): number {
  return form === "flat" ? 0 : form;
}

/** Returns the shape of a value with places in `form` after `perRow` places are selected in each row. */
export function selectedShape(shape: Shape, form: RowForm, seq: string, perRow: string): Shape {
  return shape.map((dim, i) => (i === axisOf(form) ? renameDim(dim, seq, perRow) : dim));
}

/** Returns how many times an axis repeats the places; undefined if it is not a multiple of them. */
export function timesOf(dim: Dim | undefined, seq: string): number | undefined {
  if (dim === seq) return 1;
  const several = typeof dim === "string" ? /^(\d+)\*(\w+)$/.exec(dim) : null;
  return several?.[2] === seq ? Number(several[1]) : undefined;
}

/** Returns the inverse of a permutation. */
export function inverse(perm: readonly number[]): number[] {
  const back: number[] = [];
  perm.forEach((p, i) => (back[p] = i));
  return back;
}

function withDim(shape: Shape, axis: number, dim: Dim): Shape {
  return shape.map((d, i) => (i === axis ? dim : d));
}

function place(dim: Dim): OnnxInput {
  return typeof dim === "number" ? { ints: [dim] } : { sizes: [dim] };
}

function formBefore(before: Shape, after: Shape, form: RowForm, seq: string): RowForm | undefined {
  const flat = mulDims("batch", seq);
  if (form === "flat") {
    if (before[0] === flat) return "flat";
    return before[0] === "batch" && before[1] === seq ? 1 : undefined;
  }
  if (after[0] !== "batch" || timesOf(after[form], seq) === undefined) return undefined;
  if (before[0] === flat) return form === 1 && after[1] === seq ? "flat" : undefined;
  if (before[0] !== "batch") return undefined;
  // A reshape keeps the selection if the places are innermost in their axis and equally many values follow them.
  const behind = (shape: Shape, axis: number) => shape.slice(axis + 1).reduce(mulDims, 1);
  const axis = before.findIndex((dim, i) =>
    i > 0 && timesOf(dim, seq) !== undefined && behind(before, i) === behind(after, form)
  );
  return axis < 0 ? undefined : axis;
}
