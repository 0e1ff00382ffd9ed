/**
 * Texts with spans to predict in a random order.
 * @module
 */
import { type PermutedTextOptions, permutedTextSchema } from "../../blocks/options/mod.ts";
import { define } from "../../core/spec/define.ts";
import { badValue, missing } from "../../core/base/errors.ts";
import { permutation } from "../../core/math/random.ts";
import type { CollatorContext, Factory, Field, Random, Row, Sample } from "../../core/types.ts";
import { idsOf, IGNORE, labelField, readColumns, textOf, tokenFields } from "../../blocks/collator/mod.ts";

const NAME = "permutation-lm";

type About = Readonly<{ ids: Int32Array; special: Int32Array }>;

/**
 * `text` → input_ids with masked spans, `perm_mask` (1 if a position may not see another) and `labels`, drawn anew
 * in each epoch (Yang et al. 2019, and Hugging Face's collator). Rows that have `input_ids`, `perm_mask`,
 * `target_mapping` and `labels` are used unchanged: `target_mapping` has a row for each target, `labels` a label.
 *
 * @throws AttuneError if a column is missing, or a target is not at one place.
 * @example
 * ```ts
 * import { permutationLm } from "attune/collators/permutation-lm";
 * console.assert(permutationLm({ maxSpanLength: 3 }).name === "permutation-lm");
 * ```
 */
export const permutationLm: Factory<"collator", Partial<PermutedTextOptions>> = define({
  kind: "collator",
  name: NAME,
  schema: permutedTextSchema,
  create: (options) => ({
    oneEach: true,
    columns: readColumns(options.columns, { texts: ["text"] }),
    encode: (
      row,
      index,
      context,
    ) => ("input_ids" in row ? [readyMade(row, index, context)] : [textSample(row, index, options, context)]),
    resample: (sample, random, context) => (sample.metadata ? drawSample(sample, random, options, context) : sample),
  }),
});

function textSample(
  row: Row,
  index: number,
  { columns }: PermutedTextOptions,
  { tokenizer, maxLength }: CollatorContext,
): Sample {
  const text = textOf(NAME, row, index, columns.text ?? "text");
  const [{ ids, specialTokensMask, typeIds }] = tokenizer.encode(text, {
    maxLength,
    truncation: maxLength !== undefined,
    offsets: false,
  });
  const fields = tokenFields(tokenizer, ids, typeIds);
  const about: About = { ids, special: specialTokensMask };
  return { sequences: [{ length: ids.length, fields }], targets: {}, row: index, metadata: about };
}

function drawSample(
  sample: Sample,
  random: Random,
  options: PermutedTextOptions,
  { tokenizer, requiresLabels: labelled }: CollatorContext,
): Sample {
  const { ids, special } = sample.metadata as About;
  const [sequence] = sample.sequences;
  const { mask } = tokenizer.specialTokenIds;
  if (mask === undefined) throw missing(NAME, "a mask token", "the tokenizer");
  const n = ids.length;
  const isTarget = spans(n, random.fork("spans"), options).map((chosen, i) => chosen && special[i] !== 1);
  const order = orderOf(n, random.fork("order"));
  // Tokens that are neither targets nor special come before all others.
  const rank = order.map((r, i) => (!isTarget[i] && special[i] !== 1 ? -1 : r));
  const permMask = new Float32Array(n * n);
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < n; j++) if (isTarget[j] && (rank[i] ?? 0) <= (rank[j] ?? 0)) permMask[i * n + j] = 1;
  }
  const fields: Record<string, Field> = {
    ...sequence?.fields,
    ...tokenFields(tokenizer, ids.map((id, i) => (isTarget[i] ? mask : id))),
    perm_mask: { axis: "pair", data: permMask, padValue: 0 },
    ...(labelled ? { labels: labelField(ids.map((id, i) => (isTarget[i] ? id : IGNORE))) } : {}),
  };
  return { sequences: [{ length: n, fields }], targets: {}, row: sample.row };
}

/**
 * Chooses spans of 1 to `maxSpanLength` tokens, each at a random place in a context 1/`plmProbability` times as long.
 */
function spans(length: number, random: Random, { plmProbability, maxSpanLength }: PermutedTextOptions): boolean[] {
  const chosen = Array<boolean>(length).fill(false);
  let draw = 0;
  for (let at = 0; at < length;) {
    const span = 1 + Math.floor(random.uniform(draw++) * maxSpanLength);
    const around = Math.floor(span / plmProbability);
    const start = at + Math.floor(random.uniform(draw++) * (around - span + 1));
    chosen.fill(true, start, start + span);
    at += around;
  }
  return chosen;
}

/** Returns a random order of positions, the same in both halves as in Hugging Face's; odd lengths are not halved. */
function orderOf(length: number, random: Random): number[] {
  const size = length % 2 === 0 ? length / 2 : length;
  const order = permutation(random, size);
  return Array.from({ length }, (_, i) => (order[i % size] ?? 0) + Math.floor(i / size) * size);
}

function readyMade(row: Row, index: number, { tokenizer, requiresLabels: labelled }: CollatorContext): Sample {
  const ids = idsOf(NAME, row, index, "input_ids");
  const n = ids.length;
  const numbers = (column: string, rows?: number): number[][] => {
    const value = row[column];
    const fits = Array.isArray(value) && value.length === (rows ?? value.length) &&
      value.every((r) => Array.isArray(r) && r.length === n && r.every((x) => typeof x === "number"));
    if (!fits) {
      throw badValue(NAME, `row ${index}, column "${column}"`, value, `${rows ?? ""} lists of ${n} numbers`.trim());
    }
    return value as number[][];
  };
  const mapping = numbers("target_mapping");
  const labels = labelled ? placed(mapping, idsOf(NAME, row, index, "labels", IGNORE), n, index) : undefined;
  const fields: Record<string, Field> = {
    ...tokenFields(tokenizer, ids),
    perm_mask: { axis: "pair", data: Float32Array.from(numbers("perm_mask", n).flat()), padValue: 0 },
    ...("token_type_ids" in row
      ? { token_type_ids: { axis: "token", data: idsOf(NAME, row, index, "token_type_ids"), padValue: 0 } as const }
      : {}),
    ...(labels ? { labels: labelField(labels) } : {}),
  };
  return { sequences: [{ length: n, fields }], targets: {}, row: index };
}

/**
 * Moves the targets' labels to the positions given by `target_mapping` [targets, n]; other positions are ignored. Since
 * each position is computed by itself, the result is the same as for the targets alone.
 */
function placed(mapping: readonly (readonly number[])[], labels: Int32Array, n: number, index: number): Int32Array {
  const wrong = (value: string, allowed: string): Error =>
    badValue(NAME, `row ${index}, column "target_mapping"`, value, allowed);
  if (labels.length !== mapping.length) {
    throw badValue(NAME, `row ${index}, column "labels"`, labels.length, `${mapping.length} ids, one for each target`);
  }
  const placedLabels = new Int32Array(n).fill(IGNORE);
  const taken = new Set<number>();
  mapping.forEach((targets, k) => {
    const places = targets.flatMap((x, i) => (x === 0 ? [] : [i]));
    const [place = mapping.length === n ? k : undefined] = places;
    if (places.length > 1 || targets.some((x) => x !== 0 && x !== 1)) {
      throw wrong(`target ${k} at ${places.length} places`, "1 at the one place of a target, and 0 elsewhere");
    }
    if (place === undefined) {
      if (labels[k] === IGNORE) return;
      throw wrong(`target ${k} nowhere`, `the place of a target that is learned; ${IGNORE} is the label of others`);
    }
    if (taken.has(place) && labels[k] !== IGNORE) throw wrong(`two targets at place ${place}`, "different positions");
    if (labels[k] === IGNORE) return;
    taken.add(place);
    placedLabels[place] = labels[k] ?? IGNORE;
  });
  return placedLabels;
}
