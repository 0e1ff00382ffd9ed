/** Data sets of the hub in the layouts that people give them, over a server laid out as the hub. */
import assert from "node:assert/strict";
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { gzipSync } from "node:zlib";
import { hub } from "../../../plugins/data/hub.ts";
import { hubConfig } from "../../../plugins/data/hub/layout.ts";
import { hubCache } from "../../../runtimes/host/hub_cache.ts";
import { hostHere } from "../../../runtimes/host/train.ts";
import type { Host, Row } from "../../../core/types.ts";
import { startHub } from "../models/hub_server.ts";
import { collect } from "../../../core/base/collect.ts";

const folder = mkdtempSync(join(tmpdir(), "attune-hub-layouts-"));
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
type Options = Parameters<typeof hub>[0];

/** Rows of a data set as the hub has these files at `main`, and nothing else. */
async function rowsAt(
  files: Readonly<Record<string, string | Uint8Array>>,
  options: Partial<Options> = {},
): Promise<readonly Row[]> {
  const stored = Object.entries(files).map(([name, content]) =>
    [name, typeof content === "string" ? bytes(content) : content] as const
  );
  const server = await startHub({ files: Object.fromEntries(stored), revisions: ["main", "v1"] });
  try {
    const cache = mkdtempSync(join(folder, "cache-"));
    const env = { HF_HUB_CACHE: cache, HF_HOME: cache, HF_ENDPOINT: server.url };
    const at = async (env: Record<string, string>): Promise<readonly Row[]> => {
      const host: Host = { ...await hostHere(1), env, hubCache: hubCache(env), terminal: undefined };
      return (await collect((await hub({ path: "org/set", ...options }).open(host)).read())).map(({ row }) => row);
    };
    const rows = await at(env);
    assert.deepEqual(await at({ ...env, HF_HUB_OFFLINE: "1" }), rows, "without a network");
    return rows;
  } finally {
    await server.close();
  }
}

const lines = (...texts: readonly string[]): string => texts.map((text) => JSON.stringify({ text }) + "\n").join("");
const texts = (rows: readonly Row[]): unknown[] => rows.map(({ text }) => text);

describe("a data set of the hub that has no Parquet branch", () => {
  it("has the splits that names of files and folders say", async () => {
    const files = {
      "README.md": "# A set\n",
      "train.csv": "text,label\na,0\nb,1\n",
      "dev.csv": "text,label\nc,0\n",
      "picture.png": "",
    };
    assert.deepEqual(await rowsAt(files), [{ text: "a", label: "0" }, { text: "b", label: "1" }]);
    assert.deepEqual(texts(await rowsAt(files, { split: "validation" })), ["c"]);
    assert.deepEqual(texts(await rowsAt(files, { split: "train[:1]+validation" })), ["a", "c"]);
    assert.deepEqual(await rowsAt(files, { columns: ["label"], revision: "v1" }), [{ label: "0" }, { label: "1" }]);
    await assert.rejects(rowsAt(files, { split: "tests" }), /"train", "validation"|train.*validation/);
    const shards = { "data/first-00000-of-00002.jsonl": lines("a"), "data/first-00001-of-00002.jsonl": lines("b") };
    assert.deepEqual(texts(await rowsAt(shards, { split: "first" })), ["a", "b"]);
    assert.deepEqual(texts(await rowsAt({ "test/x.txt": "one\ntwo\n", "training/y.txt": "three\n" })), ["three"]);
  });
  it("has files of any name", async () => {
    const files = { "données #1/Train 100%?.jsonl": lines("a"), "données #1/test.jsonl": lines("b") };
    assert.deepEqual(texts(await rowsAt(files)), ["a"]);
  });
  it("may be packed, a JSON list, or of files that are named after nothing", async () => {
    assert.deepEqual(texts(await rowsAt({ "a.jsonl.gz": gzipSync(lines("a")), "b.jsonl": lines("b") })), ["a", "b"]);
    assert.deepEqual(texts(await rowsAt({ "rows.json": '[{"text":"a"}]' })), ["a"]);
  });
  it("has the configurations and files of its README", async () => {
    const files = {
      "README.md": [
        "---",
        "configs:",
        "- config_name: en",
        "  data_files:",
        "  - split: train",
        '    path: ["en/*.jsonl", "more.jsonl"]',
        "  - split: held_out",
        "    path: en/test/**",
        "- config_name: fr",
        "  data_dir: fr",
        "  default: true",
        "  sep: '|'",
        "dataset_info:",
        "- config_name: fr",
        "  features:",
        "  - name: label",
        "    dtype: {class_label: {names: {'0': bad, '1': good}}}",
        "---",
        "# A set",
      ].join("\n"),
      "en/a.jsonl": lines("a"),
      "en/b.jsonl": lines("b"),
      "en/test/deep/c.jsonl": lines("c"),
      "more.jsonl": lines("d"),
      "fr/train.csv": "text|label\nx,y|1\n",
    };
    assert.deepEqual(texts(await rowsAt(files, { name: "en" })), ["a", "b", "d"]);
    assert.deepEqual(texts(await rowsAt(files, { name: "en", split: "held_out" })), ["c"]);
    assert.deepEqual(await rowsAt(files), [{ text: "x,y", label: "1" }]);
    await assert.rejects(rowsAt(files, { name: "de" }), /configuration "de".*"en", "fr"|en.*fr/);
    await assert.rejects(rowsAt(files, { name: "en", split: "dev" }), /train.*held_out/);
  });
  it("names what is there where nothing can be read", async () => {
    await assert.rejects(rowsAt({ "a.png": "", "b.zip": "" }), /org\/set: has no file with rows.*a\.png, b\.zip/);
    const card = (yaml: string) => ({ "README.md": `---\n${yaml}\n---\n`, "a.csv": "text\na\n" });
    await assert.rejects(
      rowsAt(card("configs:\n- data_files: b.csv")),
      /org\/set\/b\.csv: no file has this name.*a\.csv/,
    );
    await assert.rejects(rowsAt(card("configs:\n- data_files: https://x.org/a.csv")), /files of the repository/);
    await assert.rejects(rowsAt(card("configs:\n- skiprows: 2")), /skiprows.*csv files cannot be read this way/);
    await assert.rejects(rowsAt(card("configs: [")), /README\.md: its head is not YAML/);
    await assert.rejects(rowsAt(card("license: mit"), { revision: "v9" }), /no such revision/);
  });
});

it("Names of classes come along from a README", () => {
  const features = [{ name: "tags", sequence: { class_label: { names: { "0": "O", "1": "B" } } } }];
  const card = { dataset_info: { features } };
  const { classes, format } = hubConfig({ path: "org/set", files: ["a.parquet", "b.csv"], card }, null);
  assert.deepEqual([classes, format], [{ tags: ["O", "B"] }, "parquet"]);
});
