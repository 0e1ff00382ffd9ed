/** CSV files and JSON lists that are too large for memory: the same rows as small ones, from any place of the file. */
import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { gzipSync } from "node:zlib";
import { seekable } from "../../../core/data/seekable.ts";
import { createRandom } from "../../../core/math/random.ts";
import type { Host, Row, Rows } from "../../../core/types.ts";
import { csv } from "../../../plugins/data/csv.ts";
import { json } from "../../../plugins/data/json.ts";
import { directoryStore } from "../../../runtimes/host/directory_store.ts";
import { hostHere } from "../../../runtimes/host/train.ts";
import { sampled } from "../../sampled.ts";
import { heldStore } from "../../tiny.ts";
import { collect } from "../../../core/base/collect.ts";

const folder = mkdtempSync(join(tmpdir(), "attune-large-tables-"));
after(() => rmSync(folder, { recursive: true }));
const cache = join(folder, "cache");
const host = async (): Promise<Host> => ({ ...await hostHere(1), cache: directoryStore(cache) });

/** Rows whose texts have all that divides values and records, as long as a file of them is large. */
const COUNT = 24_000;
const texts = [
  'a "quoted" word',
  "two\nlines",
  "three\r\nlines\r\n",
  "plain",
  "",
  ",;|\t",
  "é – 漢字 🙂",
  ' "',
  "x".repeat(600),
];
const rows: Row[] = Array.from({ length: COUNT }, (_, i) => ({
  text: `${texts[i % texts.length]}${i % 4 ? " and more words that fill the line, to make the file large" : ""}`.repeat(
    6,
  ),
  label: String(i),
}));
const places = Array.from({ length: 200 }, (_, i) => (i * 7919) % COUNT);

/** A value as CSV has it. */
const quoted = (value: unknown): string => {
  const text = String(value);
  return /[",;|\t\r\n]/.test(text) || text === "" ? `"${text.replaceAll('"', '""')}"` : text;
};

/** All rows as they come, with their places. */
async function all(opened: Rows): Promise<{ found: Row[]; where: (string | undefined)[] }> {
  const [rows, where]: [Row[], (string | undefined)[]] = [[], []];
  for await (const item of opened.read()) {
    rows.push(item.row);
    where.push(item.where);
  }
  return { found: rows, where };
}

async function isSame(opened: Rows, expected: readonly Row[] = rows): Promise<(string | undefined)[]> {
  const { found, where } = await all(opened);
  assert.equal(found.length, expected.length);
  assert.ok(found.every((row, i) => JSON.stringify(row) === JSON.stringify(expected[i])));
  const source = await seekable(opened, await host());
  assert.equal(source.length, expected.length);
  assert.deepEqual(await source.at(places), places.map((place) => expected[place]));
  for (const place of places.slice(0, 5)) assert.equal(await source.where?.(place), where[place]);
  const from = opened.read({ at: COUNT - 3 });
  const tail = (await collect(from)).map(({ row }) => row);
  assert.deepEqual(tail, expected.slice(-3));
  return where;
}

const textOf = (end: string, delimiter = ",", header = true): string =>
  [
    ...header ? [["text", "label"].join(delimiter)] : [],
    ...rows.map((row) => [row.text, row.label].map(quoted).join(delimiter)),
  ]
    .join(end) + end;

const written = (name: string, content: string | Uint8Array): string => {
  writeFileSync(join(folder, name), content);
  return join(folder, name);
};

describe("a large CSV file", () => {
  it("has its rows at once from any place, by line ends and delimiters of all kinds, once indexed", async () => {
    const forms = sampled(
      [
        ["lf.csv", "\n", ",", {}],
        ["crlf.csv", "\r\n\r\n \t\r\n", ";", {}],
        ["cr.csv", "\r", "||", { delimiter: "||", columns: ["text", "label"] }],
      ] as const,
    );
    for (const [name, end, delimiter, options] of forms) {
      const path = written(name, `\uFEFF${textOf(end, delimiter, !("columns" in options))}`);
      assert.ok(statSync(path).size > 16 * 2 ** 20);
      const opened = await csv({ path, ...options }).open(await host());
      assert.ok(opened.at && opened.length === COUNT, name);
      const where = await isSame(opened);
      // The second text has six line ends within.
      const lines = "columns" in options ? [1, 2, 9] : end === "\n" ? [2, 3, 10] : [4, 7, 16];
      assert.deepEqual(where.slice(0, 3), lines.map((line) => `${path}, line ${line}`), name);
      assert.match(String(opened.notes ?? ""), end.startsWith("\r\n") ? /";"/ : /^$/);
      rmSync(path);
    }
    assert.ok(readdirSync(join(cache, "records")).length === forms.length);
  });
  it("is refused at its first wrong record, by its line, when it is opened", async () => {
    const good = textOf("\n");
    const line = good.split("\n").length;
    const wrong = [
      ["a,b,c\n", /has 3 values for 2 columns/, line],
      ['"a" b,c\n', /Trailing quote/, line],
      ['a,"b\n', /unterminated/, line],
    ] as const;
    for (const [record, message, at] of sampled(wrong)) {
      const path = written("wrong.csv", good + record);
      await assert.rejects(csv({ path }).open(await host()), (error) => {
        assert.match(String(error), message);
        assert.match(String(error), new RegExp(`wrong.csv, line ${at}\\b`));
        return true;
      });
    }
    const path = written("wrong.csv", Buffer.concat([Buffer.from(good), Buffer.of(0xe9, 44, 49, 10)]));
    const opened = await csv({ path }).open(await host());
    await assert.rejects((opened as Required<Rows>).at([COUNT]), /is not UTF-8/);
    await assert.rejects((opened as Required<Rows>).at([COUNT + 1]), /a row from 0 to 24000/);
    assert.equal((await csv({ path, encoding: "latin1" }).open(await host())).length, COUNT + 1);
  });
  it("is written down where it is packed, or in an encoding of several bytes a sign", async () => {
    const contents = [() => gzipSync(textOf("\n")), () => Buffer.from(`\uFEFF${textOf("\r\n")}`, "utf16le")];
    for (const content of sampled(contents, 2)) {
      const path = written("packed.csv", content());
      const opened = await csv({ path }).open(await host());
      assert.ok(opened.at === undefined);
      await isSame(opened);
      rmSync(path);
    }
  });
  it("of other options is another one", async () => {
    const path = written("small.csv", "a,b\n1,2\n");
    const of = async (options: object): Promise<string> =>
      (await csv({ path, ...options }).open(await host())).fingerprint;
    const reads = await Promise.all(
      [{}, { columns: ["b", "a"] }, { columns: ["a", "b"] }, { delimiter: ";" }, { quoting: 3 as const }].map(of),
    );
    assert.equal(new Set(reads).size, reads.length);
    assert.equal(await of({}), reads[0]);
  });
});

describe("a large JSON list", () => {
  const nested: Row[] = rows.map((row, i) => ({ ...row, deep: [{ "]}": `\\"[{${i}` }, [], -1.5e3, null, true] }));
  it("has its rows at once from any place", async () => {
    for (const space of sampled([undefined, 1], 2)) {
      const path = written("list.json", `\uFEFF \n${JSON.stringify(nested, undefined, space)} \n`);
      const opened = await json({ path }).open(await host());
      assert.ok(opened.at && opened.length === COUNT);
      await isSame(opened, nested);
      rmSync(path);
    }
    const path = written("list.json", gzipSync(JSON.stringify(nested)));
    await isSame(await json({ path }).open(await host()), nested);
  });
  it("may stand anywhere within a document", async () => {
    const odd = '\'data": {"rows": [ ]}\\';
    const decoys = { rows: { data: [1, odd, { "data.rows": [] }] }, text: odd, more: [[{ data: {} }]] };
    const document = {
      ...decoys,
      data: { first: [{ rows: [] }], "r\u00f6ws": nested, last: { rows: [{}] } },
      rest: [decoys],
    };
    for (const [space, isPacked] of [[undefined, false], [1, true]] as const) {
      const text = JSON.stringify(document, undefined, space).replace("r\u00f6ws", "r\\u00f6ws");
      const path = written("inside.json", isPacked ? gzipSync(text) : `\uFEFF${text}\n`);
      const opened = await json({ path, field: "data.r\u00f6ws" }).open(await host());
      assert.equal(opened.at === undefined, isPacked);
      const where = await isSame(opened, nested);
      assert.match(String(where[0]), /inside\.json, data\.r\u00f6ws, row 0$/);
    }
    // The same file's other list is another data set.
    const two = written("two.json", JSON.stringify({ a: nested, b: nested.slice(1) }));
    const [a, b] = await Promise.all(
      ["a", "b"].map(async (field) => await json({ path: two, field }).open(await host())),
    );
    assert.deepEqual([a?.length, b?.length], [COUNT, COUNT - 1]);
    assert.notEqual(a?.fingerprint, b?.fingerprint);
  });
  it("that should stand within a document, and does not, is refused as in a small one", async () => {
    const filling = JSON.stringify(nested);
    for (const filled of ["[]", filling]) {
      const wrong = [
        [`{"x": ${filled}}`, /field "data\.rows"/],
        [`{"x": ${filled}, "data": {"row": []}}`, /field "data\.rows"/],
        [`{"x": ${filled}, "data": 5}`, /field "data\.rows"/],
        [`[${filled}]`, /field "data\.rows"/],
        [`{"x": ${filled}, "data": {"rows": {}}}`, /data\.rows.*expected a list of objects/],
        [`{"x": ${filled}, "data": {"rows": [{}, 5]}}`, /data\.rows, row 1.*expected an object/],
        [`{"x": ${filled}, "data": {"rows": [{}]}`, /is not JSON/],
        [`{"x": ${filled}, "data": {"rows": [{}]}} x`, /is not JSON/],
      ] as const;
      for (const [text, message] of filled === "[]" ? wrong : sampled(wrong, 8)) {
        const path = written("wrong.json", text);
        await assert.rejects(
          async () => await json({ path, field: "data.rows" }).open(await host()),
          message,
          text.slice(-40),
        );
      }
    }
  });
  it("is refused where it is none", async () => {
    const good = JSON.stringify(nested).slice(0, -1);
    const wrong = [
      ["", /it ends too early/],
      [",]", /row 24000: is not JSON \(unexpected "\]"\)/],
      ["] x", /unexpected "x"/],
      [', "x"]', /row 24000.*expected an object/],
      [", {]", /row 24000: is not JSON/],
      [", {", /it ends too early/],
      [" {}]", /unexpected "\{"/],
    ] as const;
    for (const [tail, message] of sampled(wrong, 4)) {
      await assert.rejects(json({ path: written("wrong.json", good + tail) }).open(await host()), message, tail);
    }
    const opened = await json({ path: written("wrong.json", `${good}, {"a": 1,}]`) }).open(await host());
    await assert.rejects((opened as Required<Rows>).at([COUNT]), /wrong.json, row 24000: is not JSON/);
  });
});

it("CSV that is read in pieces is what it is in one piece, whatever stands in it", async () => {
  const signs = ["a", "b", ",", ",", '"', '"', "\n", "\r\n", "\r", " ", ";", "é", '""', '","', "\n\n"];
  const random = createRandom(4);
  const base = await hostHere(1);
  const opened = async (bytes: Uint8Array, options: object): Promise<string> => {
    const on = { ...base, directory: () => heldStore({ "x.csv": bytes }) };
    try {
      const { found, where } = await all(await csv({ path: "/x.csv", ...options }).open(on));
      return JSON.stringify([found, where]);
    } catch (error) {
      return String(error);
    }
  };
  let refused = 0;
  // Not each third: options come by threes.
  const cases = sampled(Array.from({ length: 3000 }, (_, i) => i), 4);
  for (const i of cases) {
    const stream = random.fork(i);
    const length = 1 + stream.bits(0) % 14;
    const text = `a,b\n${Array.from({ length }, (_, k) => signs[stream.bits(k + 1) % signs.length]).join("")}`;
    const options = [{ delimiter: "," }, { delimiter: ",", quoting: 3 }, { delimiter: "a,a", columns: ["x"] }][i % 3] ??
      {};
    const bytes = new TextEncoder().encode(text);
    const [whole, pieces] = [await opened(bytes, options), await opened(gzipSync(bytes), options)];
    if (whole.startsWith("[")) assert.equal(pieces, whole, JSON.stringify(text));
    else {
      refused++;
      assert.match(pieces, /^AttuneError/, `${JSON.stringify(text)}: ${whole}`);
    }
  }
  assert.ok(refused > 0.1 * cases.length && refused < 0.83 * cases.length, `${refused} of ${cases.length}`);
});
