import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import type { IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { json } from "node:stream/consumers";
import { it } from "node:test";
import { fileURLToPath } from "node:url";
import { compose } from "../../core/spec/compose.ts";
import { predictRows } from "../../core/run/evaluate/infer.ts";
import { openRun } from "../../core/run/open/open.ts";
import { trainRun } from "../../core/run/train/train.ts";
import { storeWithin } from "../../core/files/within.ts";
import type { Json, Named, RunSpec, Store } from "../../core/types.ts";
import { catalog } from "../../plugins/catalog.ts";
import { memory } from "../../plugins/stores/memory.ts";
import { hostHere } from "../../runtimes/host/train.ts";
import { here } from "../faults/killed_runs.ts";
import { tinyRows } from "../tiny.ts";
import type { Told } from "./encoder_page.ts";

const chromium = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"].find((path) =>
  existsSync(path)
);
const skip = here !== "node" ? "the page is built on Node" : chromium === undefined ? "there is no chromium" : false;

type Shown = { ids: number[]; embeddings: number[][]; labels: string[]; metrics: Named<number> };

it("the page has in a browser what Node has: tokens, embeddings, an adapter's classes, metrics", { skip }, async () => {
  const { buildPage, servePage } = await import("../../recipes/browser/build.ts");
  const folder = mkdtempSync(join(tmpdir(), "attune-page-"));
  const plain = await hostHere(1);
  const output = await memory().open(plain);
  const specOf = (task: Json, adapter: readonly Json[]): RunSpec =>
    ({
      version: 1,
      model: { use: "pretrained", with: { path: "attune:base" } },
      task,
      data: { train: { use: "memory", with: { rows: tinyRows.slice(0, 8) } } },
      adapter,
      training: { learningRate: 0.01, maxSteps: 4, perDeviceTrainBatchSize: 4 },
    }) as unknown as RunSpec;
  const task = { use: "sequence-classification", with: { labels: ["bad", "good"] } };
  const run = compose(specOf(task, [{ use: "lora", with: { r: 2 } }]), catalog);
  for await (const _ of trainRun(run, plain, { output }));
  await buildPage(folder);
  for await (const { key } of output.list("adapter/")) {
    mkdirSync(dirname(join(folder, key)), { recursive: true });
    writeFileSync(join(folder, key), (await output.get(key))?.bytes ?? new Uint8Array());
  }
  const server = await servePage(folder, 0);
  try {
    const { port } = server.address() as AddressInfo;
    const dom = await dumped(`http://127.0.0.1:${port}/?adapter=adapter/`, join(folder, "profile"));
    assert.match(dom, /id="status" data-state="done"/, /id="status"[^<]*/.exec(dom)?.[0]);
    const shown = JSON.parse(/id="shown">([^<]*)/.exec(dom)?.[1] ?? "{}") as Shown;
    const field = (id: string): string[] =>
      (new RegExp(`<textarea id="${id}"[^>]*>([^<]*)`).exec(dom)?.[1] ?? "").trim().split("\n");
    const host = {
      ...plain,
      resolve: (path: string) => path,
      directory: (path: string) =>
        (path === "adapter" ? storeWithin(output, "adapter/") : plain.directory?.(path)) as Store,
    };
    const predicted = async (spec: RunSpec, texts: readonly string[]): Promise<Named<Json>[]> => {
      const composed = compose(spec, catalog);
      const data = composed.use("data", { use: "memory", with: { rows: texts.map((text) => ({ text })) } });
      const events: Named<Json>[] = [];
      for await (const prediction of predictRows(await openRun(composed, host), data)) events.push(prediction);
      return events;
    };
    const vectors = await predicted(specOf({ use: "feature-extraction" }, []), field("texts"));
    assert.equal(shown.embeddings.length, vectors.length);
    vectors.forEach(({ embedding }, i) =>
      (embedding as number[]).forEach((x, k) => assert.ok(Math.abs(x - (shown.embeddings[i]?.[k] ?? NaN)) < 1e-5))
    );
    const texts = field("labelled").map((line) => line.slice(line.indexOf(",") + 1).trim());
    const classes = await predicted(specOf(task, [{ use: "lora", with: { from: "adapter" } }]), texts);
    assert.deepEqual(shown.labels, classes.map(({ label }) => label));
    assert.equal(shown.ids.length, 12);
    assert.equal(shown.metrics.accuracy, 0);
  } finally {
    server.close();
    rmSync(folder, { recursive: true, force: true });
  }
});

it("a worker of the page encodes rows beside its steps: the same samples", { skip }, async () => {
  const { build } = await import("esbuild");
  const folder = mkdtempSync(join(tmpdir(), "attune-encoder-page-"));
  const place = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
  for (const [name, call] of [["page", "compare"], ["worker", "encode"]]) {
    const contents = `import { ${call} } from "./encoder_page.ts"; await ${call}();`;
    await build({
      stdin: { contents, resolveDir: place("."), loader: "ts" },
      outfile: join(folder, `${name}.js`),
      bundle: true,
      format: "esm",
      target: "es2022",
      conditions: ["browser"],
      external: ["@nats-io/*"],
      logLevel: "warning",
    });
  }
  cpSync(place("../../plugins/models/base"), join(folder, "base"), { recursive: true });
  writeFileSync(join(folder, "index.html"), '<!doctype html><script type="module" src="page.js"></script>');
  const { servePage } = await import("../../recipes/browser/build.ts");
  const server = await servePage(folder, 0);
  const told = new Promise<Told>((resolve) =>
    server.prependListener("request", (request: IncomingMessage) => {
      if (request.method === "POST") void json(request).then((value) => resolve(value as Told));
    })
  );
  const { port } = server.address() as AddressInfo;
  const child = spawn(chromium ?? "", [
    ...flags,
    `--user-data-dir=${join(folder, "profile")}`,
    "--remote-debugging-port=0",
    `http://127.0.0.1:${port}/`,
  ], { stdio: "ignore" });
  const ended = new Promise((resolve) => child.on("exit", resolve));
  try {
    const { refused, tokens, ...rest } = await Promise.race([
      told,
      ended.then(() => Promise.reject(new Error("The browser has ended"))),
    ]);
    assert.deepEqual(rest, { same: true, rows: 40, afterClose: true });
    assert.ok(tokens > 400, `${tokens} tokens`);
    assert.match(refused, /cannot have/);
  } finally {
    child.kill();
    await ended;
    server.close();
    rmSync(folder, { recursive: true, force: true });
  }
});

const flags = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"];

/** The page's document when its work is done. */
function dumped(url: string, profile: string): Promise<string> {
  const child = spawn(chromium ?? "", [
    ...flags,
    `--user-data-dir=${profile}`,
    "--virtual-time-budget=60000",
    "--dump-dom",
    url,
  ], { stdio: ["ignore", "pipe", "ignore"] });
  let text = "";
  child.stdout.on("data", (part) => (text += part));
  return new Promise((resolve) => child.on("exit", () => resolve(text)));
}
