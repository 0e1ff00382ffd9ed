/** JSON documents, Parquet files, data sets of the hub, mixtures. */
import assert from "node:assert/strict";
import { existsSync, mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { parquetWriteBuffer } from "hyparquet-writer";
import { AttuneError } from "../../../core/base/errors.ts";
import type { Host, Row } from "../../../core/types.ts";
import { hub } from "../../../plugins/data/hub.ts";
import { json } from "../../../plugins/data/json.ts";
import { memory } from "../../../plugins/data/memory.ts";
import { mix } from "../../../plugins/data/mix.ts";
import { parquet } from "../../../plugins/data/parquet.ts";
import { hubCache } from "../../../runtimes/host/hub_cache.ts";
import { hostHere } from "../../../runtimes/host/train.ts";
import { heldStore } from "../../tiny.ts";
import { itPasses } from "../../checks.ts";
import { commit, type HubServer, startHub } from "../models/hub_server.ts";
import { dataChecks, read } from "./read.ts";

const folder = mkdtempSync(join(tmpdir(), "attune-tables-"));
const written = (name: string, content: string | Uint8Array): string => {
  writeFileSync(join(folder, name), content);
  return join(folder, name);
};
const host = () => hostHere(1);
const rows: Row[] = Array.from({ length: 25 }, (_, i) => ({ text: `row ${i}`, label: i % 3, score: i / 4 }));

/** Rows as a Parquet file, seven to a group. */
function table(of: readonly Row[]): Uint8Array {
  const column = (name: string, type: "STRING" | "INT64" | "DOUBLE") => ({
    name,
    type,
    data: of.map((row) => (type === "INT64" ? BigInt(Number(row[name])) : row[name])),
  });
  const columnData = [column("text", "STRING"), column("label", "INT64"), column("score", "DOUBLE")];
  return new Uint8Array(parquetWriteBuffer({ columnData, rowGroupSize: 7 }));
}

const document = written("rows.json", JSON.stringify(rows));
itPasses(
  "json",
  await dataChecks(() => json({ path: document }), rows, () => json({ path: written("one.json", "[{}]") })),
);
const whole = written("rows.parquet", table(rows));
const [head, tail] = [written("a.parquet", table(rows.slice(0, 10))), written("b.parquet", table(rows.slice(10)))];
itPasses("parquet", await dataChecks(() => parquet({ path: whole }), rows, () => parquet({ path: head })));
itPasses(
  "parquet in pieces",
  await dataChecks(() => parquet({ path: [head, tail] }), rows, () => parquet({ path: [tail, head] })),
);
const narrow = rows.map(({ label }) => ({ label }));
itPasses(
  "parquet by column",
  await dataChecks(() => parquet({ path: whole, columns: ["label"] }), narrow, () => parquet({ path: whole })),
);
const [some, others] = [memory({ rows: rows.slice(0, 6) }), memory({ rows: rows.slice(6) })];
for (const stoppingStrategy of ["first_exhausted", "all_exhausted"] as const) {
  const mixture = (seed: number) => () =>
    mix({ sources: [some, others], probabilities: [1, 3], stoppingStrategy, seed });
  itPasses(`mix, ${stoppingStrategy}`, await dataChecks(mixture(1), await read(mixture(1)()), mixture(2)));
}

describe("a JSON document", () => {
  it("may have its list inside, and is refused where it has none", async () => {
    const inside = written("inside.json", JSON.stringify({ version: 1, data: { rows } }));
    assert.deepEqual(await read(json({ path: inside, field: "data.rows" })), rows);
    await assert.rejects(read(json({ path: inside, field: "data.paragraphs" })), /"data.paragraphs"/);
    await assert.rejects(read(json({ path: inside })), /expected a list of objects/);
    await assert.rejects(read(json({ path: written("mixed.json", "[{}, 1]") })), /row 1: expected an object/);
    await assert.rejects(read(json({ path: written("bad.json", "[{]") })), {
      code: "BAD_FILE",
      message: /is not JSON/,
    });
  });
});

describe("Parquet", () => {
  it("has values as JSON does: numbers, lists, nothing, dates; integers that are no exact numbers as text", async () => {
    const columnData = [
      { name: "id", data: [1n, 2n ** 60n], type: "INT64" as const },
      { name: "tags", data: [[0, 1], []], type: "JSON" as const },
      { name: "none", data: [null, "x"], type: "STRING" as const, nullable: true },
      { name: "at", data: [new Date(0), new Date(86400000)], type: "TIMESTAMP" as const },
    ];
    const path = written("values.parquet", new Uint8Array(parquetWriteBuffer({ columnData })));
    assert.deepEqual(await read(parquet({ path })), [
      { id: 1, tags: [0, 1], none: null, at: "1970-01-01T00:00:00.000Z" },
      { id: String(2n ** 60n), tags: [], none: "x", at: "1970-01-02T00:00:00.000Z" },
    ]);
  });
  it("names what is not there, and what is broken", async () => {
    await assert.rejects(read(parquet({ path: join(folder, "none.parquet") })), /none.parquet.*does not exist/);
    await assert.rejects(read(parquet({ path: whole, columns: ["texts"] })), /"texts"|texts/);
    await assert.rejects(read(parquet({ path: written("bad.parquet", "no table at all") })), { code: "BAD_FILE" });
    const cut = table(rows).slice(0, 200);
    await assert.rejects(read(parquet({ path: written("cut.parquet", cut) })), { code: "BAD_FILE" });
    const torn = table(rows);
    torn.fill(255, 4, 60);
    await assert.rejects(read(parquet({ path: written("torn.parquet", torn) })), { name: "AttuneError" });
  });
});

describe("a mixture", () => {
  it("has rows by their sources' shares, each source in order, begun again where others go on", async () => {
    const from = (name: string, count: number) =>
      memory({ rows: Array.from({ length: count }, (_, i) => ({ name, i })) });
    const sources = [from("a", 50), from("b", 3000)];
    const mixed = await read(mix({ sources, probabilities: [1, 4], stoppingStrategy: "all_exhausted" }));
    const of = (name: string): Row[] => mixed.filter((row) => row.name === name);
    assert.ok(Math.abs(of("a").length / mixed.length - 0.2) < 0.03);
    assert.deepEqual(of("a").map((row) => row.i), of("a").map((_, n) => n % 50));
    assert.equal(of("b").length, 3000);
    const short = await read(mix({ sources, probabilities: [1, 4] }));
    assert.equal(short.filter((row) => row.name === "a").length, 50);
    assert.equal(short.at(-1)?.name, "a");
    await assert.rejects(read(mix({ sources: [from("a", 1), from("b", 0)] })), /Source 1 has no rows/);
  });
});

describe("a data set of the hub", () => {
  const files = {
    "default/train/0000.parquet": table(rows.slice(0, 10)),
    "default/train/0001.parquet": table(rows.slice(10)),
    "default/test/0000.parquet": table(rows.slice(0, 3)),
    "extra/partial-train/0000.parquet": table(rows),
    "README.md": new Uint8Array(3),
  };
  const on = async (cache: string, env: Record<string, string>): Promise<Host> => {
    const environment = { HF_HUB_CACHE: cache, HF_HOME: cache, ...env };
    return { ...await host(), env: environment, hubCache: hubCache(environment), terminal: undefined };
  };
  const withHub = async (act: (server: HubServer, cache: string) => Promise<void>): Promise<void> => {
    const server = await startHub({ files });
    try {
      await act(server, mkdtempSync(join(folder, "cache-")));
    } finally {
      await server.close();
    }
  };

  it("is downloaded once, as Python lays it out, and serves without a network", () =>
    withHub(async ({ url, log }, cache) => {
      assert.deepEqual(await read(hub({ path: "org/reviews" }), await on(cache, { HF_ENDPOINT: url })), rows);
      assert.ok(existsSync(join(cache, "datasets--org--reviews/snapshots", commit, "default/train/0001.parquet")));
      assert.ok(existsSync(join(cache, "datasets--org--reviews/refs/refs/convert/parquet")));
      const downloads = () => log.filter((line) => line.includes("/resolve/")).length;
      const before = downloads();
      assert.ok(log.every((line) => !line.includes("test/0000")));
      assert.deepEqual(await read(hub({ path: "org/reviews" }), await on(cache, { HF_ENDPOINT: url })), rows);
      assert.equal(downloads(), before);
      const offline = await on(cache, { HF_ENDPOINT: "http://127.0.0.1:9", HF_HUB_OFFLINE: "1" });
      assert.deepEqual(await read(hub({ path: "org/reviews" }), offline), rows);
      await assert.rejects(read(hub({ path: "org/other" }), offline), { code: "HUB_OFFLINE" });
    }));

  it("names the configurations and splits that there are", () =>
    withHub(async ({ url }, cache) => {
      const at = await on(cache, { HF_ENDPOINT: url });
      assert.deepEqual(await read(hub({ path: "org/reviews", split: "test", columns: ["text"] }), at), [
        { text: "row 0" },
        { text: "row 1" },
        { text: "row 2" },
      ]);
      await assert.rejects(read(hub({ path: "org/reviews", split: "tests" }), at), /did you mean "test"/);
      await assert.rejects(read(hub({ path: "org/reviews", name: "extras" }), at), /did you mean "extra"/);
      await assert.rejects(read(hub({ path: "org/reviews", name: "extra" }), at), /only part of it/);
      await assert.rejects(read(hub({ path: "org/none" }), at), { name: "AttuneError" });
    }));
});

describe("a damaged Parquet file", () => {
  // Values that share a dictionary, packed pages, and rows that lie in several groups.
  const text = Array.from({ length: 40 }, (_, i) => `a film ${i % 3}`);
  const columnData = [{ name: "text", data: text, type: "STRING" as const }, {
    name: "n",
    data: text.map((_, i) => i),
  }];
  for (const compressed of [false, true]) {
    it(`gives rows or says what is wrong, whatever bit is flipped${compressed ? ", compressed" : ""}`, async () => {
      const whole = new Uint8Array(
        parquetWriteBuffer({ columnData, rowGroupSize: 20, codec: compressed ? "SNAPPY" : "UNCOMPRESSED" }),
      );
      const outcomes = { rows: 0, refused: 0 };
      for (let bit = 0; bit < 8 * whole.length; bit++) {
        const bytes = whole.slice();
        bytes[bit >> 3] = (bytes[bit >> 3] ?? 0) ^ (1 << (bit & 7));
        const host = {
          directory: () => heldStore({ "x.parquet": bytes }),
          resolve: (path: string) => path,
        } as unknown as Host;
        try {
          let rows = 0;
          const data = await parquet({ path: "x.parquet" }).open(host);
          for await (const _ of data.read()) assert.ok(++rows <= 40);
          outcomes.rows++;
        } catch (error) {
          assert.ok(error instanceof AttuneError, `bit ${bit}: ${error}`);
          outcomes.refused++;
        }
      }
      assert.ok(outcomes.rows > 100 && outcomes.refused > 100, JSON.stringify(outcomes));
    });
  }
});
