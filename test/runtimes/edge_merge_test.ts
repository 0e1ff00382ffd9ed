import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { readSafetensors, writeSafetensors } from "../../core/files/safetensors.ts";
import { f32 } from "../../core/base/tensor.ts";
import type { Json, Named, Store, Tensor } from "../../core/types.ts";
import { listen } from "../../runtimes/host/listen.ts";
import { hostHere } from "../../runtimes/host/train.ts";
import { edgeRig, testJobs, testKeys } from "../edge.ts";
import { heldStore, tinyFiles, tinyWeights } from "../tiny.ts";
import { jsonBytes } from "../../core/base/bytes.ts";

type Failed = { error: { code: string; message: string; param: string | null } };

const path = "bert.encoder.layer.0.attention.self.query";
const floats = (dims: readonly number[], f: (i: number) => number): Tensor => ({
  dtype: "float32",
  dims,
  data: Float32Array.from({ length: dims.reduce((n, d) => n * d, 1) }, (_, i) => f(i)),
});
const config: Named<Json> = { peft_type: "LORA", task_type: "SEQ_CLS", r: 2, lora_alpha: 4, target_modules: [path] };
const tensors = (seed: number): Named<Tensor> => ({
  [`base_model.model.${path}.lora_A.weight`]: floats([2, 16], (i) => Math.sin(i + seed)),
  [`base_model.model.${path}.lora_B.weight`]: floats([16, 2], (i) => Math.cos(i * seed)),
});
const adapter = (seed: number, change: object = {}): Store =>
  heldStore({
    "adapter_config.json": jsonBytes({ ...config, ...change }),
    "adapter_model.safetensors": writeSafetensors(tensors(seed)),
  });
const stores = { "a/one": adapter(1), "a/two": adapter(2), "b/theirs": adapter(3), "a/wide": adapter(1, { r: 3 }) };
const [one, two] = [{ file: "one" }, { file: "two", weight: -0.5 }];

async function asked(rig: ReturnType<typeof edgeRig>, body: unknown, key = "key-a"): Promise<Response> {
  const headers = { authorization: `Bearer ${key}`, "content-type": "application/json" };
  return await rig.app.request("/v1/adapters/merge", { method: "POST", headers, body: JSON.stringify(body) });
}

async function tensorsOf(answer: Response): Promise<Record<string, Tensor>> {
  const bytes = new Uint8Array(await answer.arrayBuffer());
  assert.equal(answer.status, 200, new TextDecoder().decode(bytes));
  assert.equal(answer.headers.get("content-length"), String(bytes.length));
  return readSafetensors(bytes, "merged");
}

/** W + Σ weight · (α / r) · B A, computed plainly. */
function updated(weights: readonly (readonly [seed: number, weight: number])[]): number[] {
  const out = [...(tinyWeights()[`${path}.weight`] as Tensor<Float32Array>).data];
  for (const [seed, weight] of weights) {
    const [a, b] = Object.values(tensors(seed)).map(({ data }) => data as Float32Array);
    for (let i = 0; i < 16; i++) {
      for (let j = 0; j < 16; j++) {
        for (let k = 0; k < 2; k++) {
          out[i * 16 + j] = (out[i * 16 + j] ?? 0) + weight * 2 * (b?.[i * 2 + k] ?? 0) * (a?.[k * 16 + j] ?? 0);
        }
      }
    }
  }
  return out;
}

function near(found: Tensor | undefined, wanted: readonly number[]): void {
  const values = found?.data as Float32Array;
  assert.equal(values.length, wanted.length);
  wanted.forEach((x, i) => assert.ok(Math.abs((values[i] ?? NaN) - x) <= 1e-5, `${i}: ${values[i]} and ${x}`));
}

describe("merging over HTTP", () => {
  it("makes one adapter, which carries its config and is an input again", async () => {
    const jobs = await testJobs();
    const rig = edgeRig({ stores, jobs });
    const answer = await asked(rig, { adapters: [one, two], method: "cat" });
    const bytes = new Uint8Array(await answer.arrayBuffer());
    const found = readSafetensors(bytes, "merged");
    assert.deepEqual(found[`base_model.model.${path}.lora_A.weight`]?.dims, [4, 16]);
    const form = new FormData();
    form.set("purpose", "adapter");
    form.set("file", new Blob([bytes]), "merged.safetensors");
    const headers = { authorization: "Bearer key-a" };
    const sent = await rig.app.request("/v1/files", { method: "POST", headers, body: form });
    const { id } = await sent.json();
    const merged = await tensorsOf(await asked(rig, { adapters: [{ file: id }], base: "tiny" }));
    near(merged[`${path}.weight`], updated([[1, 1], [2, -0.5]]));
    assert.equal((await asked(rig, { adapters: [{ file: id }], base: "tiny" }, "key-b")).status, 404);
  });

  it("makes a whole model with a base", async () => {
    const rig = edgeRig({ stores });
    const base = tinyWeights();
    const merged = await tensorsOf(await asked(rig, { adapters: [one], base: "tiny" }));
    assert.deepEqual(Object.keys(merged).sort(), Object.keys(base).sort());
    near(merged[`${path}.weight`], updated([[1, 1]]));
    for (const [name, { data }] of Object.entries(base)) {
      if (name !== `${path}.weight`) assert.deepEqual(merged[name]?.data, data, name);
    }
    const two_ = await tensorsOf(await asked(rig, { adapters: [one, two], method: "cat", base: "tiny" }));
    near(two_[`${path}.weight`], updated([[1, 1], [2, -0.5]]));
  });

  it("decomposes a sum of updates from its factors, at whatever rank", async () => {
    const rig = edgeRig({ stores });
    for (const svdRank of [4, 9]) {
      const body = { adapters: [one, two], method: "svd", options: { svdRank }, base: "tiny" };
      near((await tensorsOf(await asked(rig, body)))[`${path}.weight`], updated([[1, 1], [2, -0.5]]));
    }
  });

  it("refuses what would make or need more than it may, before it begins", async () => {
    const merged = async (limits: object, body: object): Promise<string> => {
      const answer = await asked(edgeRig({ stores, limits }), { adapters: [one, two], ...body });
      return answer.status === 200 ? "200" : `${answer.status} ${((await answer.json()) as Failed).error.message}`;
    };
    const wide = { method: "svd", options: { svdRank: 16 } };
    assert.equal(await merged({}, wide), "200");
    assert.match(
      await merged({ resultBytes: 2000 }, wide),
      /400 adapters: at most 2000 bytes of a merged adapter, found 2\d{3}/,
    );
    assert.match(await merged({ mergeBytes: 4000 }, wide), /400 .*query: at most 4000 bytes of memory for one module/);
    const dense = { method: "ties_svd", options: { density: 0.5 } };
    assert.equal(await merged({ mergeBytes: 12_000 }, dense), "200");
    assert.match(await merged({ mergeBytes: 8000 }, dense), /400 .*bytes of memory for one module/);
    assert.match(await merged({ steps: 1000 }, dense), /400 .*steps of computation for one module/);
  });

  it("prunes by masks that are given, and by those that a seed draws", async () => {
    const rig = edgeRig({ stores });
    const [a, b] = ["lora_A", "lora_B"].map((part) => `base_model.model.${path}.${part}.weight`);
    const labels = Array.from({ length: 32 }, (_, i) => i % 2);
    const masks = { [String(a)]: [labels, labels], [String(b)]: [labels, labels] };
    const body = { adapters: [one, two], method: "dare_linear", options: { density: 0.5, masks } };
    const found = await tensorsOf(await asked(rig, body));
    assert.ok((found[String(a)]?.data as Float32Array).every((x, i) => (i % 2 === 0) === (x === 0)));
    const drawn = async (seed: number) =>
      (await tensorsOf(await asked(rig, { ...body, options: { density: 0.5, seed } })))[String(a)]?.data;
    assert.deepEqual(await drawn(1), await drawn(1));
    assert.notDeepEqual(await drawn(1), await drawn(2));
    const short = await asked(rig, { ...body, options: { density: 0.5, masks: { [String(a)]: [[1]] } } });
    assert.match(((await short.json()) as Failed).error.message, /masks: .*lora_A/);
    assert.equal(short.status, 400);
  });

  it("keeps the result, and tells how far it is from what was not merged", async () => {
    const jobs = await testJobs();
    const rig = edgeRig({ stores, jobs, host: await hostHere(1) });
    const answer = await asked(rig, { adapters: [one], base: "tiny", verify: true });
    const { file, verify, error } = await answer.json();
    assert.equal(answer.status, 200, JSON.stringify(error));
    assert.ok(verify.maxLogitDifference >= 0 && verify.maxLogitDifference < 1e-4, JSON.stringify(verify));
    const kept = await rig.get(`/v1/files/${file.id}/content`);
    near(readSafetensors(new Uint8Array(await kept.arrayBuffer()), "kept")[`${path}.weight`], updated([[1, 1]]));
    assert.equal((await rig.get(`/v1/files/${file.id}`, "key-b")).status, 404);
  });

  it("refuses before the first byte, by name", async () => {
    const rig = edgeRig({ stores });
    const adapters = [one];
    const cases: readonly (readonly [body: object, status: number, message: RegExp])[] = [
      [{ adapters, base: "none" }, 404, /base: there is no "none"/],
      [{ adapters: [{ file: "theirs" }] }, 404, /adapters.0.file: there is no "theirs"/],
      [{ adapters: [{ file: "../one" }] }, 404, /adapters.0.file/],
      [{ adapters: [{ file: "wide" }], base: "tiny" }, 400, /query: rank: expected 3/],
      [{ adapters: [one, { file: "wide" }] }, 400, /r: expected one rank for linear/],
      [{ adapters: [] }, 400, /adapters/],
      [{ adapters, method: "avarage" }, 400, /method/],
      [{ adapters: [one, two], method: "ties" }, 400, /density/],
      [{ adapters, base: "https://169.254.169.254/model.safetensors" }, 400, /url:/],
      [{ adapters: [{ file: "https://example.org/adapter" }] }, 400, /example.org is not among the hosts/],
      [{ adapters: [{ file: "file:///etc/passwd" }] }, 400, /url:/],
      [{ adapters, options: { masks: { x: [[2]] } } }, 400, /masks/],
      [{ adapters, vreify: true }, 400, /vreify/],
      [{ adapters: [{ ...one, config: { ...config, lora_alpha: "4" } }] }, 400, /lora_alpha/],
      [
        { adapters: [{ ...one, config: { ...config, alpha_pattern: { ["a".repeat(300)]: 1 } } }] },
        400,
        /alpha_pattern/,
      ],
    ];
    for (const [body, status, message] of cases) {
      const answer = await asked(rig, body);
      const { error } = await answer.json() as Failed;
      assert.equal(answer.status, status, error.message);
      assert.match(error.message, message);
    }
  });

  it("reads models by URL from hosts that are allowed, in parts", async () => {
    const files = tinyFiles();
    const ranges: string[] = [];
    const fetch = (async (url: string, init: RequestInit) => {
      const bytes = files[url.replace("https://models.example.org/tiny/", "")];
      if (!bytes) return new Response(null, { status: 404 });
      const range = new Headers(init.headers).get("range") ?? "";
      ranges.push(range);
      const [from = 0, to = 0] = range.replace("bytes=", "").split("-").map(Number);
      const end = Math.min(to + 1, bytes.length);
      const headers = { "content-range": `bytes ${from}-${end - 1}/${bytes.length}`, etag: "1" };
      return new Response(bytes.slice(from, end), { status: 206, headers });
    }) as typeof globalThis.fetch;
    const rig = edgeRig({ stores, fetch, allowUrls: ["models.example.org"] });
    for (const base of ["https://models.example.org/tiny", "https://models.example.org/tiny/model.safetensors"]) {
      near((await tensorsOf(await asked(rig, { adapters: [one], base })))[`${path}.weight`], updated([[1, 1]]));
    }
    assert.ok(ranges.length < 12, ranges.join());
  });

  it("breaks the body off where the base cannot be read on", async () => {
    // More comes than is made before an answer begins.
    const weights = { extra: f32([2 ** 20], Array(2 ** 20).fill(1)), ...tinyWeights() };
    const tiny = heldStore({ ...tinyFiles(), "model.safetensors": writeSafetensors(weights) });
    const { size = 0 } = await tiny.get("model.safetensors", { offset: 0, length: 0 }) ?? {};
    let wasRead = 0;
    const failing: Store = {
      ...tiny,
      // It is whole when it is looked at; then the header comes, and the tensors up to the middle.
      get: async (key, range) => {
        if (key !== "model.safetensors" || !range || range.length < 2 ** 19) return await tiny.get(key, range);
        if (++wasRead === 1) return await tiny.get(key, range);
        if (wasRead > 2) throw new Error("gone");
        return await tiny.get(key, { offset: range.offset, length: Math.floor(size / 2) - range.offset });
      },
    };
    const rig = edgeRig({ stores: { ...stores, failing } });
    const server = await listen((request) => rig.app.fetch(request), { port: 0, hostname: "127.0.0.1" });
    try {
      const headers = { authorization: `Bearer ${testKeys[0]?.key}`, "content-type": "application/json" };
      const body = JSON.stringify({ adapters: [one], base: "failing" });
      // A server may have flushed its headers by then or not: there is never a whole body.
      await assert.rejects(async () => {
        const answer = await fetch(`http://127.0.0.1:${server.port}/v1/adapters/merge`, {
          method: "POST",
          headers,
          body,
        });
        assert.equal(answer.status, 200);
        await answer.arrayBuffer();
      }, (error: Error) => error.name !== "AssertionError");
    } finally {
      await server.close();
    }
  });
});
