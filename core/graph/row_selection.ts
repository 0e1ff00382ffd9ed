/**
 * Row selection: positions that a head does not read are not computed.
 *
 * `selectRows` selects some places of [batch*seq, ...] and pushes the selection down through every row-wise op (and
 * through attention's query side) to values that are needed at all places. The results are the same.
 *
 * Batched ops need the same number of places in each row. The input `<index>.picks` [batch * picks] therefore holds the
 * chosen places, repeated in rows that have fewer; `<index>.unpick` [chosen] gives the index of each chosen one there.
 */
import { type Dim, mulDims, type Shape } from "./ops/dims.ts";
import * as f from "./ops/functions.ts";
import type { Value } from "./graph.ts";
import { axisOf, inverse, selectedShape, timesOf } from "./ops/arrangement.ts";
import type { RowForm } from "./ops/record.ts";
import { opTable } from "./ops/table.ts";

/** One operand of an op that a selection is pushed through: selected in a form, or (undefined) left whole. */
type Operand = Readonly<{ value: Value; form: RowForm | undefined }>;

type Push = Readonly<{ operands: readonly Operand[]; rebuild: (operands: readonly Value[], perRow: string) => Value }>;

/** Returns the name of the places dim, "seq" in "batch*seq"; undefined if a dim does not have this form. */
function placesDim(dim: Dim | undefined): string | undefined {
  return typeof dim === "string" ? /^batch\*([A-Za-z]+)$/.exec(dim)?.[1] : undefined;
}

/** Returns the name of the dim that counts the places of `index` chosen in each row. */
export function picksDim(index: string): string {
  return `${index}.picks`;
}

/** A value that is being narrowed to the chosen places; `operands` are those already narrowed. */
type Selection = Readonly<{ key: string; push: Push; scope: string; operands: Value[] }>;

/** Replaces graph inputs of selected rows, such as dropout masks, which are drawn for the chosen places alone. */
export type SelectedInput = (input: Value, shape: Shape) => Value | undefined;

/**
 * Selects the rows of `x` [batch*seq, ...] at the places in the graph input `index` [chosen].
 * The host feeds `<index>.picks` and `<index>.unpick` (see `choosePlaces`).
 */
export function selectRows(x: Value, index: Value, selectedInput: SelectedInput): Value {
  const origin = x.graph.origin(index);
  const seq = placesDim(x.shape[0]);
  const push = seq && pushOf(x, "flat", seq);
  if (origin?.kind !== "input" || !push) return f.gather(x, index);
  const perRow = picksDim(origin.name);
  const picks = x.graph.input(`${origin.name}.picks`, "int32", [mulDims("batch", perRow)]);
  const unpick = x.graph.input(`${origin.name}.unpick`, "int32", index.shape);
  const unselected = wholeValues(x, seq);
  const known = new Map<string, Value>();

  // Depth first with an explicit stack: deep models would overflow the call stack.
  const select = (value: Value, form: RowForm): Value => {
    const open: Selection[] = [];
    const begin = (value: Value, form: RowForm): Value | undefined => {
      const key = `${value.id} ${form}`;
      const selected = known.get(key);
      if (selected) return selected;
      const push = unselected.has(value.id) ? undefined : pushOf(value, form, seq);
      if (push) {
        open.push({ key, push, scope: value.graph.producer(value)?.scope ?? "", operands: [] });
        return undefined;
      }
      const outer = open.at(-1)?.scope;
      const leafValue = outer === undefined ? leaf(value, form) : value.graph.within(outer, () => leaf(value, form));
      known.set(key, leafValue);
      return leafValue;
    };
    let narrowed = begin(value, form);
    for (let top = open.at(-1); top; top = open.at(-1)) {
      if (narrowed) top.operands.push(narrowed);
      const next = top.push.operands[top.operands.length];
      if (next) {
        narrowed = next.form === undefined ? next.value : begin(next.value, next.form);
        continue;
      }
      const { key, push, scope, operands } = top;
      narrowed = value.graph.within(scope, () => push.rebuild(operands, perRow));
      known.set(key, narrowed);
      open.pop();
    }
    return narrowed as Value;
  };
  const leaf = (value: Value, form: RowForm): Value => {
    const shape = selectedShape(value.shape, form, seq, perRow);
    const selected = value.graph.origin(value)?.kind === "input" ? selectedInput(value, shape) : undefined;
    if (selected) return selected;
    if (form === "flat") return f.gather(value, picks);
    const times = timesOf(value.shape[form], seq) ?? 1;
    if (times > 1) {
      const apart = [...value.shape.slice(0, form), times, seq, ...value.shape.slice(form + 1)];
      return f.reshape(leaf(f.reshape(value, apart), form + 1), shape);
    }
    // Move the places next to the batch axis, gather them as flat rows, and restore the order of the axes.
    const order = [0, form, ...value.shape.map((_, i) => i).filter((i) => i !== 0 && i !== form)];
    const moved = f.transpose(value, order);
    const rows = f.gather(f.reshape(moved, [mulDims("batch", seq), ...moved.shape.slice(2)]), picks);
    return f.transpose(f.reshape(rows, ["batch", perRow, ...moved.shape.slice(2)]), inverse(order));
  };
  return f.gather(select(x, "flat"), unpick);
}

/** Returns what to feed as `<index>.picks` and `<index>.unpick`, and the number of picks per row of the batch. */
export function choosePlaces(
  index: ArrayLike<number>,
  batch: number,
  seq: number,
): Readonly<{ picks: Int32Array; unpick: Int32Array; perRow: number }> {
  const rows: number[][] = Array.from({ length: batch }, () => []);
  const slot = new Int32Array(index.length);
  for (let i = 0; i < index.length; i++) {
    const place = index[i] ?? 0;
    const row = rows[Math.floor(place / seq)];
    slot[i] = row?.length ?? 0;
    row?.push(place);
  }
  const perRow = Math.max(1, ...rows.map((r) => r.length));
  const picks = new Int32Array(batch * perRow);
  rows.forEach((row, b) => {
    for (let k = 0; k < perRow; k++) picks[b * perRow + k] = row[k] ?? row[0] ?? b * seq;
  });
  const unpick = Int32Array.from(
    index as ArrayLike<number>,
    (place, i) => Math.floor(place / seq) * perRow + (slot[i] ?? 0),
  );
  return { picks, unpick, perRow };
}

/**
 * Finds the values that some op needs at all places, and everything they are computed from: the keys and values of
 * attention, and values that selection cannot pass. Selecting places of these would compute them a second time.
 */
function wholeValues(x: Value, seq: string): ReadonlySet<number> {
  const unselected = new Set<number>();
  const visited = new Set<string>();
  const waiting: { value: Value; form: RowForm }[] = [{ value: x, form: "flat" }];
  for (let next = waiting.pop(); next; next = waiting.pop()) {
    const { value, form } = next;
    const key = `${value.id} ${form}`;
    if (visited.has(key)) continue;
    visited.add(key);
    const push = pushOf(value, form, seq);
    if (!push) markWhole(value, unselected);
    for (const operand of push?.operands ?? []) {
      if (operand.form !== undefined) waiting.push({ value: operand.value, form: operand.form });
      else markWhole(operand.value, unselected);
    }
  }
  return unselected;
}

function markWhole(value: Value, unselected: Set<number>): void {
  const waiting = [value];
  for (let next = waiting.pop(); next; next = waiting.pop()) {
    if (unselected.has(next.id)) continue;
    unselected.add(next.id);
    for (const input of next.graph.producer(next)?.inputs ?? []) if (input) waiting.push(input);
  }
}

/** Returns how a selection of places of `value` is made on its operands instead; undefined if that is impossible. */
function pushOf(value: Value, form: RowForm, seq: string): Push | undefined {
  const node = value.graph.producer(value);
  if (!node || node.outputs[0] !== value || (value.graph.region(value) && !value.graph.region(value)?.transparent)) {
    return undefined;
  }
  const inputs = node.inputs as readonly Value[];
  const { rows } = opTable[node.op];
  const operands = rows === "elementwise"
    ? inputs.map((input) => aligned(input, value, form, seq))
    : rows?.(node, form, seq)?.map((form, i): Operand => ({ value: inputs[i] as Value, form }));
  if (!operands?.every((operand) => operand !== undefined)) return undefined;
  return {
    operands,
    rebuild: (selected, perRow) =>
      node.op === "Reshape"
        ? f.reshape(selected[0] as Value, selectedShape(value.shape, form, seq, perRow))
        : f.apply(node.op, selected, node.attrs),
  };
}

/** Aligns an operand of an elementwise op by the rules of broadcasting; undefined if its places have no batch axis. */
function aligned(operand: Value, result: Value, form: RowForm, seq: string): Operand | undefined {
  const offset = result.shape.length - operand.shape.length;
  const axis = axisOf(form) - offset;
  if (axis < 0 || operand.shape[axis] === 1) return { value: operand, form: undefined };
  if (form === "flat") return operand.shape[0] === mulDims("batch", seq) ? { value: operand, form } : undefined;
  return offset === 0 && operand.shape[0] === "batch" && operand.shape[axis] === result.shape[axis]
    ? { value: operand, form: axis }
    : undefined;
}
