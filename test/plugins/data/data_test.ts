import assert from "node:assert/strict";
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import type { Dataset, Row } from "../../../core/types.ts";
import { csv } from "../../../plugins/data/csv.ts";
import { jsonl } from "../../../plugins/data/jsonl.ts";
import { memory } from "../../../plugins/data/memory.ts";
import { reviews } from "../../../plugins/data/reviews.ts";
import { shuffle } from "../../../plugins/data/shuffle.ts";
import { split } from "../../../plugins/data/split.ts";
import { take } from "../../../plugins/data/take.ts";
import { hostHere } from "../../../runtimes/train.ts";
import { testDataset } from "../../conformance/dataset.ts";

const folder = mkdtempSync(join(tmpdir(), "attune-data-"));
const written = (name: string, text: string): string => {
  writeFileSync(join(folder, name), text);
  return join(folder, name);
};
const host = () => hostHere(1);
const rows: Row[] = Array.from({ length: 12 }, (_, i) => ({ text: `row ${i}`, label: i % 3 === 0 ? "a" : "b" }));
const read = async (dataset: Dataset): Promise<Row[]> => {
  const found: Row[] = [];
  for await (const { row } of (await dataset.open(await host())).read()) found.push(row);
  return found;
};

testDataset("memory", () => memory({ rows }), host, rows);
const lines = written("rows.jsonl", "\uFEFF" + rows.map((r) => JSON.stringify(r)).join("\r\n") + "\n\n");
testDataset("jsonl", () => jsonl({ path: lines }), host, rows);
const table = written("rows.csv", "text,label\n" + rows.map((r) => `"${r.text}",${r.label}`).join("\n") + "\n");
testDataset("csv", () => csv({ path: table }), host, rows);
testDataset("take", () => take({ source: memory({ rows }), limit: 3, skip: 2 }), host, rows.slice(2, 5));

describe("json lines", () => {
  it("say the line that is wrong", async () => {
    await assert.rejects(read(jsonl({ path: written("bad.jsonl", '{"a":1}\n{"a":\n') })), /line 2: is not JSON/);
    await assert.rejects(read(jsonl({ path: written("list.jsonl", "[1]\n") })), /line 1: expected an object/);
    await assert.rejects(read(jsonl({ path: join(folder, "none.jsonl") })), /does not exist/);
  });
  it("keep __proto__ harmless", async () => {
    await read(jsonl({ path: written("proto.jsonl", '{"__proto__":{"polluted":1},"text":"x"}\n') }));
    assert.equal(({} as Record<string, unknown>).polluted, undefined);
  });
});

describe("csv", () => {
  it("knows quotes, line breaks in them, and other delimiters", async () => {
    const path = written("q.tsv", 'text\tn\n"a ""b""\nc"\t1\n');
    assert.deepEqual(await read(csv({ path, delimiter: "\t" })), [{ text: 'a "b"\nc', n: "1" }]);
  });
  it("refuses an open quote and rows of another length", async () => {
    await assert.rejects(read(csv({ path: written("open.csv", 'a,b\n"x,1\n') })), { code: "BAD_FILE" });
    await assert.rejects(read(csv({ path: written("short.csv", "a,b\n1\n") })), { code: "BAD_FILE" });
  });
});

describe("split", () => {
  const parts = async (seed: number) =>
    await Promise.all(
      (["train", "test"] as const).map((part) =>
        read(split({ source: memory({ rows }), part, testSize: 0.25, seed, stratifyByColumn: "label" }))
      ),
    );
  it("divides without loss, keeps shares, and depends on the seed", async () => {
    const [train = [], test = []] = await parts(1);
    assert.equal(train.length + test.length, rows.length);
    assert.deepEqual(new Set([...train, ...test].map((r) => r.text)), new Set(rows.map((r) => r.text)));
    assert.equal(test.filter((r) => r.label === "a").length, 1);
    assert.equal(test.filter((r) => r.label === "b").length, 2);
    assert.deepEqual(await parts(1), [train, test]);
    assert.notDeepEqual(await parts(2), [train, test]);
  });
});

it("shuffle keeps every row, in another order", async () => {
  const found = await read(shuffle({ source: memory({ rows }), seed: 1 }));
  assert.notDeepEqual(found, rows);
  assert.deepEqual(
    [...found].sort((a, b) => rows.findIndex((r) => r.text === a.text) - rows.findIndex((r) => r.text === b.text)),
    rows,
  );
});

it("reviews are 2,400 and 600 labelled sentences", async () => {
  const [train, test] = [await read(reviews({ split: "train" })), await read(reviews({ split: "test" }))];
  assert.deepEqual([train.length, test.length], [2400, 600]);
  assert.deepEqual(new Set(train.map((r) => r.label)), new Set(["negative", "positive"]));
  assert.ok([...train, ...test].every((r) => typeof r.text === "string" && r.text !== ""));
});
