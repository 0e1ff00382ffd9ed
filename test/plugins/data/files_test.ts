/** Files, folders, patterns, packed files and slices, against files that Hugging Face's `datasets` has written. */
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { unpackBytes } from "../../../blocks/data/unpacked.ts";
import { AttuneError } from "../../../core/base/errors.ts";
import type { Dataset, Host, Row } from "../../../core/types.ts";
import { arrow } from "../../../plugins/data/arrow.ts";
import { csv } from "../../../plugins/data/csv.ts";
import { json } from "../../../plugins/data/json.ts";
import { jsonl } from "../../../plugins/data/jsonl.ts";
import { memory } from "../../../plugins/data/memory.ts";
import { parquet } from "../../../plugins/data/parquet.ts";
import { reviews } from "../../../plugins/data/reviews.ts";
import { text } from "../../../plugins/data/text.ts";
import { hostHere } from "../../../runtimes/host/train.ts";
import { itPasses } from "../../checks.ts";
import { rangesIn } from "../../reference/evaluation/formats.ts";
import { itHolds } from "../../reference/evaluation/mod.ts";
import { heldStore } from "../../tiny.ts";
import { dataChecks, read } from "./read.ts";

const folder = mkdtempSync(join(tmpdir(), "attune-files-"));
const written = (name: string, content: string | Uint8Array): string => {
  mkdirSync(join(folder, name, ".."), { recursive: true });
  writeFileSync(join(folder, name), content);
  return join(folder, name);
};
const fixture = (name: string): string => fileURLToPath(new URL(`../../fixtures/formats/${name}`, import.meta.url));
const rows: Row[] = JSON.parse(readFileSync(fixture("rows.json"), "utf8"));
const host = () => hostHere(1);
const open = async (dataset: Dataset, on?: Host) => await dataset.open(on ?? await host());

/** Zstandard as a frame of blocks that are not compressed (RFC 8878), in a window of 2 ** (10 + exponent) bytes. */
function zstd(content: string | Uint8Array, exponent = 10): Uint8Array {
  const bytes = Buffer.from(content);
  const parts = [Buffer.of(0x28, 0xb5, 0x2f, 0xfd, 0, exponent << 3)];
  for (let at = 0; at === 0 || at < bytes.length; at += 2 ** 17) {
    const block = bytes.subarray(at, at + 2 ** 17);
    const header = (block.length << 3) | Number(at + 2 ** 17 >= bytes.length);
    parts.push(Buffer.of(header & 255, (header >> 8) & 255, header >> 16), block);
  }
  return new Uint8Array(Buffer.concat(parts));
}

const lines = rows.map((row) => JSON.stringify(row)).join("\n");
const packed = written("rows.jsonl.gz", gzipSync(lines));
const names = ["sad", "calm", "glad"];

describe("what datasets has written", () => {
  for (const codec of ["none", "snappy", "gzip", "zstd", "lz4", "brotli"]) {
    it(`Parquet, ${codec}: its rows and the names of its classes`, async () => {
      const dataset = parquet({ path: fixture(`${codec}.parquet`) });
      assert.deepEqual(await read(dataset), rows);
      assert.deepEqual((await open(dataset)).classes, { label: names, tags: ["O", "B"] });
      const narrow = parquet({ path: fixture(`${codec}.parquet`), columns: ["tags"] });
      assert.deepEqual((await open(narrow)).classes, { tags: ["O", "B"] });
    });
  }
  it("Parquet that is encrypted says so, and the columns that are not can be read", async () => {
    const columns = fixture("encrypted.columns.parquet");
    await assert.rejects(
      read(parquet({ path: fixture("encrypted.footer.parquet") })),
      /is encrypted: write it without/,
    );
    await assert.rejects(read(parquet({ path: columns })), /has encrypted columns \(text\): leave them out/);
    assert.deepEqual(await read(parquet({ path: columns, columns: ["label"] })), [{ label: 0 }, { label: 1 }]);
  });
  it("save_to_disk, in shards and in splits", async () => {
    const saved = arrow({ path: fixture("saved") });
    assert.deepEqual(await read(saved), rows);
    assert.deepEqual((await open(saved)).classes, { label: names, tags: ["O", "B"] });
    assert.deepEqual(await read(arrow({ path: fixture("dict") })), rows.slice(0, 10));
    assert.deepEqual(await read(arrow({ path: fixture("dict"), split: "test" })), rows.slice(10));
    assert.deepEqual(await read(arrow({ path: fixture("dict"), split: "train[8:]+test[:2]" })), rows.slice(8, 12));
    assert.deepEqual(await read(arrow({ path: fixture("saved/data-00001-of-00002.arrow") })), rows.slice(7));
    await assert.rejects(read(arrow({ path: fixture("dict"), split: "tset" })), /did you mean "test"/);
  });
  for (
    const [name, every] of [["saved/data-00000-of-00002.arrow", 7], ["lz4.feather", 997], [
      "zstd.feather",
      499,
    ]] as const
  ) {
    it(`a damaged Arrow file gives rows or says what is wrong, whatever bit is flipped: ${name}`, async () => {
      const whole = new Uint8Array(readFileSync(fixture(name)));
      const outcomes = { rows: 0, refused: 0 };
      for (let bit = 0; bit < 8 * whole.length; bit += every) {
        const bytes = whole.slice();
        bytes[bit >> 3] = (bytes[bit >> 3] ?? 0) ^ (1 << (bit & 7));
        const on = { ...await host(), directory: () => heldStore({ "x.arrow": bytes }), names: undefined } as Host;
        await read(arrow({ path: "x.arrow" }), on).then(() => outcomes.rows++, (error) => {
          assert.ok(error instanceof AttuneError, String(error?.stack));
          outcomes.refused++;
        });
      }
      assert.ok(outcomes.rows > 0 && outcomes.refused > 0, JSON.stringify(outcomes));
    });
  }
  it("slices as it counts them", () => {
    const { slices } = JSON.parse(readFileSync(fixture("slices.json"), "utf8"));
    for (const [count, spec, wanted] of slices) {
      // A part that ends before it begins is an error here.
      const backwards = Array.isArray(wanted) && wanted.some(([, from, to]) => from > to);
      if (typeof wanted === "string" || backwards) {
        assert.throws(() => rangesIn(spec, { train: count, eval: 5 }), { name: "AttuneError" }, `${spec} of ${count}`);
      } else assert.deepEqual(rangesIn(spec, { train: count, eval: 5 }), wanted, `${spec} of ${count}`);
    }
  });
});

await itHolds("slices");
await itHolds("formats");

itPasses(
  "packed JSON lines, sliced",
  await dataChecks(
    () => jsonl({ path: packed, split: "train[2:5]+train[-2:]" }),
    [...rows.slice(2, 5), ...rows.slice(-2)],
    () => jsonl({ path: packed, split: "train[3:5]" }),
  ),
);
itPasses(
  "Arrow",
  await dataChecks(() => arrow({ path: fixture("saved") }), rows, () => arrow({ path: fixture("dict") })),
);
itPasses(
  "Arrow, sliced across shards",
  await dataChecks(
    () => arrow({ path: fixture("saved"), split: "train[3:-3]" }),
    rows.slice(3, -3),
    () => arrow({ path: fixture("saved"), split: "train[3:]" }),
  ),
);
const [book, other] = [written("book.txt", "One.\r\n\r\nTwo,\nthree.\n\n\nFour."), written("other.txt", "Five.\n")];
const asRows = (...texts: string[]): Row[] => texts.map((text) => ({ text }));
itPasses(
  "text",
  await dataChecks(() => text({ path: book }), asRows("One.", "Two,", "three.", "Four."), () => text({ path: other })),
);

describe("paths", () => {
  written("many/a.csv", "text,label\na,1\n");
  written("many/b.csv", "text,label\nb,2\n");
  written("many/deep/c.csv.gz", gzipSync("text,label\nc,3\n"));
  written("many/.hidden.csv", "text,label\nh,9\n");
  written("many/notes.md", "no rows\n");
  const letters = async (path: string | string[]): Promise<string> =>
    (await read(csv({ path }))).map((row) => row.text).join("");

  it("are files, lists, patterns and folders, in the order of names", async () => {
    const many = join(folder, "many");
    for (
      const [path, wanted] of [
        [many, "abc"],
        [`${many}/`, "abc"],
        [`${many}/*.csv`, "ab"],
        [`${many}/**/*.csv*`, "abc"],
        [`${many}/{b,a}.csv`, "ab"],
        [`${many}/[!a].csv`, "b"],
        [`${many}/?.csv`, "ab"],
        [[`${many}/b.csv`, `${many}/a.csv`], "ba"],
        [[`${many}/b.csv`, `${many}/deep`], "bc"],
      ] as const
    ) assert.equal(await letters(path as string), wanted, String(path));
    await assert.rejects(letters(`${many}/*.tsv`), { code: "BAD_FILE", message: /no file has this name/ });
    await assert.rejects(letters(`${many}/[b-a].csv`), { code: "BAD_VALUE" });
    await assert.rejects(read(jsonl({ path: many })), /no file that ends in \.jsonl/);
    const odd = written("odd[1].csv", "text\nx\n");
    assert.equal(await letters(odd), "x");
  });
  it("of a folder have splits by their names", async () => {
    const sets = join(folder, "sets");
    written("sets/train.jsonl", '{"n":1}\n{"n":2}');
    written("sets/my-validation.jsonl", '{"n":3}');
    written("sets/test/part.jsonl", '{"n":4}');
    const numbers = async (split?: string): Promise<unknown[]> =>
      (await read(jsonl({ path: sets, ...(split ? { split } : {}) }))).map((row) => row.n);
    assert.deepEqual(await numbers(), [1, 2]);
    assert.deepEqual(await numbers("validation"), [3]);
    assert.deepEqual(await numbers("test+train[-50%:]"), [4, 2]);
    await assert.rejects(numbers("dev"), { code: "UNKNOWN_NAME", message: /unknown split "dev"/ });
    written("shards/data/train-00000-of-00002.jsonl", '{"n":1}');
    written("shards/data/train-00001-of-00002.jsonl", '{"n":2}');
    written("shards/data/unseen-00000-of-00001.jsonl", '{"n":3}');
    const shards = jsonl({ path: join(folder, "shards"), split: "train+unseen" });
    assert.deepEqual((await read(shards)).map((row) => row.n), [1, 2, 3]);
  });
  it("slice every source", async () => {
    const all = Array.from({ length: 10 }, (_, n) => ({ n }));
    assert.deepEqual(await read(memory({ rows: all, split: "train[-2:]+train[:10%]" })), [{ n: 8 }, { n: 9 }, {
      n: 0,
    }]);
    const some = await read(reviews({ split: "test" }));
    assert.deepEqual(await read(reviews({ split: "test[:3]+test[599:]" })), [...some.slice(0, 3), ...some.slice(599)]);
    assert.throws(() => reviews({ split: "validation" as "test" }), { code: "BAD_VALUE", message: /train, test, all/ });
  });
});

describe("content tells", () => {
  it("a list from lines, under either name", async () => {
    const [list, many] = [written("list.jsonl", JSON.stringify(rows, null, 1)), written("lines.json", lines)];
    assert.deepEqual(await read(jsonl({ path: list })), rows);
    assert.deepEqual(await read(json({ path: many })), rows);
    const document = written("document.json", JSON.stringify({ data: { rows } }, null, 2));
    await assert.rejects(read(json({ path: document })), /expected a list of objects.*"data.rows"/);
    assert.deepEqual(await read(json({ path: document, field: "data.rows" })), rows);
  });
  it("how a file is packed, whatever it is called", async () => {
    assert.deepEqual(await read(jsonl({ path: written("packed.jsonl", gzipSync(lines)) })), rows);
    assert.deepEqual(await read(jsonl({ path: written("rows.jsonl.zst", zstd(lines)) })), rows);
    const long = "stone\n".repeat(100_000);
    assert.equal((await read(text({ path: written("long.txt.zst", zstd(long)) }))).length, 100_000);
    assert.equal((await read(text({ path: written("long.txt.gz", gzipSync(long)) }))).length, 100_000);
    // Frames one after the other, some of them to be passed over, and blocks of one byte repeated.
    const over = Buffer.of(0x50, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 9, 9, 9);
    const repeated = Buffer.concat([
      zstd("").subarray(0, 6),
      Buffer.of(2 | (5 << 3), 0, 0, 0x61, 3 | (2 << 3), 0, 0, 0x62),
    ]);
    const several = Buffer.concat([zstd("one\n"), over, repeated, zstd(""), zstd("\ntwo")]);
    assert.deepEqual(await read(text({ path: written("several.txt.zst", several) })), [
      { text: "one" },
      { text: "aaaaabb" },
      { text: "two" },
    ]);
  });
  it("that a packed file is damaged, cut short, or wants too much memory", async () => {
    const bad = (name: string, bytes: Uint8Array) => read(jsonl({ path: written(name, bytes) }));
    const whole = new Uint8Array(gzipSync(lines));
    await assert.rejects(bad("cut.jsonl.gz", whole.slice(0, -40)), {
      code: "BAD_FILE",
      message: /cannot be decompressed \(..+\)/,
    });
    await assert.rejects(bad("cut.jsonl.zst", zstd(lines).slice(0, -40)), { code: "BAD_FILE" });
    await assert.rejects(bad("wide.jsonl.zst", zstd(lines, 31)), { code: "BAD_FILE", message: /window/ });
    const second = Buffer.concat([zstd(`${lines}\n`), zstd(lines, 18)]);
    await assert.rejects(bad("wide-second.jsonl.zst", second), { code: "BAD_FILE", message: /window of 268435456/ });
    const large = Buffer.concat([zstd("").subarray(0, 6), Buffer.of(0xff, 0xff, 0xff)]);
    await assert.rejects(bad("large.jsonl.zst", large), { code: "BAD_FILE", message: /a block of 2097151 bytes/ });
    // 4 bytes that are 128 KiB: 6 GiB of blanks in 200 KB.
    const [beginning, block] = [zstd("", 7).subarray(0, 6), Buffer.of(2, 0, 16, 32)];
    const wide = Buffer.concat([beginning, Buffer.alloc(4 * 50_000, block)]);
    await assert.rejects(bad("bomb.jsonl.zst", wide), { message: /longer than 67108864 bytes/ });
    const bomb = gzipSync(new Uint8Array(300 * 2 ** 20));
    await assert.rejects(read(csv({ path: written("bomb.csv.gz", bomb) })), { message: /longer than 67108864 bytes/ });
    await assert.rejects(bad("bomb.jsonl.gz", bomb), { message: /longer than 67108864 bytes/ });
  });
});

it("a packed file is unpacked as it is read, a block at a time", async () => {
  let [blocks, longest, total] = [0, 0, 0];
  // Four bytes that are 128 KiB of blanks, without end.
  const endless = async function* (): AsyncIterable<Uint8Array> {
    yield zstd("", 7).subarray(0, 6);
    for (;;) yield (blocks++, Buffer.of(2, 0, 16, 32));
  };
  for await (const piece of unpackBytes("text", "endless.zst", endless())) {
    [longest, total] = [Math.max(longest, piece.length), total + piece.length];
    if (total > 64 * 2 ** 20) break;
  }
  assert.ok(longest <= 128 * 2 ** 10, `${longest}`);
  assert.ok(blocks * 128 * 2 ** 10 - total <= 2 ** 20, `${blocks} blocks were read for ${total} bytes`);
});

describe("CSV", () => {
  const first = async (content: string | Uint8Array, options = {}): Promise<Row | undefined> =>
    (await read(csv({ path: written("one.csv", content), ...options })))[0];
  it("finds what stands between values, and says it", async () => {
    for (const mark of [";", "\t", "|"]) {
      const path = written("marks.csv", `text${mark}label\n"a, ${mark} b"${mark}1\nc${mark}2\n`);
      assert.deepEqual(await read(csv({ path })), [{ text: `a, ${mark} b`, label: "1" }, { text: "c", label: "2" }]);
      const { notes } = await open(csv({ path }));
      assert.match(notes?.join() ?? "", /the delimiter is/);
    }
    assert.equal((await open(csv({ path: written("plain.csv", "text,label\na;b,1\n") }))).notes, undefined);
    assert.deepEqual(await first("text\nyes; no\n"), { text: "yes; no" });
  });
  it("passes over lines of blanks, as pandas does", async () => {
    assert.deepEqual(await read(csv({ path: written("blank.csv", "\n \t\ntext,label\n   \na,1\n\t\n") })), [
      { text: "a", label: "1" },
    ]);
    assert.deepEqual(await first("text\n  \n a\n"), { text: " a" });
  });
  it("takes quotes as they are where it is told to", async () => {
    assert.deepEqual(await first('text,label\n"a,1\n', { quoting: 3 }), { text: '"a', label: "1" });
    await assert.rejects(first('text,label\n"a,1\n'), { code: "BAD_FILE" });
  });
  it("says what may be wrong where a file is in another encoding, or names columns twice", async () => {
    const wide = Buffer.from("text,label\na,1\n", "utf16le");
    await assert.rejects(first(wide), { message: /line 1.*"encoding": "utf-16le"/ });
    assert.throws(() => csv({ path: "x.csv", columns: ["a", "a"] }), { message: /each once/ });
    for (const [make, name] of [[jsonl, "wide.jsonl"], [json, "wide.json"]] as const) {
      const path = written(name, Buffer.from('\uFEFF[{"text":"a"}]', "utf16le"));
      await assert.rejects(read(make({ path })), { code: "BAD_FILE", message: /is UTF-16/ });
    }
    for (const path of ["", [""], []]) assert.throws(() => csv({ path }), { code: "BAD_VALUE" });
  });
  it("reads other encodings, by name or by their mark", async () => {
    const latin = Uint8Array.from([...Buffer.from("text\ncaf", "latin1"), 0xe9, 10]);
    assert.deepEqual(await first(latin, { encoding: "latin-1" }), { text: "café" });
    await assert.rejects(first(latin), { message: /is not UTF-8/ });
    const wide = Uint8Array.from([0xff, 0xfe, ...Buffer.from("text\ncafé\n", "utf16le")]);
    assert.deepEqual(await first(wide), { text: "café" });
    assert.throws(() => csv({ path: "x", encoding: "klingon" }), { code: "BAD_VALUE" });
  });
});

it("text comes in lines, paragraphs and whole files", async () => {
  const [lines, paragraphs, documents] = await Promise.all(
    (["line", "paragraph", "document"] as const).map((sampleBy) => read(text({ path: [book, other], sampleBy }))),
  );
  assert.deepEqual(lines, asRows("One.", "Two,", "three.", "Four.", "Five."));
  assert.deepEqual(paragraphs, asRows("One.", "Two,\nthree.", "Four.", "Five."));
  assert.deepEqual(documents, asRows("One.\r\n\r\nTwo,\nthree.\n\n\nFour.", "Five.\n"));
});
