/**
 * A page that tokenizes and evaluates in the browser, with the plugins that training and servers use:
 * `npx esbuild recipes/browser/page.ts --bundle --format=esm --outfile=recipes/browser/page.js`, then serve this folder
 * with a model's tokenizer.json and tokenizer_config.json in `model/`.
 * @module
 */
import { labelNames, measurer, type PlainRow } from "../../core/measure.ts";
import type { Store } from "../../core/types.ts";
import { accuracy } from "../../plugins/metrics/accuracy.ts";
import { f1 } from "../../plugins/metrics/f1.ts";
import { hf } from "../../plugins/tokenizers/hf.ts";

/** What is used of a page. */
type Field = { value: string; textContent: string | null; addEventListener(event: "input", act: () => void): void };
const { document } = globalThis as unknown as { document: { getElementById(id: string): Field } };
const [text, tokens, rows, metrics] = ["text", "tokens", "rows", "metrics"].map((id) =>
  document.getElementById(id)
) as [
  Field,
  Field,
  Field,
  Field,
];

/** Files beside the page. */
const files: Store = {
  get: async (key) => {
    const answer = await fetch(`model/${key}`);
    if (!answer.ok) return undefined;
    const bytes = new Uint8Array(await answer.arrayBuffer());
    return { key, bytes, size: bytes.length, revision: "" };
  },
  put: async () => "conflict",
  delete: async () => "conflict",
  list: async function* () {},
};

const tokenizer = await hf().open(files);

function showTokens(): void {
  const [{ ids, offsets, specialTokensMask }] = tokenizer.encode(text.value);
  const words = Array.from(ids, (id, i) => {
    const part = specialTokensMask[i] ? "·" : text.value.slice(offsets[2 * i], offsets[2 * i + 1]);
    return `${id} ${part}`;
  });
  tokens.textContent = words.join(" | ");
}

function showMetrics(): void {
  const all = rows.value.split("\n").filter((line) => line.trim() !== "").map((line): PlainRow => {
    const [prediction, reference] = line.trim().split(/\s+/);
    return { prediction, reference };
  });
  try {
    const labels = labelNames(all);
    const measured = measurer([accuracy(), f1({ average: "macro" })], labels ? { labels } : {});
    for (const row of all) measured.add(row);
    metrics.textContent = JSON.stringify(measured.compute());
  } catch (error) {
    metrics.textContent = error instanceof Error ? error.message : String(error);
  }
}

text.addEventListener("input", showTokens);
rows.addEventListener("input", showMetrics);
showTokens();
showMetrics();
