/**
 * Lines by their number, beside the same file split in memory; and what a cache does to them, whatever becomes of it.
 */
import assert from "node:assert/strict";
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { cachedJson } from "../../../core/data/cached.ts";
import { createRandom } from "../../../core/math/random.ts";
import { type IndexedLines, type Line, openLines } from "../../../core/data/line_index.ts";
import { orderOfEpoch } from "../../../core/data/sampling.ts";
import type { Store } from "../../../core/types.ts";
import { directoryStore } from "../../../runtimes/host/directory_store.ts";
import { userCache } from "../../../runtimes/host/user_cache.ts";
import { collect } from "../../../core/base/collect.ts";

const folder = mkdtempSync(join(tmpdir(), "attune-lines-"));
after(() => rmSync(folder, { recursive: true }));

const random = createRandom(5);

/** Lines of every kind: short ones and long ones, empty ones, of blanks, of several bytes a character, with either end. */
const text = "\uFEFF" + Array.from({ length: 9000 }, (_, i) => {
  const n = random.bits(i);
  if (n % 17 === 0) return n % 2 ? "" : "  \t";
  if (i === 4321) return "y".repeat(300_000);
  return `${i} ${"äö€𝄞x".repeat(n % 40)}${n % 5 === 0 ? "\r" : ""}`;
}).join("\n");

/** What any reader of lines has. */
const expected: readonly Line[] = text.slice(1).split("\n").map((line, i) => ({ text: line, number: i + 1 }))
  .filter((line) => line.text.trim() !== "");

const opened = async (name: string, cache?: Store): Promise<IndexedLines> =>
  await openLines(
    { plugin: "text", name, store: directoryStore(folder), key: name, identity: join(folder, name) },
    cache,
  );

const all = async (lines: IndexedLines, from = 0): Promise<Line[]> => {
  return await collect(lines.read(from));
};

/** A store that counts what is read of it. */
function counted(store: Store): Store & { reads: number } {
  const own = { ...store, reads: 0 };
  own.get = async (key, range) => {
    own.reads++;
    return await store.get(key, range);
  };
  own.getRanges = async (key, ranges) => {
    own.reads += ranges.length;
    return await store.getRanges?.(key, ranges);
  };
  return own;
}

describe("lines of a file", () => {
  writeFileSync(join(folder, "lines.txt"), text);
  it("are had one after the other from any, and by their numbers, as they stand in the file", async () => {
    const lines = await opened("lines.txt");
    assert.equal(lines.count, expected.length);
    assert.deepEqual(await all(lines), expected);
    assert.deepEqual(await all(lines, 4000), expected.slice(4000));
    assert.deepEqual(await all(lines, expected.length), []);
    const numbers = [0, expected.length - 1, 4000, 4000, 17];
    assert.deepEqual(await lines.at(numbers), numbers.map((i) => expected[i]));
    assert.equal(expected[lines.longest[0] ?? 0]?.text.length, 300_000);
    for (const number of [-1, 0.5, expected.length]) await assert.rejects(lines.at([number]), /a row from 0 to/);
  });
  it("by their number take a read of some thousand bytes each, however many there are", async () => {
    const store = counted(directoryStore(folder));
    const place = { plugin: "text", name: "lines.txt", store, key: "lines.txt", identity: "" };
    const lines = await openLines(place, undefined);
    store.reads = 0;
    await lines.at([8000, 3, 5000, 8000]);
    assert.equal(store.reads, 3);
  });
  it("of a step are read and ordered with the same work however many there are", async () => {
    const LINE = 64;
    /** A file that is made as it is read: lines of 64 bytes with their number. */
    const made = (count: number): Store & { reads: number; bytes: number } => {
      const { getRanges: _, ...rest } = directoryStore(folder);
      const counted: Store & { reads: number; bytes: number } = { ...rest, reads: 0, bytes: 0 };
      const size = count * LINE;
      counted.get = async (key, range) => {
        const { offset, length } = range ?? { offset: 0, length: size };
        const end = Math.min(size, offset + length);
        const [from, to] = [Math.floor(offset / LINE), Math.ceil(end / LINE)];
        const all = Array.from({ length: to - from }, (_, i) => `${String(from + i).padEnd(LINE - 1, "x")}\n`).join("");
        counted.reads++;
        counted.bytes += end - offset;
        const bytes = new TextEncoder().encode(all.slice(offset - from * LINE, end - from * LINE));
        return { key, size, revision: "1", bytes };
      };
      return counted;
    };
    const work = async (count: number) => {
      const store = made(count);
      const lines = await openLines({ plugin: "text", name: "m", store, key: "m", identity: "" }, undefined);
      assert.equal(lines.count, count);
      const order = orderOfEpoch({ count, strategy: "random", batchSize: 16, random: createRandom(5) });
      [store.reads, store.bytes] = [0, 0];
      const steps = 50;
      for (let step = 0; step < steps; step++) {
        const first = Math.floor(count * step / steps);
        const numbers = [...order(first, first + 16)];
        const found = await lines.at(numbers);
        assert.deepEqual(found.map(({ text }) => Number(text.replace(/x+$/, ""))), numbers);
      }
      return { reads: store.reads / steps, bytes: store.bytes / steps };
    };
    const [few, many] = [await work(200_000), await work(2_000_000)];
    assert.ok(few.reads <= 16 && many.reads <= 16, `${few.reads}, ${many.reads} reads a step`);
    assert.ok(many.bytes <= 1.05 * few.bytes, `${few.bytes}, ${many.bytes} bytes a step`);
  });
  it("of a file that changed, or is not UTF-8, are an error that says where", async () => {
    writeFileSync(join(folder, "changed.txt"), text);
    const lines = await opened("changed.txt");
    writeFileSync(join(folder, "changed.txt"), `${text}\nmore`);
    await assert.rejects(lines.at([3]), /changed\.txt.*changed while it was read/);
    const bytes = Uint8Array.from([...new TextEncoder().encode("one\n\ntwo\n"), 0xff, 0xfe, 10]);
    writeFileSync(join(folder, "bytes.txt"), bytes);
    await assert.rejects(all(await opened("bytes.txt")), /bytes\.txt, line 4: is not UTF-8|bytes\.txt, line 4.*UTF-8/);
    await assert.rejects(opened("nowhere.txt"), /does not exist/);
  });
  it("are indexed once: the cache has it for the next, until the file changes", async () => {
    const cache = directoryStore(join(folder, "cache"));
    const first = await opened("lines.txt", cache);
    const store = counted(directoryStore(folder));
    const again = await openLines({
      plugin: "text",
      name: "x",
      store,
      key: "lines.txt",
      identity: join(folder, "lines.txt"),
    }, cache);
    assert.equal(store.reads, 1, "its size and revision alone");
    assert.deepEqual([again.count, again.fingerprint, again.longest], [first.count, first.fingerprint, first.longest]);
    assert.deepEqual(await all(again), expected);
    writeFileSync(join(folder, "lines.txt"), text.replace("17 ", "18 "));
    utimesSync(join(folder, "lines.txt"), 1, 1);
    assert.notEqual((await opened("lines.txt", cache)).fingerprint, first.fingerprint);
    writeFileSync(join(folder, "lines.txt"), text);
  });
  it("are right whatever the cache holds: cut off anywhere, damaged, full, or gone", async () => {
    const [name] = readdirSync(join(folder, "cache", "records"));
    const root = join(folder, "broken");
    mkdirSync(join(root, "records"), { recursive: true });
    const bytes = readFileSync(join(folder, "cache", "records", name ?? ""));
    const cache = directoryStore(root);
    await opened("lines.txt", cache);
    const [own] = readdirSync(join(root, "records"));
    const path = join(root, "records", own ?? "");
    for (const length of [0, 10, 100, bytes.length - 1]) {
      truncateSync(path, length);
      assert.deepEqual(await all(await opened("lines.txt", cache)), expected, `cut at ${length}`);
    }
    for (const at of [3, 40, 400, bytes.length - 9]) {
      const damaged = Uint8Array.from(readFileSync(path));
      damaged[at] = (damaged[at] ?? 0) ^ 1;
      writeFileSync(path, damaged);
      assert.deepEqual(await all(await opened("lines.txt", cache)), expected, `changed at ${at}`);
    }
    const fails = (): never => {
      throw Object.assign(new Error("ENOSPC: no space left on device"), { code: "ENOSPC" });
    };
    const full: Store = { ...cache, get: async () => fails(), put: async () => fails() };
    assert.deepEqual(await all(await opened("lines.txt", full)), expected);
    assert.equal(await cachedJson(full, "x", [1], async () => 7), 7);
  });
});

describe("the user's cache", () => {
  const root = join(folder, "user");
  it("is where the environment says, or nowhere", () => {
    assert.equal(userCache({ ATTUNE_CACHE: "off" }, "linux"), undefined);
    assert.ok(userCache({ ATTUNE_CACHE: root }, "linux"));
    assert.ok(userCache({}, "darwin"));
  });
  it("keeps what JSON can hold, finds it again, and looks again where it is not whole", async () => {
    const cache = userCache({ ATTUNE_CACHE: root }, "linux");
    let looks = 0;
    const find = async (): Promise<unknown> => ({ looks: ++looks });
    assert.deepEqual(await cachedJson(cache, "found", ["a"], find), { looks: 1 });
    assert.deepEqual(await cachedJson(cache, "found", ["a"], find), { looks: 1 });
    assert.deepEqual(await cachedJson(cache, "found", ["b"], find), { looks: 2 });
    for (const name of readdirSync(join(root, "found"))) truncateSync(join(root, "found", name), 50);
    assert.deepEqual(await cachedJson(cache, "found", ["a"], find), { looks: 3 });
    const odd = async (): Promise<unknown> => new Map([[1, ++looks]]);
    assert.deepEqual(await cachedJson(cache, "found", ["map"], odd), new Map([[1, 4]]));
    assert.deepEqual(await cachedJson(cache, "found", ["map"], odd), new Map([[1, 5]]));
    assert.deepEqual(await cachedJson(undefined, "found", ["a"], find), { looks: 6 });
  });
  it("makes room: the least recently used goes, and what a run may be reading stays", async () => {
    for (const range of [undefined, { offset: 10, length: 20 }]) {
      const bounded = join(folder, `bounded ${range?.length}`);
      const cache = userCache({ ATTUNE_CACHE: bounded }, "linux", 3000) as Store;
      for (const [i, name] of ["a", "b", "c"].entries()) {
        await cache.put(`x/${name}`, new Uint8Array(1000));
        const then = Date.now() / 1000 - 100_000 + i;
        utimesSync(join(bounded, "x", name), then, then);
      }
      await cache.get("x/a", range);
      await cache.put("x/d", new Uint8Array(1500));
      assert.deepEqual(readdirSync(join(bounded, "x")).sort(), ["a", "d"]);
      await cache.put("x/e", new Uint8Array(1500));
      assert.deepEqual(readdirSync(join(bounded, "x")).sort(), ["a", "d", "e"]);
    }
  });
  it("looks at all that is there once, and again where a 64th of its room was written", async () => {
    const bounded = join(folder, "bounded rarely");
    const cache = userCache({ ATTUNE_CACHE: bounded }, "linux", 64_000) as Store;
    await cache.put("x/a", new Uint8Array(10));
    writeFileSync(join(bounded, "x", "old"), new Uint8Array(100_000));
    utimesSync(join(bounded, "x", "old"), 1, 1);
    await cache.put("x/b", new Uint8Array(900));
    assert.deepEqual(readdirSync(join(bounded, "x")).sort(), ["a", "b", "old"]);
    await cache.put("x/c", new Uint8Array(100));
    assert.deepEqual(readdirSync(join(bounded, "x")).sort(), ["a", "b", "c"]);
  });
});
