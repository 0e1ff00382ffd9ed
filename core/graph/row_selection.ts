/**
 * Row selection: what a head does not read is not computed.
 *
 * `selectRows` asks for some places of [batch*seq, ...] and pushes the question down through every row-wise op (and
 * through attention's query side), until it meets values that other places need whole. The mathematics is the same.
 *
 * A row of the batch has up to `<index>.picks` chosen places, so that batched ops keep their form: `<index>.picks` holds
 * them [batch * picks] (rows with fewer repeat a place), `<index>.unpick` [chosen] finds the chosen ones among those.
 */
import { type Dim, mulDims, type Shape } from "./ops/dims.ts";
import * as f from "./ops/functions.ts";
import type { Value } from "./graph.ts";
import { axisOf, inverse, selectedShape, timesOf } from "./ops/arrangement.ts";
import type { RowForm } from "./ops/record.ts";
import { opTable } from "./ops/table.ts";

/** One operand of a pushed op: selected in a form, or (undefined) left as it is. */
type Operand = Readonly<{ value: Value; form: RowForm | undefined }>;

type Push = Readonly<{ operands: readonly Operand[]; rebuild: (operands: readonly Value[], perRow: string) => Value }>;

/** The places of a row, of whichever side, as in "batch*seq"; undefined if a dim is not one of flat places. */
function placesDim(dim: Dim | undefined): string | undefined {
  return typeof dim === "string" ? /^batch\*([A-Za-z]+)$/.exec(dim)?.[1] : undefined;
}

/** The dim that counts the places of `index` chosen in each row. */
export function picksDim(index: string): string {
  return `${index}.picks`;
}

/** A value whose places are being chosen: `operands` are those of which it is done. */
type Selection = Readonly<{ key: string; push: Push; scope: string; operands: Value[] }>;

/** Replaces inputs of selected rows: dropout masks are made anew for the chosen positions. */
export type SelectedInput = (input: Value, shape: Shape) => Value | undefined;

/**
 * The rows of `x` [batch*seq, ...] at the places of the graph input `index` [chosen].
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
  const unselected = neededWhole(x, seq);
  const known = new Map<string, Value>();

  // Depth first over a list of its own: models are as deep as they like, the stack of calls is not.
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
    // Bring the places behind the batch, gather them as flat rows, and put the axes back.
    const order = [0, form, ...value.shape.map((_, i) => i).filter((i) => i !== 0 && i !== form)];
    const moved = f.transpose(value, order);
    const rows = f.gather(f.reshape(moved, [mulDims("batch", seq), ...moved.shape.slice(2)]), picks);
    return f.transpose(f.reshape(rows, ["batch", perRow, ...moved.shape.slice(2)]), inverse(order));
  };
  return f.gather(select(x, "flat"), unpick);
}

/** For each row of a batch, the chosen places: what feeds `<index>.picks` and `<index>.unpick`. */
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
 * Values that some op needs at all places, with all that they are made of: the keys and values of attention, and
 * whatever the question cannot be pushed through. To choose places of those would compute them a second time.
 */
function neededWhole(x: Value, seq: string): ReadonlySet<number> {
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

/** How the question for some places of `value` becomes one for its operands; undefined where it cannot. */
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

/** The operand of an elementwise op, by broadcasting's alignment; undefined if its places have no batch axis. */
function aligned(operand: Value, result: Value, form: RowForm, seq: string): Operand | undefined {
  const offset = result.shape.length - operand.shape.length;
  const axis = axisOf(form) - offset;
  if (axis < 0 || operand.shape[axis] === 1) return { value: operand, form: undefined };
  if (form === "flat") return operand.shape[0] === mulDims("batch", seq) ? { value: operand, form } : undefined;
  return offset === 0 && operand.shape[0] === "batch" && operand.shape[axis] === result.shape[axis]
    ? { value: operand, form: axis }
    : undefined;
}
