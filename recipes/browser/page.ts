/**
 * The page of this recipe: attune:base in the browser, with the same plugins as in training. No data leaves the
 * machine.
 */
import * as ort from "onnxruntime-web/wasm";
import { compose } from "../../core/spec/compose.ts";
import { measurer } from "../../core/evaluation/metric_accumulator.ts";
import { type AdapterPool, openAdapterPool } from "../../core/inference/adapter_pool.ts";
import type { Catalog, Host, Json, Named, Ort, RunSpec, Store } from "../../core/types.ts";
import { catalog } from "../../plugins/catalog.ts";
import { hf } from "../../plugins/tokenizers/hf.ts";
import { classification } from "../../runtimes/serve/serving_task.ts";
import { detectArtifact } from "../../formats/run/saved.ts";
import { fetchedStore } from "../../runtimes/host/fetched_store.ts";
import { web } from "../../runtimes/host/web.ts";

/** The results that the page shows, also available as JSON to scripts that drive the page. */
type Shown = {
  loadMs: number;
  ids: readonly number[];
  tokens: readonly string[];
  embeddings: readonly (readonly number[])[];
  labels: readonly string[];
  metrics: Named<number | null>;
};

const here = (): string => new URL("./", document.baseURI).href;
const element = <T extends HTMLElement>(id: string): T => document.getElementById(id) as T;
const cell = (row: HTMLTableRowElement, text: string, title = ""): void => {
  const cell = row.insertCell();
  cell.textContent = text;
  cell.title = title;
};

/** The page's host: the base model beside the page, and further folders. */
type PageHost = Host & Readonly<{ base: Store; folders: Map<string, Store> }>;

function openHost(): PageHost {
  ort.env.wasm.wasmPaths = here();
  ort.env.wasm.numThreads = 1;
  const folders = new Map<string, Store>();
  const base = fetchedStore(`${here()}base/`);
  return {
    ...web({ lib: ort as unknown as Ort, base }),
    base,
    folders,
    directory: (path) => folders.get(path) ?? fetchedStore(`${here()}none/`),
  };
}

const openedFor = async (host: PageHost, task: Json): Promise<AdapterPool> =>
  await openAdapterPool(
    compose(
      { version: 1, model: { use: "pretrained", with: { path: "attune:base" } }, task, data: {} } as unknown as RunSpec,
      catalog,
    ),
    host,
  );

const asRows = (texts: readonly string[]): { text: string }[] => texts.map((text) => ({ text }));

/** Returns the labelled sentences of the form, one per line: "label<tab or comma>text". */
function labelled(): { text: string; label: string }[] {
  return element<HTMLTextAreaElement>("labelled").value.split("\n").flatMap((line) => {
    const [, label = "", text = ""] = /^\s*([^\t,]+)[\t,]\s*(.+)$/.exec(line) ?? [];
    return text === "" ? [] : [{ text, label: label.trim() }];
  });
}

/** Returns the cosine of two vectors of length 1. */
const cosine = (a: readonly number[], b: readonly number[]): number =>
  a.reduce((sum, x, i) => sum + x * (b[i] ?? 0), 0);

async function embedded(set: AdapterPool, texts: readonly string[]): Promise<number[][]> {
  const vectors: number[][] = [];
  for await (const { embedding } of set.predict(asRows(texts), [])) vectors.push(embedding as number[]);
  return vectors;
}

/** Returns, for each row, the label of the most similar other row, which needs no classifier. */
async function nearest(set: AdapterPool, rows: readonly { text: string; label: string }[]): Promise<string[]> {
  const vectors = await embedded(set, rows.map((row) => row.text));
  return vectors.map((vector, i) => {
    const others = vectors.map((other, k) => (k === i ? -Infinity : cosine(vector, other)));
    return rows[others.indexOf(Math.max(...others))]?.label ?? "";
  });
}

/** Returns a classifier by a saved adapter, if the page's address names one: `?adapter=path/`. */
async function classifier(host: PageHost): Promise<((texts: readonly string[]) => Promise<string[]>) | undefined> {
  const path = new URL(document.location.href).searchParams.get("adapter");
  if (path === null) return undefined;
  const saved = await detectArtifact(fetchedStore(new URL(path, here()).href));
  const [adapter] = saved?.adapters ?? [];
  if (!adapter) throw new Error(`${path} holds no adapter`);
  host.folders.set("adapter", adapter.files);
  const { task } = await classification({ model: host.base, adapters: [adapter] });
  const set = await openedFor(host, task);
  await set.add("adapter", { use: adapter.use, with: { from: "adapter" } });
  return async (texts) => {
    const names: string[] = [];
    for await (const { label } of set.predict(asRows(texts), "adapter")) names.push(String(label));
    return names;
  };
}

async function main(): Promise<void> {
  const start = performance.now();
  const host = openHost();
  const status = element("status");
  const tokenizer = await hf().open(host.base);
  const set = await openedFor(host, { use: "feature-extraction" });
  const classify = await classifier(host);
  await embedded(set, ["warm"]);
  const loadMs = performance.now() - start;
  const show = async (): Promise<void> => {
    const texts = element<HTMLTextAreaElement>("texts").value.split("\n").filter((line) => line.trim() !== "");
    const [encoding] = tokenizer.encode(texts[0] ?? "");
    const tokens = [...encoding.ids].map((id, i) => {
      const [from = 0, to = 0] = encoding.offsets.subarray(2 * i, 2 * i + 2);
      return to > from ? (texts[0] ?? "").slice(from, to) : tokenizer.decode([id]);
    });
    const strip = element("tokens");
    strip.replaceChildren(...tokens.map((token, i) => {
      const span = document.createElement("span");
      span.textContent = token;
      span.title = String(encoding.ids[i]);
      return span;
    }));
    const began = performance.now();
    const embeddings = await embedded(set, texts);
    const took = performance.now() - began;
    const table = element<HTMLTableElement>("similar");
    table.replaceChildren();
    embeddings.forEach((a, i) => {
      const row = table.insertRow();
      cell(row, texts[i] ?? "");
      for (const b of embeddings) cell(row, cosine(a, b).toFixed(2));
    });
    const rows = labelled();
    const labels = classify ? await classify(rows.map((row) => row.text)) : await nearest(set, rows);
    const metrics = ["accuracy", { use: "f1", with: { average: "macro" } }].map((use) => {
      const { use: name, with: options } = typeof use === "string" ? { use, with: {} } : use;
      const parsed = (catalog as Catalog).metric?.[name]?.parse(options);
      if (!parsed || parsed.issues) throw new Error(`no metric ${name}`);
      return parsed.value;
    });
    const measured = measurer(metrics, { labels: [...new Set([...rows.map((row) => row.label), ...labels])] });
    rows.forEach((row, i) => measured.add({ prediction: labels[i] ?? "", reference: row.label }));
    const results = element<HTMLTableElement>("results");
    results.replaceChildren();
    rows.forEach(({ text, label }, i) => {
      const row = results.insertRow();
      row.className = labels[i] === label ? "right" : "wrong";
      cell(row, text);
      cell(row, label);
      cell(row, labels[i] ?? "");
    });
    const values = measured.compute();
    element("metrics").textContent = Object.entries(values)
      .map(([name, value]) => `${name} ${value === null ? "none" : Number(value).toFixed(3)}`).join(", ");
    const shown: Shown = {
      loadMs,
      ids: [...encoding.ids],
      tokens,
      embeddings,
      labels,
      metrics: values as Shown["metrics"],
    };
    element("shown").textContent = JSON.stringify(shown);
    status.textContent = `attune:base was ready after ${loadMs.toFixed(0)} ms; ${texts.length} sentences took ${
      took.toFixed(0)
    } ms${classify ? "; classes are the adapter's" : "; classes are those of the most similar other sentence"}`;
    status.dataset.state = "done";
  };
  element("again").addEventListener("click", () => void show());
  await show();
}

/** Fills the page, or shows the error. */
export async function showPage(): Promise<void> {
  try {
    await main();
  } catch (error) {
    const status = element("status");
    status.textContent = String(error);
    status.dataset.state = "failed";
  }
}
