/** Checks of transforms. */
import type { DataContext } from "../core/spec/data_context.ts";
import { transformRows } from "../core/spec/transformed.ts";
import type { Dataset, Host, Json, Row, Rows, Transform } from "../kit.ts";
import { assert } from "./assert.ts";
import { type Check, check } from "./check.ts";
import { tinyRows } from "./tiny/task.ts";

/** Options of a transform's checks. */
export type TransformFigures = Readonly<{
  /** Rows to transform. Default: a few texts with labels. */
  rows?: readonly Row[];
  /** The expected result. */
  expected?: readonly Row[];
  /** Context of the run: seed, split, columns, tokenizer. */
  context?: Partial<DataContext>;
  /** The same transform with other options, which gives other rows. */
  other?: Transform;
  /** Whether another seed gives other rows. Default: false. */
  isRandom?: boolean;
}>;

const columns = { texts: ["text"], others: ["label"] };

/** Returns the checks of a transform. */
export function transformChecks(transform: Transform, figures: TransformFigures, host: Host): readonly Check[] {
  const { rows: input = tinyRows, context = {}, other, isRandom = false } = figures;
  // A copy, since a transform that changes its input must not affect other checks.
  const rows = structuredClone(input);
  const open = async (
    transforms: readonly Transform[],
    seed = 42,
    from: readonly Row[] = rows,
    hasIndex = true,
  ): Promise<Rows> => {
    const split = transform.makes ? "train" as const : undefined;
    const full = { columns, ...(split ? { split } : {}), ...context, seed };
    return await transformRows(sourceOf(from, hasIndex), transforms, full).open(host);
  };
  const out = async (opened: Rows): Promise<Row[]> => {
    const all: Row[] = [];
    for await (const { row } of opened.read()) all.push(row);
    return all;
  };
  return [
    check("gives the same rows each time, and those that are expected", async () => {
      const opened = await open([transform]);
      const first = await out(opened);
      assert.deepEqual(await out(opened), first);
      assert.deepEqual(await out(await open([transform])), first);
      assert.equal(opened.length, first.length);
      if (figures.expected) assert.deepEqual(first, figures.expected);
    }),
    check("leaves the rows that it is given as they are", async () => {
      const copy = structuredClone(input);
      await out(await open([transform], 42, copy));
      assert.equal(JSON.stringify(copy), JSON.stringify(input));
    }),
    check(
      "gives rows by index and behind any row as it streams them, also from a source without an index",
      async () => {
        const opened = await open([transform]);
        const all = await out(opened);
        const indices = all.map((_, i) => all.length - 1 - i);
        assert.deepEqual(await opened.at?.(indices), indices.map((i) => all[i]));
        const half = Math.floor(all.length / 2);
        const rest: Row[] = [];
        for await (const { row } of opened.read({ at: half })) rest.push(row);
        assert.deepEqual(rest, all.slice(half));
        assert.deepEqual(await out(await open([transform], 42, rows, false)), all);
      },
    ),
    check(
      "counts the rows that come in and go out, and says of every other difference what became of the row",
      async () => {
        const opened = await open([transform]);
        const all = await out(opened);
        const [report] = opened.transforms ?? [];
        assert.ok(report, "a report");
        assert.equal(report.use, transform.name);
        assert.equal(report.in, rows.length);
        assert.equal(report.out, all.length);
        const sum = (counts: object): number => Object.values(counts).reduce((a, b) => a + b, 0);
        assert.equal(
          rows.length - sum(report.dropped) + sum(report.added),
          all.length,
          "rows in, less dropped, plus added",
        );
        const named = report.rows.length;
        assert.equal(named, sum(report.dropped) + sum(report.added) + sum(report.changed), "rows that are named");
        for (const { row, reason } of report.rows) {
          assert.ok(Number.isInteger(row) && row >= 0 && row < rows.length, `row ${row} is none of the source's`);
          assert.ok(reason.length > 0 && reason.length < 100, "a reason in a few words");
        }
        const texts = new Set(rows.map((row) => JSON.stringify(row)));
        const fresh = all.filter((row) => !texts.has(JSON.stringify(row))).length;
        assert.ok(fresh <= sum(report.changed) + sum(report.added), `${fresh} rows are new, and not all are told`);
      },
    ),
    check("composes with itself, and takes no rows at all", async () => {
      if (!transform.makes) {
        const twice = await open([transform, transform]);
        assert.equal(twice.transforms?.length, 2);
        assert.equal(twice.transforms?.[1]?.in, twice.transforms?.[0]?.out);
        await out(twice);
      }
      assert.deepEqual(await out(await open([transform], 42, [])), []);
    }),
    check("is part of the fingerprint: its options, the seed and the rows", async () => {
      const { fingerprint } = await open([transform]);
      assert.match(fingerprint, /^[0-9a-f]{64}$/);
      assert.equal((await open([transform])).fingerprint, fingerprint);
      assert.notEqual((await open([])).fingerprint, fingerprint);
      assert.notEqual((await open([transform], 7)).fingerprint, fingerprint);
      assert.notEqual((await open([transform], 42, rows.slice(1))).fingerprint, fingerprint);
      if (other) assert.notEqual((await open([other])).fingerprint, fingerprint);
    }),
    check(isRandom ? "gives other rows for another seed" : "gives the same rows for every seed", async () => {
      const [first, second] = [await out(await open([transform])), await out(await open([transform], 7))];
      if (isRandom) assert.notEqual(JSON.stringify(first), JSON.stringify(second));
      else assert.deepEqual(second, first);
    }),
  ];
}

/** Rows in memory, with or without an index. */
function sourceOf(rows: readonly Row[], hasIndex: boolean): Dataset {
  const opened: Rows = {
    length: rows.length,
    fingerprint: JSON.stringify(rows as unknown as Json),
    read: async function* (from) {
      for (let at = from?.at ?? 0; at < rows.length; at++) yield { row: rows[at] ?? {}, next: { at: at + 1 } };
    },
    ...(hasIndex ? { at: async (indices: readonly number[]) => indices.map((i) => rows[i] ?? {}) } : {}),
  };
  return { kind: "data", name: "rows", options: {}, open: async () => opened };
}
