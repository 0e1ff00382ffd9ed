/** `attune data` as people type it, and confident learning against cleanlab's figures. */
import assert from "node:assert/strict";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { describe, it } from "node:test";
import { main } from "../../runtimes/cli/main.ts";
import { labelIssues, rankedIssues } from "../../runtimes/data/label_issues.ts";
import { itHolds } from "../reference/evaluation/mod.ts";

const folder = mkdtempSync(join(tmpdir(), "attune-data-command-"));
const written = (name: string, content: string): string => {
  writeFileSync(join(folder, name), content);
  return join(folder, name);
};
const spec = (name: string, data: object, more = {}): string =>
  written(
    `${name}.json`,
    JSON.stringify({
      version: 1,
      name,
      model: "attune:base",
      task: "sequence-classification",
      data,
      adapter: "lora",
      ...more,
    }),
  );

/** What a command writes, and its exit code. */
async function typed(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  const parts = { out: "", err: "" };
  const { stdout, stderr } = process;
  const before = [stdout.write, stderr.write] as const;
  // What the test runner says meanwhile goes its way: it writes bytes.
  const taking = (key: "out" | "err", stream: NodeJS.WriteStream) => {
    const write = stream.write.bind(stream);
    return (text: string | Uint8Array): boolean => {
      if (typeof text !== "string") return write(text);
      parts[key] += text;
      return true;
    };
  };
  stdout.write = taking("out", stdout) as typeof stdout.write;
  stderr.write = taking("err", stderr) as typeof stderr.write;
  try {
    return { code: await main(args), ...parts };
  } finally {
    [stdout.write, stderr.write] = before;
  }
}

written(
  "train.csv",
  [
    "review;stars",
    "a <b>fine</b> film;good",
    "a fine film;good",
    "dull;bad",
    ";bad",
    "What a long and winding story this was, with no end in sight at all;bad",
    "a good film that stands in both;good",
    "It was a very good film, one of the best of this year, I think.;good",
    "It was a very good film, one of the best of this year, I think!;good",
    "",
  ].join("\n"),
);
written(
  "eval.jsonl",
  ['{"text":"a good film that stands in both","label":"good"}', '{"text":"new","label":"bad"}'].join("\n"),
);
const data = {
  train: {
    use: "csv",
    with: { path: "./train.csv" },
    transforms: [{ use: "map-columns", with: { columns: { text: "review", label: "stars" } } }, {
      use: "clean",
      with: { missing: "drop" },
    }],
  },
  eval: { use: "jsonl", with: { path: "./eval.jsonl" } },
};

describe("attune data", () => {
  it("tells rows, columns, classes, lengths, duplicates, leaks and what transforms did, as lines and as JSON", async () => {
    const path = spec("whole", data, { training: { maxLength: 8 } });
    const { code, out } = await typed("data", path, "--json", "--near");
    assert.equal(code, 0);
    const { train, eval: other, leaks } = JSON.parse(out);
    assert.deepEqual([train.in, train.out, other.out], [8, 7, 2]);
    assert.deepEqual(train.columns.label.values, { good: 5, bad: 2 });
    assert.deepEqual(train.columns.text.types, { string: 7 });
    assert.equal(train.duplicates.rows, 1);
    assert.deepEqual(train.duplicates.first, [{ row: 1, of: 0, text: "a fine film" }]);
    assert.deepEqual(train.nearDuplicates.first.map((one: { row: number; of: number }) => [one.row, one.of]), [[6, 5]]);
    assert.deepEqual(train.transforms[1].dropped, { missing: 1 });
    assert.equal(train.lengths.maxLength, 8);
    assert.ok(train.lengths.cutRows >= 3 && train.lengths.cutTokens > 0, out);
    assert.match(train.notes.join(), /the delimiter is ";"/);
    assert.deepEqual([leaks.eval.rows, leaks.eval.of, leaks.eval.train], [1, 2, 1]);
    const lines = (await typed("data", path)).out;
    for (
      const part of [/data\.train +7 rows of 8/, /clean: .*dropped: 1 missing/, /"good" 71\.4 %/, /1 of 2 rows of eval/]
    ) assert.match(lines, part);
    assert.ok(lines.split("\n").every((line) => line.length <= 100), "lines are no longer than the terminal is wide");
  });
  it("tells rows of other splits that are nearly the same as training rows", async () => {
    const words = Array.from({ length: 30 }, (_, i) => `word${i}`);
    const text = (k: number): string => words.map((word) => `${word}x${k}`).join(" ");
    const train = Array.from({ length: 40 }, (_, k) => ({ text: text(k), label: k % 2 ? "a" : "b" }));
    const near = text(7).replace("word29x7", "end");
    const far = text(8).split(" ").map((word, i) => (i % 3 ? word : "other")).join(" ");
    const other = [{ text: "new", label: "a" }, { text: near, label: "a" }, { text: text(9), label: "a" }, {
      text: text(10),
      label: "a",
    }, { text: far, label: "a" }];
    const memory = (rows: object) => ({ use: "memory", with: { rows } });
    const path = spec("near", { train: memory(train), eval: memory(other) });
    const { leaks } = JSON.parse((await typed("data", path, "--near", "--json")).out);
    // Row 9 of train stands there as it is; the text of row 10 has another label.
    assert.deepEqual([leaks.eval.rows, leaks.eval.near.other, leaks.eval.near.rows], [1, 2, 2]);
    const first = leaks.eval.near.first.map((
      one: { row: number; other: number; similarity: number },
    ) => [one.row, one.other, one.similarity]);
    assert.deepEqual(first, [[7, 1, 27 / 29], [10, 3, 1]]);
    const page = join(folder, "near.html");
    assert.match(
      (await typed("data", path, "--near", "--html", page)).out,
      /near leaks +2 of 5 rows.*train 7 ~ eval 1 +0\.93/s,
    );
    assert.match(readFileSync(page, "utf8"), /Nearly the same/);
    assert.equal(JSON.parse((await typed("data", path, "--json")).out).leaks.eval.near, undefined);
  });
  it("writes the rows as they will be trained, and a page that stands alone", async () => {
    const [out, page] = [join(folder, "out"), join(folder, "pages", "data.html")];
    const { code } = await typed("data", spec("writes", data), "--write", out, "--html", page, "--rows", "3");
    assert.equal(code, 0);
    const rows = readFileSync(join(out, "train.jsonl"), "utf8").trim().split("\n").map((line) => JSON.parse(line));
    assert.deepEqual(rows[0], { text: "a fine film", label: "good" });
    assert.equal(rows.length, 3);
    assert.ok(existsSync(join(out, "eval.jsonl")));
    assert.equal(JSON.parse(readFileSync(join(out, "data.json"), "utf8")).train.out, 3);
    const html = readFileSync(page, "utf8");
    assert.match(html, /<h1 dir="auto">writes<\/h1>/);
    assert.ok(!/<script|https?:\/\//.test(html));
  });
  it("writes over nothing that it was not told to, and over its own source without harm", async () => {
    const home = mkdtempSync(join(folder, "source-"));
    const lines = ["a", "b"].map((label) => `{"text":" ${label}  text","label":"${label}"}\n`);
    writeFileSync(join(home, "train.jsonl"), lines.join(""));
    const source = { use: "jsonl", with: { path: join(home, "train.jsonl") }, transforms: ["clean"] };
    const path = spec("over", { train: source });
    const refused = await typed("data", path, "--write", home);
    assert.deepEqual([refused.code, readFileSync(join(home, "train.jsonl"), "utf8")], [2, lines.join("")]);
    assert.match(refused.err, /is not empty: pass --overwrite to replace its files, or another --write/);
    assert.equal((await typed("data", path, "--write", home, "--overwrite")).code, 0);
    assert.equal(
      readFileSync(join(home, "train.jsonl"), "utf8"),
      lines.join("").replaceAll('" ', '"').replaceAll("  ", " "),
    );
    assert.deepEqual(readdirSync(home).sort(), ["data.json", "train.jsonl"]);
    for (const flag of ["--write", "--html"]) {
      const wrong = await typed("data", path, flag, flag === "--html" ? home : join(home, "train.jsonl"));
      assert.deepEqual([wrong.code, / is a (file|directory): /.test(wrong.err)], [2, true], wrong.err);
    }
    const all = { use: "filter", with: { matches: "zzz" } };
    const gone = spec("gone", {
      train: "./eval.jsonl",
      eval: { use: "jsonl", with: { path: "./eval.jsonl" }, transforms: [all] },
    });
    const empty = / has no rows \(data\.eval\): of 2, filter left out 2 matches/;
    assert.match((await typed("data", gone)).err, empty);
    assert.match((await typed("run", gone, "--output", join(folder, "gone"))).err, empty);
    assert.match((await typed("data", spec("none", {}))).err, /data: a data set \(train, eval or test\) is missing/);
  });
  it("tells shares of labels within lists, and weights that no loss can take", async () => {
    const rows = ["a", "b", "a", "a"].map((label, i) => ({
      text: `row ${i}`,
      labels: i === 2 ? [] : [label, "c"],
      weight: i === 1 ? -1 : 1,
    }));
    const task = { use: "sequence-classification", with: { problemType: "multi-label", labels: ["a", "b", "c"] } };
    const path = spec("lists", { train: { use: "memory", with: { rows } } }, { task });
    const { train } = JSON.parse((await typed("data", path, "--json")).out);
    assert.deepEqual([train.columns.labels.values, train.columns.labels.entries], [{ c: 3, a: 2, b: 1 }, 6]);
    assert.equal(train.unreadable.rows, 1);
    assert.match(train.unreadable.first[0], /row 1, column "weight": expected a finite number of at least 0/);
    assert.match((await typed("data", path)).out, /labels +list .*"c" 50\.0 %, "a" 33\.3 %/);
  });
  it("compares ready-made rows by their tokens", async () => {
    const row = (...input_ids: number[]) => ({ input_ids, labels: 0 });
    const rows = [row(101, 5, 102), row(101, 6, 102), row(101, 5, 102)];
    const other = [row(101, 7, 102), row(101, 6, 102)];
    const task = { use: "sequence-classification", with: { labels: ["a", "b"] } };
    const splits = { train: { use: "memory", with: { rows } }, eval: { use: "memory", with: { rows: other } } };
    const { train, leaks } = JSON.parse((await typed("data", spec("ids", splits, { task }), "--json", "--near")).out);
    assert.deepEqual([train.duplicates.rows, train.nearDuplicates.rows, leaks.eval.rows], [1, 0, 1]);
    assert.equal(leaks.eval.near.other, 0);
  });
  it("shows which tokens are learned", async () => {
    const rows = [{ text: "a fine film with a story" }, { text: "one more film" }];
    const path = spec("tokens", { train: { use: "memory", with: { rows } } }, { task: "masked-lm" });
    const { tokens } = JSON.parse((await typed("data", path, "--tokens", "--json")).out);
    assert.equal(tokens.length, 2);
    const said = tokens[0].tokens.map((token: { text: string }) => token.text).join("");
    assert.match(said, /a fine film with a story/);
    assert.match((await typed("data", path, "--tokens")).out, /learned tokens in \[brackets\]/);
  });
  it("shows classes of tokens behind the tokens", async () => {
    const rows = [{ tokens: ["good", "film"], tags: ["B", "O"] }, { tokens: ["film"], tags: ["O"] }];
    const path = spec("tags", { train: { use: "memory", with: { rows } } }, { task: "token-classification" });
    const { tokens: [first] } = JSON.parse((await typed("data", path, "--tokens", "--json")).out);
    assert.deepEqual(first.tokens.flatMap((one: { text: string; label?: string }) => one.label ?? []), ["B", "O"]);
    assert.match(first.tokens.map(({ text }: { text: string }) => text).join(""), /good film/);
    const page = join(folder, "tags.html");
    assert.match((await typed("data", path, "--tokens", "--html", page)).out, /good\/B\]\[ ?film\/O\]/);
    assert.match(readFileSync(page, "utf8"), /good<sub>B<\/sub>/);
  });
  it("names rows that the task cannot read, and refuses where it can read none", async () => {
    const some = { train: { use: "memory", with: { rows: [{ text: "a", label: "x" }, { text: 7, label: "y" }] } } };
    const { train } = JSON.parse((await typed("data", spec("some", some), "--json")).out);
    assert.equal(train.unreadable.rows, 1);
    const none = { train: { use: "memory", with: { rows: [{ review: "a", label: "x" }] } } };
    const { code, err } = await typed("data", spec("none", none), "--json");
    assert.equal(code, 2);
    assert.match(err, /text/);
  });
  it("judges labels by predictions that were saved, of whichever split they are", async () => {
    const rows = Array.from({ length: 20 }, (_, i) => ({ text: `row ${i}`, label: i % 2 ? "good" : "bad" }));
    const other = rows.slice(0, 10).map(({ text, label }) => ({ text: `other ${text}`, label }));
    const memory = (rows: object) => ({ use: "memory", with: { rows } });
    const path = spec("saved", { train: memory(rows), eval: memory(other) });
    const lines = (of: typeof rows, turned: number): string =>
      of.map(({ label }, row) => {
        const good = (label === "good") === (row !== turned) ? 0.9 : 0.1;
        return JSON.stringify({ row, label, prediction: label, scores: [1 - good, good] }) + "\n";
      }).join("");
    mkdirSync(join(folder, "output", "folds"), { recursive: true });
    // Repeated divisions judge a row several times.
    written("output/folds/predictions.jsonl", lines(rows, 6) + lines(rows, 6));
    const judged = async (...args: string[]) => {
      const { code, out, err } = await typed("data", path, "--json", ...args);
      assert.ok(!/fold 1 of/.test(err), "nothing is trained");
      return { code, err, labels: out === "" ? undefined : JSON.parse(out).labels };
    };
    const { labels: [labels, ...none] } = await judged("--labels", "--predictions", join(folder, "output"));
    assert.deepEqual(none, []);
    assert.deepEqual(labels, {
      split: "train",
      row: 6,
      given: "bad",
      suggested: "good",
      score: labels.score,
      text: "row 6",
    });
    assert.ok(Math.abs(labels.score - 0.1) < 1e-12);
    const ofEval = await judged("--predictions", written("eval.predictions", lines(other, 3)));
    assert.deepEqual([ofEval.labels[0].split, ofEval.labels[0].row], ["eval", 3]);
    const wrong = async (content: string, message: RegExp) => {
      const { code, err } = await judged("--predictions", written("wrong.predictions", content));
      assert.equal(code, 2, err);
      assert.match(err, message);
    };
    await wrong(lines(rows.slice(0, 15), 1), /15 rows match no split: train has 20 rows, eval has 10 rows/);
    await wrong(lines([...rows].reverse(), 1), /train has another label in row 0/);
    await wrong('{"row":0,"label":"bad","scores":[1]}\n', /line 1: lacks row, label or 2 scores/);
    await wrong('{"row":null,"label":"bad","scores":[1,0]}\n', /transforms that drop rows/);
    await wrong(lines(rows, 1).split("\n").slice(3).join("\n"), /no prediction of row 0/);
    assert.match((await judged("--predictions", join(folder, "none"))).err, /has no predictions\.jsonl/);
  });
  it("finds labels that were turned round", async () => {
    const words = { good: ["great", "love", "excellent", "perfect"], bad: ["terrible", "hate", "awful", "worst"] };
    const rows = Array.from({ length: 120 }, (_, i) => {
      const label = i % 2 === 0 ? "good" as const : "bad" as const;
      const word = (k: number): string => words[label][(i + k) % 4] ?? "";
      const other = label === "good" ? "bad" : "good";
      return { text: `${word(0)} ${word(1)} number ${i}`, label: i % 30 === 11 ? other : label };
    });
    const path = spec("turned", { train: { use: "memory", with: { rows } } }, {
      training: { learningRate: 0.003, numTrainEpochs: 3, maxLength: 16 },
    });
    const { labels } = JSON.parse((await typed("data", path, "--labels", "--json")).out);
    const found = labels.map(({ row }: { row: number }) => row);
    assert.deepEqual([...found].sort((a, b) => a - b), [11, 41, 71, 101]);
    assert.equal(labels[0].given === labels[0].suggested, false);
  });
});

describe("confident learning", () => {
  it("leaves rows alone that the model agrees with, and classes of one row", () => {
    const rows = { labels: [0, 0, 1, 1], probabilities: [[0.9, 0.1], [0.1, 0.9], [0.1, 0.9], [0.2, 0.8]] };
    assert.deepEqual(labelIssues(rows), [1]);
    assert.deepEqual(labelIssues({ ...rows, labels: [0, 1, 1, 1] }), []);
    assert.deepEqual(rankedIssues(rows, [0, 1]), [1, 0]);
  });
});
await itHolds("labels");
