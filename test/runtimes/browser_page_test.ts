import assert from "node:assert/strict";
import { build } from "esbuild";
import { execFile, spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { after, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { edgeRig } from "../edge.ts";
import { here } from "../faults/killed_runs.ts";
import { filesOf } from "../worker.ts";
import { heldStore } from "../tiny.ts";

const chromium = ["chromium", "chromium-browser", "google-chrome"].find((name) =>
  spawnSync(name, ["--version"]).status === 0
);
const place = (path: string): string => fileURLToPath(new URL(`../../${path}`, import.meta.url));
// A browser runs the page whoever asks: once is enough.
const skip = here !== "node" ? "Node's turn" : chromium === undefined ? "no chromium is installed" : false;

describe("a page that tokenizes and evaluates", { skip }, () => {
  it("shows what the endpoints answer", async () => {
    const { outputFiles: [script] } = await build({
      entryPoints: [place("recipes/browser/page.ts")],
      bundle: true,
      write: false,
      format: "esm",
    });
    const base = filesOf(place("plugins/sources/base"));
    const files: Record<string, readonly [string, Uint8Array]> = {
      "/": ["text/html", readFileSync(place("recipes/browser/index.html"))],
      "/page.js": ["text/javascript", script?.contents ?? new Uint8Array()],
      "/model/tokenizer.json": ["application/json", base["tokenizer.json"] ?? new Uint8Array()],
      "/model/tokenizer_config.json": ["application/json", base["tokenizer_config.json"] ?? new Uint8Array()],
    };
    const server = createServer((request, answer) => {
      const [type, bytes] = files[request.url ?? ""] ?? ["", undefined];
      answer.writeHead(bytes ? 200 : 404, { "content-type": type }).end(bytes);
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    after(() => server.close());
    const address = server.address();
    const url = `http://127.0.0.1:${typeof address === "object" && address ? address.port : 0}/`;
    const page = await new Promise<string>((resolve, reject) => {
      const args = ["--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=20000", "--dump-dom", url];
      execFile(chromium ?? "", args, { timeout: 60_000 }, (error, text) => (error ? reject(error) : resolve(text)));
    });
    const shown = (id: string): string => new RegExp(`id="${id}">([^<]*)<`).exec(page)?.[1] ?? page;
    const { post } = edgeRig({ stores: { base: heldStore(base) } });
    type Answer = { encodings: [{ inputIds: number[] }]; metrics: object };
    const tokens = await post<Answer>("/v1/tokenize", { tokenizer: "base", input: "A great film." });
    assert.deepEqual(shown("tokens").split(" | ").map((token) => parseInt(token)), tokens.json.encodings[0].inputIds);
    const [predictions, references] = [["good", "bad", "good", "bad"], ["good", "bad", "bad", "bad"]];
    const metrics = ["accuracy", { use: "f1", with: { average: "macro" } }];
    const measured = await post<Answer>("/v1/evaluate", { metrics, predictions, references });
    assert.deepEqual(JSON.parse(shown("metrics")), measured.json.metrics);
  });
});
