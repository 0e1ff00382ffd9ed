/**
 * Memory of a merge into a large base: `node bench/merge_memory.ts [--python PATH]`.
 *
 * A separate process serves ranges of a 350 MB base and of a LoRA adapter of random weights, and a Worker in workerd
 * merges them. Prints workerd's VmHWM beyond that at rest and, with Python, how far the result is from peft's.
 */
import { build } from "esbuild";
import { Miniflare } from "miniflare";
import { spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  createReadStream,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeSync,
} from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const { values } = parseArgs({
  options: { python: { type: "string" }, serve: { type: "string" }, megabytes: { type: "string", default: "350" } },
});

const PYTHON = `
import sys, torch
from safetensors.torch import load_file
from safetensors import safe_open
folder = sys.argv[1]
base, own = load_file(folder + "/model.safetensors"), load_file(folder + "/adapter_model.safetensors")
class Layer(torch.nn.Module):
    def __init__(self, out, inner):
        super().__init__()
        self.query = torch.nn.Linear(inner, out, bias=False)
import peft
worst = 0
with safe_open(folder + "/merged.safetensors", "pt") as merged:
    assert sorted(merged.keys()) == sorted(base)
    for name, weight in base.items():
        key = "base_model.model." + name.removesuffix(".weight") + ".lora_A.weight"
        if key in own:
            layer = Layer(*weight.shape)
            layer.query.weight.data = weight
            model = peft.get_peft_model(layer, peft.LoraConfig(r=8, lora_alpha=16, target_modules=["query"]))
            wrapped = model.base_model.model.query
            wrapped.lora_A["default"].weight.data = own[key]
            wrapped.lora_B["default"].weight.data = own[key.replace("lora_A", "lora_B")]
            weight = model.merge_and_unload().query.weight
        worst = max(worst, (merged.get_tensor(name) - weight).abs().max().item())
print(worst)
`;

if (values.serve) serve(values.serve);
else await measure();

/** Serves ranges of files. */
function serve(folder: string): void {
  const server = createServer((request, response) => {
    const file = join(folder, request.url?.replaceAll(/[^\w.]/g, "") ?? "");
    const size = statSync(file, { throwIfNoEntry: false })?.size;
    if (size === undefined) return void response.writeHead(404).end();
    const [, from = 0, to = size - 1] = /bytes=(\d+)-(\d+)/.exec(request.headers.range ?? "")?.map(Number) ?? [];
    const end = Math.min(to, size - 1);
    response.writeHead(206, {
      "content-range": `bytes ${from}-${end}/${size}`,
      etag: "1",
      "content-length": end - from + 1,
    });
    createReadStream(file, { start: from, end }).pipe(response);
  });
  server.listen(0, "127.0.0.1", () => {
    const address = server.address();
    process.stdout.write(`${typeof address === "object" && address?.port}\n`);
  });
}

async function measure(): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "attune-merge-"));
  const size = 1024;
  const layers = Math.ceil((Number(values.megabytes) * 2 ** 20 / 4 - 30_000 * size) / (size * size));
  const query = (i: number): string => `encoder.layer.${i}.query`;
  const base = Object.fromEntries([
    ["embeddings.weight", [30_000, size]],
    ...Array.from({ length: layers }, (_, i) => [`${query(i)}.weight`, [size, size]]),
  ]);
  const peaks: Record<string, number[]> = {};
  for (let i = 0; i < layers; i += 2) {
    peaks[`base_model.model.${query(i)}.lora_A.weight`] = [8, size];
    peaks[`base_model.model.${query(i)}.lora_B.weight`] = [size, 8];
  }
  written(join(folder, "model.safetensors"), base);
  written(join(folder, "adapter_model.safetensors"), peaks);
  const config = { peft_type: "LORA", r: 8, lora_alpha: 16 };
  const server = spawn(process.execPath, [fileURLToPath(import.meta.url), "--serve", folder], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const port = Number(await new Promise((resolve) => server.stdout.once("data", resolve)));
  const worker = `
    import { createApp, keysOf } from "./runtimes/serve/app.ts";
    const app = createApp({
      catalog: {}, keys: keysOf({ api: "key" }), models: { names: async () => [], open: async () => undefined },
      allowUrls: ["models.test"], fetch: (url, init) => fetch(url.replace("https://models.test", "http://127.0.0.1:${port}"), init),
    });
    export default { fetch: (request) => app.fetch(request) };`;
  const { outputFiles: [bundle] } = await build({
    stdin: { contents: worker, resolveDir: fileURLToPath(new URL("../", import.meta.url)) },
    bundle: true,
    write: false,
    format: "esm",
    target: "es2022",
    conditions: ["workerd", "worker", "browser"],
    external: ["@nats-io/*"],
  });
  const flare = new Miniflare({
    modules: [{ type: "ESModule", path: "worker.js", contents: bundle?.text ?? "" }],
    compatibilityDate: "2026-04-01",
  });
  try {
    const url = String(await flare.ready).replace(/\/$/, "");
    await (await fetch(`${url}/healthz`)).text();
    const idle = peak();
    const start = performance.now();
    const answer = await fetch(`${url}/v1/adapters/merge`, {
      method: "POST",
      headers: { authorization: "Bearer key", "content-type": "application/json" },
      body: JSON.stringify({
        adapters: [{ file: "https://models.test/adapter_model.safetensors", config }],
        base: "https://models.test/model.safetensors",
      }),
    });
    if (answer.status !== 200) throw new Error(await answer.text());
    const out = openSync(join(folder, "merged.safetensors"), "w");
    const hash = createHash("sha256");
    let bytes = 0;
    for await (const part of answer.body ?? []) {
      writeSync(out, part);
      hash.update(part);
      bytes += part.length;
    }
    const seconds = (performance.now() - start) / 1000;
    const megabytes = (n: number): string => (n / 2 ** 20).toFixed(1);
    console.log(
      `base ${megabytes(statSync(join(folder, "model.safetensors")).size)} MB, merged ${megabytes(bytes)} MB in ${
        seconds.toFixed(1)
      } s`,
    );
    console.log(`workerd's VmHWM: ${megabytes(idle)} MB at rest, ${megabytes(peak() - idle)} MB more after the merge`);
    if (values.python) {
      const { stdout, stderr } = spawnSync(values.python, ["-c", PYTHON, folder], { encoding: "utf8" });
      console.log(`largest difference from peft: ${stdout.trim() || stderr}`);
    }
  } finally {
    await flare.dispose();
    server.kill();
    rmSync(folder, { recursive: true });
  }
}

/** Writes a file of random weights, a megabyte of a tensor at a time. */
function written(file: string, shapes: Readonly<Record<string, number[]>>): void {
  let at = 0;
  const header: Record<string, object> = {};
  for (const [name, shape] of Object.entries(shapes)) {
    const bytes = 4 * shape.reduce((a, b) => a * b, 1);
    header[name] = { dtype: "F32", shape, data_offsets: [at, at + bytes] };
    at += bytes;
  }
  const json = Buffer.from(JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(json.length));
  const out = openSync(file, "w");
  writeSync(out, length);
  writeSync(out, json);
  let state = 1;
  const values = new Float32Array(2 ** 18);
  for (let left = at; left > 0; left -= values.byteLength) {
    for (let i = 0; i < values.length; i++) {
      values[i] = ((state = (state * 1664525 + 1013904223) >>> 0) / 2 ** 31 - 1) * 0.1;
    }
    writeSync(out, new Uint8Array(values.buffer, 0, Math.min(left, values.byteLength)));
  }
}

/** Returns the peak memory of the workerd that this process has started. */
function peak(): number {
  const own = readdirSync("/proc").filter((pid) => {
    try {
      return /^\d+$/.test(pid) &&
        readFileSync(`/proc/${pid}/stat`, "utf8").split(" ").slice(1, 4).join(" ").match(/workerd/) &&
        readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.split(" ")[1] === String(process.pid);
    } catch {
      return false;
    }
  });
  return 1024 *
    Math.max(...own.map((pid) => Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1])));
}
