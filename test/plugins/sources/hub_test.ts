import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { lstatSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { writeSafetensors } from "../../../core/safetensors.ts";
import type { Host } from "../../../core/types.ts";
import { pretrained } from "../../../plugins/sources/pretrained.ts";
import { hubCache } from "../../../runtimes/hub_cache.ts";
import { hostHere } from "../../../runtimes/train.ts";
import { tinyConfig, tinyTokenizer, tinyWeights } from "../../tiny.ts";

const commit = "c".repeat(40);
const files: Record<string, Uint8Array> = {
  "config.json": new TextEncoder().encode(JSON.stringify(tinyConfig)),
  "tokenizer.json": new TextEncoder().encode(JSON.stringify(tinyTokenizer)),
  "tokenizer_config.json": new TextEncoder().encode("{}"),
  "model.safetensors": writeSafetensors(tinyWeights()),
  "pytorch_model.bin": new Uint8Array(10),
};
const etag = (name: string): string => createHash("sha256").update(files[name] ?? "").digest("hex");

/** The hub's layout: api, resolve with redirects for large files, ranges, tokens. */
async function serve(log: string[], options: { cut?: number } = {}): Promise<{ server: Server; url: string }> {
  const server = createServer((request, response) => {
    log.push(`${request.method} ${request.url}${request.headers.range ? ` ${request.headers.range}` : ""}`);
    const url = request.url ?? "";
    const deny = (status: number): void => void response.writeHead(status).end();
    if (url.includes("/gated/") && request.headers.authorization !== "Bearer good") return deny(401);
    const api = /^\/api\/models\/([\w-]+\/[\w-]+)\/revision\/(.+)$/.exec(url);
    if (api) {
      if (api[1] === "org/none") return deny(404);
      return void response.writeHead(200, { "content-type": "application/json" })
        .end(JSON.stringify({ sha: commit, siblings: Object.keys(files).map((rfilename) => ({ rfilename })) }));
    }
    const name = /\/resolve\/[0-9a-f]{40}\/(.+)$/.exec(url)?.[1] ?? url.slice("/blob/".length);
    const own = files[name];
    if (!own) return deny(404);
    if (url.includes("/resolve/") && name === "model.safetensors") {
      return void response.writeHead(302, {
        location: `/blob/${name}`,
        "x-repo-commit": commit,
        "x-linked-etag": `"${etag(name)}"`,
        "x-linked-size": own.length,
      }).end();
    }
    const from = Number(/bytes=(\d+)-/.exec(request.headers.range ?? "")?.[1] ?? 0);
    const body = own.subarray(from);
    response.writeHead(from > 0 ? 206 : 200, {
      etag: `"${etag(name)}"`,
      "content-length": body.length,
      "x-repo-commit": commit,
    });
    if (request.method === "HEAD") return void response.end();
    if (options.cut && name === "model.safetensors" && from === 0) {
      response.write(body.subarray(0, options.cut));
      return void setTimeout(() => response.destroy(), 20);
    }
    response.end(body);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { server, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
}

async function hostOf(cache: string, env: Record<string, string>): Promise<Host> {
  const own = { HF_HUB_CACHE: cache, ...env };
  return { ...await hostHere(1), env: own, hubCache: hubCache(own) };
}
const folder = (): string => mkdtempSync(join(tmpdir(), "attune-hub-"));

describe("the hub", () => {
  it("is downloaded once, as Python lays it out, and then read offline", async () => {
    const log: string[] = [];
    const { server, url } = await serve(log);
    const cache = folder();
    try {
      const opened = await pretrained({ path: "org/tiny" }).open(await hostOf(cache, { HF_ENDPOINT: url }));
      assert.equal(opened.config.hidden_size, 16);
      assert.deepEqual((await opened.weights.read("classifier.bias")).dims, [2]);
      assert.match(opened.weights.locate("classifier.bias")?.file ?? "", /blobs/);
      assert.ok(!log.some((line) => line.includes("pytorch_model.bin")));
      const repo = join(cache, "models--org--tiny");
      assert.equal(readFileSync(join(repo, "refs/main"), "utf8"), commit);
      assert.ok(lstatSync(join(repo, "snapshots", commit, "model.safetensors")).isSymbolicLink());
      assert.deepEqual(
        new Uint8Array(readFileSync(join(repo, "blobs", etag("model.safetensors")))),
        files["model.safetensors"],
      );
      const requests = log.length;
      await pretrained({ path: `org/tiny@${commit}` }).open(await hostOf(cache, { HF_ENDPOINT: url }));
      assert.equal(log.length, requests + 1);
    } finally {
      server.close();
    }
    const offline = await pretrained({ path: "org/tiny" }).open(await hostOf(cache, { HF_HUB_OFFLINE: "1" }));
    assert.equal(offline.config.model_type, "bert");
    await assert.rejects(
      pretrained({ path: "org/other" }).open(await hostOf(cache, { HF_HUB_OFFLINE: "1" })),
      /HF_HUB_OFFLINE is set/,
    );
    // The server is gone: what was downloaded serves.
    await pretrained({ path: "org/tiny" }).open(await hostOf(cache, { HF_ENDPOINT: url }));
  });

  it("goes on with a download that broke off", async () => {
    const cache = folder();
    const log: string[] = [];
    const { server, url } = await serve(log, { cut: 1000 });
    try {
      await assert.rejects(pretrained({ path: "org/tiny" }).open(await hostOf(cache, { HF_ENDPOINT: url })));
      const opened = await pretrained({ path: "org/tiny" }).open(await hostOf(cache, { HF_ENDPOINT: url }));
      assert.ok(log.some((line) => line.includes("bytes=1000-")), log.join("\n"));
      assert.deepEqual((await opened.weights.read("classifier.weight")).data, tinyWeights()["classifier.weight"]?.data);
    } finally {
      server.close();
    }
  });

  it("says what it lacks: token, repository, safetensors", async () => {
    const { server, url } = await serve([]);
    try {
      const open = async (path: string, env: Record<string, string> = {}) =>
        await pretrained({ path }).open(await hostOf(folder(), { HF_ENDPOINT: url, ...env }));
      await assert.rejects(open("gated/tiny"), /gated or private: set HF_TOKEN/);
      await open("gated/tiny", { HF_TOKEN: "good" });
      await assert.rejects(open("org/none"), /does not exist/);
      await assert.rejects(open("./no/such/dir"), /config.json is missing/);
    } finally {
      server.close();
    }
  });
});

it("a broken config.json is an error that names it", async () => {
  const path = folder();
  writeFileSync(join(path, "config.json"), "{");
  await assert.rejects(pretrained({ path }).open(await hostHere(1)), /config.json: is not JSON/);
});
