/** Transforms as a user writes them: in a spec, on the command line. */
import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { main } from "../../runtimes/cli/main.ts";
import { itInPart } from "../sampled.ts";

const some = itInPart(2);

const folder = mkdtempSync(join(tmpdir(), "attune-cli-transforms-"));
const lines = Array.from(
  { length: 30 },
  (_, i) => `"<b>Row</b>  ${i} of a@b.example ",${i % 3 === 0 ? "bad" : "good"},${i % 4}`,
);
writeFileSync(join(folder, "rows.csv"), ["review,stars,shop", ...lines, '"",bad,1'].join("\n") + "\n");
const rows = { use: "csv", with: { path: "./rows.csv" } };
const names = { use: "map-columns", with: { columns: { text: "review", label: "stars", shop: "shop" } } };
const written = (name: string, data: object): string => {
  const spec = {
    version: 1,
    model: "attune:base",
    task: "sequence-classification",
    data,
    adapter: "lora",
    training: { maxSteps: 1, maxLength: 16 },
  };
  writeFileSync(join(folder, name), JSON.stringify(spec));
  return join(folder, name);
};

some("one file becomes three splits, clean and balanced, and data.json says what was done to which row", async () => {
  const transforms = [
    names,
    { use: "clean", with: { missing: "drop" } },
    "redact",
    { use: "split", with: { sizes: { train: 0.6, eval: 0.2, test: 0.2 }, stratify: "stars" } },
    { use: "balance", with: { method: "over" } },
    { use: "reweigh", with: { column: "shop" } },
    { use: "augment", with: { methods: ["typo"] } },
  ];
  const output = join(folder, "out");
  assert.equal(await main(["run", written("spec.json", { train: { ...rows, transforms } }), "--output", output]), 0);
  const report = JSON.parse(readFileSync(join(output, "data.json"), "utf8"));
  const used = (split: string) => report[split].transforms.map(({ use }: { use: string }) => use);
  assert.deepEqual(used("train"), ["split", "map-columns", "clean", "redact", "balance", "reweigh", "augment"]);
  assert.deepEqual(used("eval"), ["split", "map-columns", "clean", "redact"]);
  const { in: before, out, transforms: [divided, , cleaned] } = report.train;
  assert.equal(before, 31);
  assert.equal(divided.out + Object.values<number>(divided.dropped).reduce((a, b) => a + b, 0), 31);
  assert.ok(out > divided.out && cleaned.changed.html > 0 && cleaned.changed.whitespace > 0);
  assert.deepEqual(Object.keys(divided.rows[0]).sort(), ["action", "reason", "row"]);
  // What reads a run's folder sees it, too.
  assert.match(readFileSync(join(output, "report.html"), "utf8"), /<h2>Data<\/h2>[^]*<b>data\.train<\/b> 31 rows/);
  const through = /^Data: 31 rows -> \d+, with the transforms split, map-columns, clean, .*, augment\.$/m;
  assert.match(readFileSync(join(output, "adapter/README.md"), "utf8"), through);
  assert.equal(await main(["export", output, "--format", "hf", "--merge", "--output", join(folder, "merged")]), 0);
  assert.match(readFileSync(join(folder, "merged/README.md"), "utf8"), through);
  // The run's own spec, with everything filled in, is the same run.
  const again = JSON.parse(readFileSync(join(output, "spec.json"), "utf8"));
  assert.deepEqual(Object.keys(again.data), ["train"]);
  assert.equal(await main(["plan", join(output, "spec.json")]), 0);
});

some("what transforms did to the parts of a mixture is told wherever it is told of the mixture's own", async () => {
  const part = (text: string) => ({
    ...rows,
    transforms: [names, { use: "filter", with: { column: "label", equals: text } }],
  });
  const train = { use: "mix", with: { sources: [part("good"), part("bad")], stoppingStrategy: "all_exhausted" } };
  const [spec, output] = [
    written("mixed.json", { train: { ...train, transforms: ["redact"] } }),
    join(folder, "mixed"),
  ];
  assert.equal(await main(["run", spec, "--output", output]), 0);
  const report = JSON.parse(readFileSync(join(output, "data.json"), "utf8")).train;
  const told = report.transforms.map((
    { within, use, in: before, out }: Record<string, unknown>,
  ) => [within, use, before, out]);
  assert.deepEqual(told.slice(0, 4), [
    ["with.sources.0", "map-columns", 31, 31],
    ["with.sources.0", "filter", 31, 20],
    ["with.sources.1", "map-columns", 31, 31],
    ["with.sources.1", "filter", 31, 11],
  ]);
  assert.deepEqual(told[4], [undefined, "redact", report.in, report.out]);
  assert.match(readFileSync(join(output, "report.html"), "utf8"), /with\.sources\.1: filter/);
  assert.match(
    readFileSync(join(output, "adapter/README.md"), "utf8"),
    /^Data: \d+ rows, with .*with\.sources\.1: filter, redact\.$/m,
  );
  const page = join(folder, "mixed.html");
  assert.equal(await main(["data", spec, "--html", page]), 0);
  assert.match(readFileSync(page, "utf8"), /with\.sources\.0: filter: 31 rows -&gt; 20; dropped: 11/);
});

some("what may not be is exit code 2, and nothing is written", async () => {
  const wrong: readonly object[] = [
    { train: rows, eval: { ...rows, transforms: ["balance"] } },
    { train: rows, test: { ...rows, transforms: [{ use: "augment", with: { methods: ["swap"] } }] } },
    { train: { ...rows, transforms: [{ use: "filter", with: { column: "review", matches: "(?<=a" } }] } },
    { train: { ...rows, transforms: [{ use: "map-columns", with: { columns: { text: "revew" } } }] } },
    { train: { ...rows, transforms: [{ use: "clean", with: { lowercas: true } }] } },
    { train: { ...rows, transforms: [names, "clean"] } },
  ];
  for (const [i, data] of wrong.entries()) {
    const output = join(folder, `wrong-${i}`);
    assert.equal(await main(["run", written(`wrong-${i}.json`, data), "--output", output]), 2, JSON.stringify(data));
    assert.ok(!existsSync(join(output, "spec.json")));
  }
});

some("a run whose tags were read from its rows goes on from the spec that it wrote", async () => {
  const tagged = ["O", "B-PER"].map((tag) => JSON.stringify({ tokens: ["a", "Tom"], tags: ["O", tag] }));
  writeFileSync(join(folder, "tags.jsonl"), tagged.join("\n"));
  const train = {
    use: "jsonl",
    with: { path: "./tags.jsonl" },
    transforms: [{ use: "augment", with: { methods: ["typo"] } }],
  };
  const path = join(folder, "tags.json");
  const spec = { version: 1, model: "attune:base", task: "token-classification", adapter: "lora", data: { train } };
  const training = { maxSteps: 1, maxLength: 8, saveStrategy: "steps", saveSteps: 1 };
  writeFileSync(path, JSON.stringify({ ...spec, training }));
  const output = join(folder, "tags");
  assert.equal(await main(["run", path, "--output", output]), 0);
  const written = JSON.parse(readFileSync(join(output, "spec.json"), "utf8"));
  assert.deepEqual(written.task.with.labels, ["B-PER", "O"]);
  assert.equal(await main(["run", join(output, "spec.json"), "--resume", "--set", "training.maxSteps=2"]), 0);
});
