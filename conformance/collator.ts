/** Checks of collators. */
import {
  AttuneError,
  type Collator,
  type CollatorContext,
  createRandom,
  type Field,
  type Json,
  type Named,
  type Row,
  type Sample,
  type Tokenizer,
} from "../kit.ts";
import { assert } from "./assert.ts";
import { type Check, check, passedOver } from "./check.ts";

/** Inputs of a collator's checks. */
export type CollatorFigures = Readonly<{
  /** Rows to encode. Default: one row with the columns of every task of this package. */
  rows?: readonly Row[];
  /** Rows without labels. Default: `rows` without their label columns. */
  unlabelled?: readonly Row[];
  /** Rows with ready-made ids; `null` if the collator accepts none. */
  ready?: readonly Row[] | null;
  /** Required columns, each a text or a list. Default: the columns without which encoding fails. */
  needs?: readonly string[];
  /** Number of classes among `labels`. */
  classes?: number;
  /** The tokenizer. Default: a tiny one of 28 tokens. */
  tokenizer?: Tokenizer;
  config?: Named<Json>;
  decoderStart?: number;
}>;

const labelColumns = ["label", "labels", "tags", "answers", "target", "score"];

/** A row with the columns of every task. */
const everyColumn: Row = {
  text: "the film was very good .",
  label: "good",
  tokens: ["the", "film", "was", "good"],
  tags: ["O", "B", "O", "O"],
  question: "the film ?",
  context: "the film was very good .",
  answers: { text: ["very good"], answer_start: [13] },
  choices: ["good", "bad"],
  source: "the food was nice .",
  target: "very nice .",
  sentences: ["the film was good .", "very nice .", "a phone is not bad !"],
  prompt: "the film was",
  completion: "very good .",
};

/** A collator, its rows, and functions that encode them. */
type Bench = Readonly<{
  collator: Collator;
  rows: readonly Row[];
  contextOf: (labelled: boolean, change?: Partial<CollatorContext>) => CollatorContext;
  reading: () => unknown;
  encoded: (rows: readonly Row[], context: CollatorContext) => Sample[];
}>;

/** Returns the checks of a collator. */
export function collatorChecks(collator: Collator, figures: CollatorFigures, tiny: Tokenizer): readonly Check[] {
  const { rows = [everyColumn], tokenizer = tiny, classes, config = {}, decoderStart } = figures;
  const unlabelled = figures.unlabelled ??
    rows.map((row) => Object.fromEntries(Object.entries(row).filter(([column]) => !labelColumns.includes(column))));
  const random = createRandom(4);
  const contextOf = (labelled: boolean, change: Partial<CollatorContext> = {}): CollatorContext => ({
    tokenizer,
    random,
    maxLength: undefined,
    requiresLabels: labelled,
    modelType: String(config.model_type ?? "tiny-encoder"),
    config,
    decoderStartTokenId: decoderStart,
    ...change,
  });
  const reading = (): unknown => {
    const survey = collator.survey?.();
    for (const row of rows) survey?.add(row);
    return survey?.end().reading;
  };
  const encoded = (of: readonly Row[], context: CollatorContext): Sample[] =>
    of.flatMap((row, i) => collator.encode(row, i, context));
  const labelled = (change: Partial<CollatorContext> = {}): Sample[] =>
    encoded(rows, contextOf(true, { reading: reading(), ...change }));
  const drawnFrom = (sample: Sample, seed: number, context: CollatorContext): Sample =>
    collator.resample?.(sample, createRandom(seed), context) ?? sample;

  return [
    check("the same row gives the same samples, and stays as it is", () => {
      const before = JSON.stringify(rows);
      const first = labelled();
      assert.ok(first.length > 0, "no sample");
      assert.deepEqual(labelled(), first);
      assert.equal(JSON.stringify(rows), before, "the rows");
      for (const { row } of first) assert.ok(row >= 0 && row < rows.length, `row ${row} of ${rows.length}`);
      // With `oneEach`, the number of samples is known before rows are encoded.
      if (collator.oneEach) assert.equal(first.length, rows.length, "every row is one sample");
      // A row is encoded the same at every row number.
      const [alone] = rows.slice(0, 1).map((row) => collator.encode(row, 5, contextOf(true, { reading: reading() })));
      assert.ok(alone?.every(({ row }) => row === 5), "samples say which row they are of");
    }),
    check("fields have one length, and values within their range", () => {
      const context = contextOf(true, { reading: reading() });
      for (const sample of encoded(rows, context).map((one) => drawnFrom(one, 1, context))) {
        for (const { length, decoderLength = 0, fields } of sample.sequences) {
          assert.ok(length > 0, "a sequence of nothing");
          const places = { token: length, decoderToken: decoderLength, pair: length * length, sample: 1 };
          for (const [name, field] of Object.entries(fields)) {
            assert.equal(field.data.length, places[field.axis] * (field.size ?? 1), `values of ${name}`);
            withinRange(name, field, tokenizer.vocabSize);
          }
        }
        for (const [name, field] of Object.entries(sample.targets)) {
          if (field.axis === "sample") assert.equal(field.data.length % (field.size ?? 1), 0, `values of ${name}`);
          withinRange(name, field, name === "labels" ? classes ?? tokenizer.vocabSize : Infinity);
        }
      }
    }),
    check("keeps to maxLength", () => {
      const cut = labelled({ maxLength: 12 });
      for (const { sequences } of cut) {
        for (const { length } of sequences) assert.ok(length <= 12, `${length} tokens of at most 12`);
      }
    }),
    check("gives no labels where there are none", () => {
      for (const { sequences, targets } of encoded(unlabelled, contextOf(false))) {
        const names = [...sequences.flatMap(({ fields }) => Object.keys(fields)), ...Object.keys(targets)];
        assert.ok(!names.includes("labels"), `it has ${[...new Set(names)].join(", ")}`);
      }
    }),
    check("what it draws depends on the random numbers alone", () => {
      if (!collator.resample) return "it draws nothing: it has no `resample`";
      const context = contextOf(true, { reading: reading() });
      const samples = encoded(rows, context);
      const before = structuredClone(samples);
      const all = Array.from({ length: 20 }, (_, seed) => samples.map((one) => drawnFrom(one, seed, context)));
      assert.deepEqual(samples.map((one) => drawnFrom(one, 3, context)), all[3]);
      assert.deepEqual(samples, before, "the samples it drew for");
      assert.ok(all.some((one) => JSON.stringify(one) !== JSON.stringify(all[0])), "it draws nothing");
    }),
    ...refusing({ collator, rows, contextOf, reading, encoded }, figures),
  ];
}

/** Returns the checks with invalid rows and with ready-made ids. */
function refusing(
  { collator, rows, contextOf, reading, encoded }: Bench,
  { needs: asked, ready }: CollatorFigures,
): readonly Check[] {
  return [
    check("says row and column where one is missing or something else", () => {
      const context = contextOf(true, { reading: reading() });
      const [row = {}] = rows;
      const failure = (changed: Row): AttuneError | undefined => {
        try {
          collator.encode(changed, 3, context);
          return undefined;
        } catch (error) {
          assert.ok(error instanceof AttuneError, `${error} is no AttuneError`);
          assert.match(error.message, /row 3\b/);
          return error;
        }
      };
      const without = (column: string): Row =>
        Object.fromEntries(Object.entries(row).filter(([name]) => name !== column));
      const needs = asked ?? Object.keys(row).filter((column) => failure(without(column)) !== undefined);
      assert.ok(needs.length > 0 && failure({}) !== undefined, "it takes a row of nothing");
      for (const column of needs) {
        assert.match(failure(without(column))?.message ?? "no error", new RegExp(`"${column}"`), `without ${column}`);
      }
      // An object in place of a text or list must be refused, or not be read at all.
      const wanted = collator.encode(row, 3, context);
      for (const column of Object.keys(row)) {
        const wrong = { ...row, [column]: { an: "object" } };
        if (failure(wrong) === undefined) {
          assert.deepEqual(collator.encode(wrong, 3, context), wanted, `${column} is an object`);
        }
      }
    }),
    check("says what a label may be, and the nearest, where there is no such", () => {
      const column = "labels" in collator.options ? collator.options.labels : undefined;
      const name = Array.isArray(column)
        ? column.find((label) => typeof label === "string" && label.length > 2)
        : undefined;
      const [row = {}] = rows;
      if (name === undefined || typeof row.label !== "string") return;
      assert.throws(
        () => collator.encode({ ...row, label: `${name}x` }, 3, contextOf(true, { reading: reading() })),
        new RegExp(`row 3[^]*${name}`),
      );
    }),
    ...ready === null
      ? []
      : ready === undefined
      ? [passedOver("takes ready-made ids as they are", "figures.ready")]
      : [check("takes ready-made ids as they are", () => {
        const samples = encoded(ready, contextOf(false));
        const ids = samples.flatMap(({ sequences }) =>
          sequences.map(({ fields }) => [...fields.input_ids?.data ?? []])
        );
        assert.deepEqual(
          ids,
          ready.flatMap(({ input_ids: ids }) =>
            Array.isArray((ids as unknown[])[0]) ? ids as number[][] : [ids as number[]]
          ),
        );
      })],
  ];
}

/** Asserts that ids and classes are below a limit, except for a field's padding and ignored values. */
function withinRange(name: string, { data, padValue: fill, ignoreIndex: ignore }: Field, below: number): void {
  if (data instanceof Float32Array) {
    for (const x of data) assert.ok(Number.isFinite(x), `${name} has ${x}`);
    return;
  }
  for (const x of data) {
    assert.ok(x === fill || x === ignore || x === -100 || (x >= 0 && x < below), `${name} has ${x}, of ${below}`);
  }
}
