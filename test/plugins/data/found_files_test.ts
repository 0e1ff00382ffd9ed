/**
 * Files as they lie on people's disks: behind links, under patterns, of other programs, in other formats than their names say.
 */
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import process from "node:process";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { parquetWriteBuffer } from "hyparquet-writer";
import { concatenatedRows, rowsInMemory } from "../../../blocks/data/mod.ts";
import { spellOut } from "../../../core/spec/plain_names.ts";
import type { Dataset, Row } from "../../../core/types.ts";
import { arrow } from "../../../plugins/data/arrow.ts";
import { csv } from "../../../plugins/data/csv.ts";
import { json } from "../../../plugins/data/json.ts";
import { jsonl } from "../../../plugins/data/jsonl.ts";
import { parquet } from "../../../plugins/data/parquet.ts";
import { text } from "../../../plugins/data/text.ts";
import { hostHere } from "../../../runtimes/host/train.ts";

const folder = mkdtempSync(join(tmpdir(), "attune-found-files-"));
const written = (name: string, content: string | Uint8Array): string => {
  mkdirSync(join(folder, name, ".."), { recursive: true });
  writeFileSync(join(folder, name), content);
  return join(folder, name);
};
const host = await hostHere(1);
const read = async (dataset: Dataset): Promise<Row[]> => {
  const found: Row[] = [];
  for await (const { row } of (await dataset.open(host)).read()) found.push(row);
  return found;
};
const texts = async (dataset: Dataset): Promise<unknown[]> => (await read(dataset)).map((row) => row.text);

describe("links", () => {
  const file = written("elsewhere/rows.csv", "text\na\n");
  mkdirSync(join(folder, "links/deep"), { recursive: true });
  symlinkSync(file, join(folder, "links/deep/there.csv"));
  for (const name of ["up", "again"]) symlinkSync("..", join(folder, "links/deep", name));
  symlinkSync(join(folder, "elsewhere"), join(folder, "links/folder"));
  it("lead to files anywhere", async () => {
    assert.deepEqual(await texts(csv({ path: join(folder, "links/deep/there.csv") })), ["a"]);
  });
  it("that lead back are gone through once", { timeout: 120_000 }, async () => {
    // Else there would be no end to them.
    assert.deepEqual(await texts(csv({ path: join(folder, "links") })), ["a", "a"]);
    assert.deepEqual(await texts(csv({ path: join(folder, "links/**/there.csv") })), ["a"]);
  });
});

it("a pattern may begin with a wildcard: it is one of the working folder", async () => {
  written("here/one.csv", "text\nhere\n");
  const before = process.cwd();
  process.chdir(join(folder, "here"));
  try {
    for (const path of ["*.csv", "**/one.csv", "./*.csv"]) assert.deepEqual(await texts(csv({ path })), ["here"]);
    await assert.rejects(read(csv({ path: "*.tsv" })), /\*\.tsv: no file has this name/);
    assert.equal(relative(folder, process.cwd()).includes(".."), process.platform === "darwin");
  } finally {
    process.chdir(before);
  }
});

it("rows of very many files are found by halving", async () => {
  const parts = Array.from({ length: 3000 }, (_, i) => rowsInMemory(i % 3 === 1 ? [] : [{ i }, { i: -i }], `${i}`));
  const rows = await concatenatedRows(parts);
  const all = parts.flatMap((_, i) => (i % 3 === 1 ? [] : [{ i }, { i: -i }]));
  assert.equal(rows.length, all.length);
  const places = [0, 3999, 1, 2, 2001, 3998, 17];
  assert.deepEqual(await rows.at?.(places), places.map((place) => all[place]));
  for (const wrong of [-1, all.length, 0.5]) await assert.rejects(rows.at?.([wrong]) ?? Promise.resolve());
});

it("a file that is no text is called by its name", async () => {
  const cases: readonly (readonly [string, string, RegExp])[] = [
    ["rows.csv.bz2", "BZh91AY&SY", /bz2: is packed with bzip2: "\.gz" and "\.zst" are unpacked/],
    ["rows.jsonl", "\xFD7zXZ\0\0", /is packed with xz/],
    ["rows.xlsx", "PK\x03\x04\x14\0", /is a ZIP archive, as \.zip and \.xlsx files are/],
    ["rows.txt", "%PDF-1.7", /is a PDF document/],
    ["shard.txt", `0000.txt${"\0".repeat(249)}ustar\0`, /is a tar archive.*WebDataset/],
    ["excel.csv", "text,label\ncaf\xE9,good\n", /is not UTF-8: "csv" reads other encodings.*"cp1252"/],
    ["table.csv", "PAR1\x15\x04", /is a Parquet file: `"use": "parquet"` reads it/],
  ];
  for (const [name, begin, message] of cases) {
    const path = written(name, Uint8Array.from(begin, (sign) => sign.charCodeAt(0)));
    const make = name.endsWith(".txt") ? text : name.endsWith(".jsonl") ? jsonl : csv;
    await assert.rejects(read(make({ path })), { code: "BAD_FILE", message });
  }
  const wide = written("wide.txt", Buffer.from("\uFEFFone\n", "utf16le"));
  await assert.rejects(read(text({ path: wide })), /is UTF-16.*save it as UTF-8/);
  assert.deepEqual(await texts(text({ path: wide, sampleBy: "document" })), ["one\n"]);
  await assert.rejects(
    read(csv({ path: written("excel.csv", "sep=;\r\ntext;label\r\na;1\r\n") })),
    /Excel's line "sep="/,
  );
});

it("numbers that Python writes where JSON has none are nothing, texts of their names stay", async () => {
  const rows = [{ text: 'NaN, \\ "Infinity', score: null, list: [1, null] }, { text: "b", score: null }];
  const [first = "", second = ""] = rows.map((row) => JSON.stringify(row));
  const lines = [first.replace(":null", ": NaN").replace(",null", ",-Infinity"), second.replace("null", "Infinity")];
  assert.deepEqual(await read(jsonl({ path: written("python.jsonl", lines.join("\n")) })), rows);
  assert.deepEqual(await read(json({ path: written("python.json", `[${lines.join(",")}]`) })), rows);
  await assert.rejects(read(jsonl({ path: written("wrong.jsonl", '{"text": NaNs}') })), /line 1: is not JSON/);
});

describe("tables of other programs", () => {
  const polars = fileURLToPath(new URL("../../fixtures/formats/polars.arrow", import.meta.url));
  it("as Polars writes them, with lists of numbers as lists", async () => {
    assert.deepEqual(await read(arrow({ path: polars })), [
      { text: "one", kind: "x", input_ids: [1, 2], labels: [1, 0] },
      { text: null, kind: "y", input_ids: [3], labels: [0, 1] },
    ]);
  });
  const words = "stone river cloud paper lamp garden winter signal".split(" ");
  const packedRows = Array.from({ length: 500 }, (_, i) => ({
    text: i % 7 === 3 ? null : `row ${i} `.repeat(40),
    number: Number(BigInt(i) * 2654435761n % 2n ** 32n),
    word: words[i % 8],
    list: Array.from({ length: i % 4 }, (_, k) => k),
  }));
  for (const codec of ["lz4", "zstd"]) {
    it(`packed with ${codec}, by Arrow and by Polars`, async () => {
      const file = (name: string): string => fileURLToPath(new URL(`../../fixtures/formats/${name}`, import.meta.url));
      assert.deepEqual(await read(arrow({ path: file(`${codec}.feather`) })), packedRows);
      const numbered = packedRows.map((row, number) => ({ ...row, number }));
      assert.deepEqual(await read(arrow({ path: file(`polars.${codec}.arrow`) })), numbered);
    });
    it(`packed with ${codec}, that claim more than there may be, are refused before they are unpacked`, async () => {
      const bytes = readFileSync(new URL(`../../fixtures/formats/${codec}.feather`, import.meta.url));
      const magic = codec === "lz4" ? [4, 0x22, 0x4d, 0x18] : [0x28, 0xb5, 0x2f, 0xfd];
      // Eight bytes before a frame are the length that it has when it is unpacked.
      const at = bytes.indexOf(Buffer.from(magic)) - 8;
      for (
        const [claim, message] of [[2n ** 40n, /unpacked bytes of a group: 1099511627776/], [
          7n,
          /its header says/,
        ]] as const
      ) {
        bytes.writeBigInt64LE(claim, at);
        await assert.rejects(read(arrow({ path: written(`claim.${codec}.feather`, new Uint8Array(bytes)) })), message);
      }
    });
  }
  it("have every column once", async () => {
    const columnData = ["a", "a"].map((name) => ({ name, type: "STRING" as const, data: ["x"] }));
    const path = written("twice.parquet", new Uint8Array(parquetWriteBuffer({ columnData })));
    await assert.rejects(read(parquet({ path })), /twice\.parquet: has two columns "a"/);
  });
});

it("a name alone says how a file is read", () => {
  const uses = ["./a.csv.zst", "./a.txt", "./a.md.gz", "./a.arrow", "./a.ndjson"].map((path) =>
    spellOut("data", path).use
  );
  assert.deepEqual(uses, ["csv", "text", "text", "arrow", "jsonl"]);
});
