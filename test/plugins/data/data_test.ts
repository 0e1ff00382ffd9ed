import assert from "node:assert/strict";
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import fc from "fast-check";
import type { Dataset, Host, Row, Store } from "../../../core/types.ts";
import { csv } from "../../../plugins/data/csv.ts";
import { fold } from "../../../plugins/data/fold.ts";
import { jsonl } from "../../../plugins/data/jsonl.ts";
import { memory } from "../../../plugins/data/memory.ts";
import { reviews } from "../../../plugins/data/reviews.ts";
import { shuffle } from "../../../plugins/data/shuffle.ts";
import { split } from "../../../plugins/data/split.ts";
import { take } from "../../../plugins/data/take.ts";
import { hostHere } from "../../../runtimes/host/train.ts";
import { itPasses } from "../../checks.ts";
import { dataChecks, read } from "./read.ts";

const folder = mkdtempSync(join(tmpdir(), "attune-data-"));
const written = (name: string, text: string | Uint8Array): string => {
  writeFileSync(join(folder, name), text);
  return join(folder, name);
};
const host = () => hostHere(1);
const rows: Row[] = Array.from({ length: 12 }, (_, i) => ({ text: `row ${i}`, label: i % 3 === 0 ? "a" : "b" }));
const source = memory({ rows });

itPasses("memory", await dataChecks(() => memory({ rows }), rows, () => memory({ rows: rows.slice(1) })));
const lines = written("rows.jsonl", "\uFEFF" + rows.map((r) => JSON.stringify(r)).join("\r\n") + "\n\n");
const line = written("row.jsonl", JSON.stringify(rows[0]));
itPasses("jsonl", await dataChecks(() => jsonl({ path: lines }), rows, () => jsonl({ path: line })));
const table = written("rows.csv", "text,label\n" + rows.map((r) => `"${r.text}",${r.label}`).join("\n") + "\n");
itPasses(
  "csv",
  await dataChecks(() => csv({ path: table }), rows, () => csv({ path: written("row.csv", "text\nx\n") })),
);
const taken = (skip: number) => () => take({ source, limit: 3, skip });
itPasses("take", await dataChecks(taken(2), rows.slice(2, 5), taken(3)));
const shuffled = (seed: number) => () => shuffle({ source, seed });
itPasses("shuffle", await dataChecks(shuffled(1), await read(shuffled(1)()), shuffled(2)));
const half = (seed: number) => () => split({ source, part: "train", seed });
itPasses("split", await dataChecks(half(1), await read(half(1)()), half(2)));
const third = (seed: number) => () => fold({ source, part: "train", folds: 3, fold: 1, seed });
itPasses("fold", await dataChecks(third(1), await read(third(1)()), third(2)));
const sentences = await read(reviews({ split: "test" }));
itPasses("reviews", await dataChecks(() => reviews({ split: "test" }), sentences, () => reviews()));

/** A host whose only file has `size` bytes of one value; how far it is read is kept. */
async function hostOf(size: number, byte: number): Promise<{ on: Host; read: () => number }> {
  let most = 0;
  const none = () => Promise.resolve("conflict" as const);
  const store: Store = {
    get: async (key, range = { offset: 0, length: size }) => {
      const bytes = new Uint8Array(Math.max(0, Math.min(range.length, size - range.offset))).fill(byte);
      most = Math.max(most, range.offset + bytes.length);
      return { key, size, revision: "1", bytes };
    },
    put: none,
    delete: none,
    list: async function* () {},
  };
  return { on: { ...await host(), directory: () => store }, read: () => most };
}

describe("json lines", () => {
  it("say the line that is wrong", async () => {
    const bad = (name: string, text: string | Uint8Array) => read(jsonl({ path: written(name, text) }));
    await assert.rejects(bad("bad.jsonl", '{"a":1}\n\n{"a":\n'), {
      code: "BAD_FILE",
      message: /bad.jsonl, line 3: is not JSON/,
    });
    await assert.rejects(bad("list.jsonl", "[1]\n"), /row 0: expected an object/);
    await assert.rejects(bad("null.jsonl", '{"a":1}\r\nnull'), /line 2: expected an object/);
    await assert.rejects(bad("bytes.jsonl", Uint8Array.of(0x7b, 0x7d, 0x0a, 0xff, 0x0a)), /line 2: is not UTF-8/);
    await assert.rejects(bad("deep.jsonl", "[".repeat(100_000)), { name: "AttuneError" });
    await assert.rejects(read(jsonl({ path: join(folder, "none.jsonl") })), /does not exist/);
  });
  it("may have no end of line at the end, and no rows", async () => {
    assert.deepEqual(await read(jsonl({ path: written("one.jsonl", '{"a":1}') })), [{ a: 1 }]);
    assert.deepEqual(await read(jsonl({ path: written("empty.jsonl", "") })), []);
  });
  it("keep __proto__ harmless", async () => {
    const [row] = await read(jsonl({ path: written("proto.jsonl", '{"__proto__":{"polluted":1},"text":"x"}\n') }));
    assert.equal(row?.text, "x");
    assert.equal(row?.polluted, undefined);
    assert.equal(({} as Record<string, unknown>).polluted, undefined);
  });
  it("are read in pieces that cut lines and characters anywhere", async () => {
    // 4 MiB is one piece; lines of 3-byte characters cross its end.
    const texts = Array.from({ length: 3 }, (_, i) => "€".repeat(700_000 + i));
    const path = written("long.jsonl", texts.map((text) => JSON.stringify({ text })).join("\n"));
    assert.deepEqual(await read(jsonl({ path })), texts.map((text) => ({ text })));
  });
  it("stop at a line without end, long before the file's", async () => {
    const { on, read: bytes } = await hostOf(2 ** 40, 0x20);
    await assert.rejects(read(jsonl({ path: "/endless" }), on), /line 1: is longer than 67108864 bytes/);
    assert.ok(bytes() <= 72 * 2 ** 20, `${bytes()} bytes were read`);
  });
});

describe("csv", () => {
  const readCsv = (name: string, text: string, options: object = {}) =>
    read(csv({ path: written(name, text), ...options }));
  it("reads what was written, whatever the values", () =>
    fc.assert(
      fc.asyncProperty(
        fc.array(
          fc.array(fc.string({ unit: fc.constantFrom("a", ",", '"', "\n", "\r\n", " ", "é") }), {
            minLength: 2,
            maxLength: 2,
          }),
        ),
        async (values) => {
          const quoted = (value: string): string => `"${value.replaceAll('"', '""')}"`;
          // Line ends of one file may differ; within quotes they stay as they are.
          const ends = ["\n", "\r\n", "\r"];
          const lines = [["x", "y"], ...values].map((record) => record.map(quoted).join(","));
          const text = lines.map((line, i) => line + ends[(i * 7 + line.length) % 3]).join("");
          assert.deepEqual(await readCsv("any.csv", text), values.map(([x, y]) => ({ x, y })));
        },
      ),
      { numRuns: 50 },
    ));
  it("knows other delimiters, names of columns, byte order marks and empty lines", async () => {
    const expected = [{ text: 'a "b"\nc', n: "1" }];
    assert.deepEqual(await readCsv("q.tsv", '\uFEFFtext\tn\n\n"a ""b""\nc"\t1\n', { delimiter: "\t" }), expected);
    assert.deepEqual(await readCsv("c.csv", '"a ""b""\nc",1\r\n', { columns: ["text", "n"] }), expected);
    for (const delimiter of ["", "\n", '"']) assert.throws(() => csv({ path: "x", delimiter }), { code: "BAD_VALUE" });
  });
  it("says the line of an open quote, of other columns, of a name given twice", async () => {
    const refused = (text: string, message: RegExp) =>
      assert.rejects(readCsv("bad.csv", text), { code: "BAD_FILE", message });
    await refused('a,b\n"1\n2",3\n"x,1\n4,5\n', /line 4: Quoted field unterminated/);
    await refused('a,b\n\n1,2\n"x\r\ny",2\n1\n', /line 6: has 1 values for 2 columns/);
    await refused('a,b\n"x"y,2\n', /line 2/);
    await refused("a,b,a\n", /line 1: names column "a" twice/);
  });
  it("takes no line end for a part of a value, of whatever kinds a file has", async () => {
    const expected = [{ text: "a b", label: "x" }, { text: "c\r\nd, e", label: "y" }, { text: 'f"g', label: "z" }];
    for (const [first, rest] of [["\n", "\r\n"], ["\r\n", "\n"], ["\r", "\n"], ["\n", "\r"], ["\r\n", "\r\n"]]) {
      for (const end of ["", rest]) {
        const lines = ["a b,x", '"c\r\nd, e",y', 'f"g,"z"'].join(rest);
        assert.deepEqual(await readCsv("ends.csv", `text,label${first}${lines}${end}`), expected);
      }
    }
  });
  it("keeps __proto__ harmless", async () => {
    const [row] = await readCsv("proto.csv", "__proto__,text\npolluted,x\n");
    assert.equal(row?.text, "x");
    assert.equal(Object.getPrototypeOf(row), Object.prototype);
  });
  it("refuses a file whose record does not end, once so much of it was read", async () => {
    const { on, read: bytes } = await hostOf(2 ** 40, 0x20);
    await assert.rejects(read(csv({ path: "/endless" }), on), { code: "BAD_FILE", message: /longer than 67108864/ });
    assert.ok(bytes() < 2 ** 27, `${bytes()}`);
  });
});

describe("split", () => {
  const parts = async (options: object, of: readonly Row[] = rows) =>
    await Promise.all(
      (["train", "test"] as const).map((part) => read(split({ source: memory({ rows: of }), part, ...options }))),
    );
  it("divides without loss, keeps shares, and depends on the seed", async () => {
    const options = { testSize: 0.25, stratifyByColumn: "label" };
    const [train = [], test = []] = await parts({ ...options, seed: 1 });
    assert.deepEqual(new Set([...train, ...test].map((r) => r.text)), new Set(rows.map((r) => r.text)));
    assert.equal(train.length + test.length, rows.length);
    assert.equal(test.filter((r) => r.label === "a").length, 1);
    assert.equal(test.filter((r) => r.label === "b").length, 2);
    assert.deepEqual(await parts({ ...options, seed: 1 }), [train, test]);
    assert.notDeepEqual(await parts({ ...options, seed: 2 }), [train, test]);
  });
  it("has as many test rows as asked for, each value within one of its share", () =>
    fc.assert(
      fc.asyncProperty(
        fc.array(fc.integer({ min: 2, max: 9 }), { minLength: 2, maxLength: 5 }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        fc.nat(),
        async (sizes, share, seed) => {
          const rows = sizes.flatMap((n, label) => Array.from({ length: n }, (_, i): Row => ({ label, i })));
          const testSize = Math.round(sizes.length + share * (rows.length - 2 * sizes.length));
          const [train = [], test = []] = await parts({ testSize, seed, stratifyByColumn: "label" }, rows);
          assert.deepEqual([train.length, test.length], [rows.length - testSize, testSize]);
          sizes.forEach((n, label) => {
            const count = test.filter((r) => r.label === label).length;
            assert.ok(Math.abs(count - testSize * n / rows.length) < 1, `${count} of ${n}`);
          });
        },
      ),
      { numRuns: 30 },
    ));
  it("rounds a share up and takes a quarter by default, as Hugging Face does", async () => {
    assert.deepEqual((await parts({})).map((p) => p.length), [9, 3]);
    assert.deepEqual((await parts({ testSize: 0.3 })).map((p) => p.length), [8, 4]);
    assert.deepEqual((await parts({ testSize: 5 })).map((p) => p.length), [7, 5]);
  });
  it("refuses parts that would be empty, columns that are missing, values that are too rare", async () => {
    for (const testSize of [12, 13]) {
      await assert.rejects(parts({ testSize }), { code: "BAD_VALUE", message: /testSize/ });
    }
    for (const testSize of [0, -1, 1.5, NaN]) await assert.rejects(parts({ testSize }), { code: "BAD_VALUE" });
    await assert.rejects(parts({ stratifyByColumn: "class" }), /row 0: expected a column "class"/);
    await assert.rejects(parts({ stratifyByColumn: "text" }), /at least two rows of each value/);
    await assert.rejects(parts({ stratifyByColumn: "label", testSize: 1 }), /at least 2 rows in each part/);
  });
  it("takes its time from the rows, not from their square", async () => {
    const many = memory({ rows: Array.from({ length: 50_000 }, (_, i) => ({ i })) });
    assert.equal((await split({ source: many, part: "test" }).open(await host())).length, 12_500);
  });
});

describe("shuffle and take", () => {
  it("keep every row, in another order", async () => {
    const shuffled = await read(shuffle({ source, seed: 1 }));
    assert.notDeepEqual(shuffled, rows);
    const place = (row: Row): number => rows.findIndex((r) => r.text === row.text);
    assert.deepEqual([...shuffled].sort((a, b) => place(a) - place(b)), rows);
  });
  it("read no further than they must", async () => {
    let given = 0;
    const counted: Dataset = {
      ...source,
      open: async () => ({
        fingerprint: "f",
        read: async function* () {
          for (const row of rows) yield { row, next: { at: ++given } };
        },
      }),
    };
    assert.deepEqual(await read(take({ source: counted, limit: 2, skip: 1 })), rows.slice(1, 3));
    assert.equal(given, 3);
    assert.deepEqual(await read(take({ source: counted, limit: 0 })), []);
    assert.equal(given, 3);
    assert.deepEqual(await read(take({ source, limit: 99 })), rows);
  });
  it("like split and fold leave rows where they are that can be had by their number", async () => {
    const COUNT = 5000;
    const rowOf = (i: number): Row => ({ i, label: i % 3 });
    let [passed, asked] = [0, 0];
    const large: Dataset = {
      ...source,
      open: async () => ({
        length: COUNT,
        fingerprint: "f",
        where: async (i) => `place ${i}`,
        at: async (indices) => {
          asked += indices.length;
          return indices.map(rowOf);
        },
        read: async function* (from) {
          for (let i = from?.at ?? 0; i < COUNT; i++, passed++) yield { row: rowOf(i), next: { at: i + 1 } };
        },
      }),
    };
    const folded = { source: large, folds: 5, fold: 1, part: "train" } as const;
    for (
      const [dataset, length, passes] of [
        [shuffle({ source: large }), COUNT, 0],
        [take({ source: large, skip: 10, limit: 4000 }), 4000, 0],
        [split({ source: large, part: "test" }), 1250, 0],
        [split({ source: large, part: "train", stratifyByColumn: "label" }), 3750, 1],
        [fold(folded), 4000, 0],
        [fold({ ...folded, group: "i" }), 4000, 1],
      ] as const
    ) {
      [passed, asked] = [0, 0];
      const opened = await dataset.open(await host());
      assert.deepEqual([opened.length, passed, asked], [length, passes * COUNT, 0], dataset.name);
      const places = [length - 1, 0, 7];
      const some = await opened.at?.(places) ?? [];
      assert.equal(asked, 3);
      assert.equal(await opened.where?.(0), `place ${some[1]?.i}`);
      await assert.rejects(async () => await opened.at?.([length]), /a row from 0 to/);
      const all: Row[] = [];
      for await (const { row } of opened.read()) all.push(row);
      assert.deepEqual([new Set(all.map(({ i }) => i)).size, all.length], [length, length]);
      assert.deepEqual(some, places.map((place) => all[place]));
      const behind: Row[] = [];
      for await (const { row } of opened.read({ at: length - 2 })) behind.push(row);
      assert.deepEqual(behind, all.slice(-2));
    }
  });
});

describe("reviews", () => {
  it("are 2,400 and 600 labelled sentences, half of them positive", async () => {
    const [train, all] = [await read(reviews()), await read(reviews({ split: "all" }))];
    assert.deepEqual([train.length, sentences.length, all.length], [2400, 600, 3000]);
    assert.ok(all.every((r) => typeof r.text === "string" && r.text !== ""));
    assert.deepEqual(["negative", "positive"].map((label) => all.filter((r) => r.label === label).length), [
      1500,
      1500,
    ]);
    assert.deepEqual(all.filter((_, i) => i % 5 === 4), sentences);
  });
  it("name the package where it is missing, and its file where that is broken", async () => {
    const without = { ...await host(), packageDirectory: () => undefined };
    await assert.rejects(reviews().open(without), { code: "MISSING", message: /npm install --save-dev sentiment/ });
    const { on } = await hostOf(3, 0x7b);
    await assert.rejects(reviews().open({ ...on, packageDirectory: () => "/p" }), {
      code: "BAD_FILE",
      message: /amazon.json: is not JSON/,
    });
  });
});

it("memory refuses rows that JSON cannot hold", () =>
  assert.rejects(read(memory({ rows: [{ n: 1n }] })), { code: "BAD_VALUE" }));

it("a large file of JSON lines is read anew each time, and its first wrong line is named", async () => {
  const long = "x".repeat(4000);
  const all = Array.from({ length: 4400 }, (_, i) => JSON.stringify({ text: long, label: i }));
  const opened = await jsonl({ path: written("large.jsonl", all.join("\n")) }).open(await host());
  assert.equal(opened.length, all.length);
  for (const from of [undefined, { at: 4398 }]) {
    const values: unknown[] = [];
    for await (const { row, next, where } of opened.read(from)) {
      values.push(row.label);
      if (next.at === 4400) assert.match(where ?? "", /large\.jsonl, line 4400$/);
    }
    assert.deepEqual(values, Array.from({ length: 4400 - (from?.at ?? 0) }, (_, i) => i + (from?.at ?? 0)));
  }
  assert.deepEqual((await opened.at?.([4399, 0, 17]))?.map(({ label }) => label), [4399, 0, 17]);
  assert.match(await opened.where?.(17) ?? "", /large\.jsonl, line 18$/);
  assert.equal(opened.longest?.length, 64);
  const wrong = jsonl({ path: written("wrong.jsonl", [...all, "{"].join("\n")) });
  await assert.rejects(async () => await wrong.open(await host()), /wrong\.jsonl, line 4401: is not JSON/);
  // What begins and ends as an object is found when it is read.
  const within = jsonl({ path: written("within.jsonl", [...all, "{]}"].join("\n")) });
  const late = await within.open(await host());
  assert.equal((await late.at?.([4399]))?.[0]?.label, 4399);
  await assert.rejects(async () => await late.at?.([4400]), /within\.jsonl, line 4401: is not JSON/);
});

it("a file of many columns takes no more than their number", async () => {
  const names = Array.from({ length: 100_000 }, (_, i) => `c${i}`);
  const wide = written("wide.csv", `${names.join()}\n${names.join()}\n`);
  assert.equal((await read(csv({ path: wide })))[0]?.c99999, "c99999");
  const twice = written("twice.csv", `${names.join()},c7\n`);
  await assert.rejects(read(csv({ path: twice })), /names column "c7" twice/);
});
