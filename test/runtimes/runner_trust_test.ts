import assert from "node:assert/strict";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { describe, it } from "node:test";
import { storeFailed } from "../../core/base/errors.ts";
import { queueJob } from "../../core/jobs/record.ts";
import { referencesOf } from "../../core/jobs/references.ts";
import type { Json, Named, Store } from "../../core/types.ts";
import { catalog } from "../../plugins/catalog.ts";
import { memory } from "../../plugins/stores/memory.ts";
import { memory as memoryQueue } from "../../plugins/queues/memory.ts";
import { createApp, type Key } from "../../runtimes/serve/app.ts";
import { jobsApp } from "../../runtimes/jobs/jobs_app.ts";
import { scopes } from "../../runtimes/http/route.ts";
import { runRunner } from "../../runtimes/runner/runner.ts";
import { hostHere } from "../../runtimes/host/train.ts";
import { writeSafetensors } from "../../core/files/safetensors.ts";
import { f32 } from "../../core/base/tensor.ts";
import { heldStore, tinyFiles } from "../tiny.ts";
import { until } from "../until.ts";

const host = await hostHere(1);
const people = scopes.filter((scope) => scope !== "runners");
const keys: readonly Key[] = [
  ...["a", "b"].map((tenant) => ({ key: `api-${tenant}`, tenant, scopes: people })),
  ...["a", "b", "b2"].map((name) => ({ key: `runner-${name}`, tenant: name[0] ?? "", scopes: ["runners"] as const })),
  { key: "runner-all", tenant: "operator", tenants: "all", scopes: ["runners"] },
];

/** An app whose jobs are planned at once. */
async function server(store?: Store) {
  const own = store ?? await memory().open(host);
  const models = { names: async () => ["tiny"], open: async () => ({ id: "tiny", files: heldStore(tinyFiles()) }) };
  const errors: Error[] = [];
  const jobs = jobsApp({
    store: own,
    queue: await memoryQueue().open(host),
    models,
    planner: {
      check: () => {},
      references: (spec) => referencesOf(spec, catalog),
      plan: () => Promise.reject(new Error("Nothing is planned here")),
    },
    onError: (error) => void errors.push(error),
  });
  const app = createApp({ catalog: {}, keys, models, jobs });
  const ask = async (key: string, method: string, path: string, body?: unknown): Promise<[number, Named<Json>]> => {
    const answer = await app.request(`/v1/runners${path}`, {
      method,
      headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
      ...(body === undefined ? {} : { body: body instanceof Uint8Array ? body : JSON.stringify(body) }),
    } as RequestInit);
    const text = await answer.text();
    return [answer.status, text.startsWith("{") ? JSON.parse(text) : {}];
  };
  const waiting = async (tenant: string): Promise<string> => {
    const spec = { model: { use: "pretrained", with: { path: "tiny" } } };
    const { id } = await jobs.jobs.create(tenant, { model: "tiny" }, spec);
    await jobs.jobs.change(id, (r) => queueJob(r, { needs: r.needs, estimate: {}, totalSteps: 10 }));
    return id;
  };
  const capabilities = { providers: ["cpu"], memoryBytes: 2 ** 34 };
  const lease = (key: string) => ask(key, "POST", "/lease", { runner: key, capabilities });
  return { jobs, app, ask, waiting, lease, errors };
}

describe("a server and its runners", () => {
  it("gives a runner its tenant's jobs alone, unless the operator says all", async () => {
    const { waiting, lease } = await server();
    const id = await waiting("b");
    assert.equal((await lease("runner-a"))[0], 204);
    assert.deepEqual([(await lease("runner-b"))[1].id, (await lease("runner-b"))[0]], [id, 204]);
    const other = await waiting("a");
    assert.equal((await lease("runner-b"))[0], 204);
    assert.equal((await lease("runner-all"))[1].id, other);
  });

  it("knows a lease's holder by its token: others reach nothing, of other tenants not even that there is a job", async () => {
    const { jobs, waiting, lease, ask } = await server();
    const id = await waiting("b");
    const token = String((await lease("runner-b"))[1].token);
    assert.match(token, /^[0-9a-f]{32}$/);
    const stored = JSON.stringify(await jobs.jobs.get(id));
    assert.ok(!stored.includes(token) && stored.includes('"secret"'));
    const put = await ask("runner-b", "PUT", `/jobs/${id}/files/secret.txt?token=${token}`, new Uint8Array(3));
    assert.equal(put[0], 200);
    const calls = (token: unknown): readonly (readonly [string, string, unknown?])[] => [
      ["POST", "heartbeat", { token, step: 1, trainedTokens: 1 }],
      ["POST", "events", { token, from: 1, events: [] }],
      ["POST", "checkpoints", { token, step: 1, folder: "c/", files: ["secret.txt"] }],
      ["POST", "commit", { token, files: [{ path: "secret.txt", bytes: 3 }] }],
      ["POST", "release", { token, reason: "shutdown" }],
      ["PUT", `files/x?token=${token}`, new Uint8Array(1)],
      ["GET", `models?name=tiny&token=${token}`],
      ["GET", `models/file?name=tiny&path=config.json&token=${token}`],
      ["GET", `leases/1/secret.txt?token=${token}`],
      ["GET", "leases/1/secret.txt"],
    ];
    const tries = async (key: string, token: unknown): Promise<number[]> => {
      const all: number[] = [];
      for (const [method, path, body] of calls(token)) {
        all.push((await ask(key, method, `/jobs/${id}/${path}`, body))[0]);
      }
      return [...new Set(all)].sort();
    };
    // Also with the token itself: the answer is that of a job that is not there.
    assert.deepEqual([await tries("runner-a", token), await tries("runner-a", "0".repeat(32))], [[404], [404]]);
    assert.deepEqual(await tries("runner-b2", "0".repeat(32)), [409]);
    for (const guess of [1, "1", "", null, `${token}0`, token.toUpperCase()]) {
      for (const status of await tries("runner-b", guess)) assert.ok(status === 400 || status === 409, `${guess}`);
    }
    for (const [method, path, body] of calls(token).slice(-4, -1)) {
      assert.equal((await ask("runner-b", method, `/jobs/${id}/${path}`, body))[0], 200, path);
    }
    // The next lease has another token; the one before is worth nothing.
    await ask("runner-b", "POST", `/jobs/${id}/release`, { token, reason: "shutdown" });
    const next = String((await lease("runner-b2"))[1].token);
    assert.deepEqual([next === token, await tries("runner-b", token)], [false, [409]]);
  });

  it("takes nothing from a runner that cannot be", async () => {
    const { waiting, lease, ask, jobs } = await server();
    const lies: Named<readonly (readonly [string, string])[]> = {
      "/lease": [-1, 0.5, 1e999, 2 ** 60].map((bytes) => [
        "memory",
        `{"runner":"r","capabilities":{"providers":["cpu"],"memoryBytes":${bytes === Infinity ? "1e999" : bytes}}}`,
      ]),
      events: [
        '{"type":"step","step":1}',
        '{"type":"step","step":1,"loss":"x"}',
        '{"type":"step","step":1,"loss":1e999}',
        '{"type":"step","step":11,"loss":1}',
        '{"type":"step","step":0.5,"loss":1}',
        '{"type":"evaluate","step":1}',
        '{"type":"evaluate","step":1,"metrics":{"a":1e999}}',
        '{"type":"start","step":0}',
        '{"type":"nonsense","step":1}',
        JSON.stringify({ type: "warning", step: 1, message: "m".repeat(20_000) }),
      ].map((event) => ["an event", `"from":1,"events":[${event}]`]),
      heartbeat: [["a step", '"step":11,"trainedTokens":1'], ["tokens", '"step":1,"trainedTokens":1e300']],
      checkpoints: [
        ["no files", '"step":1,"folder":"c/","files":[]'],
        ["files that were not sent", '"step":1,"folder":"c/","files":["x"]'],
        ["a step behind the last", '"step":11,"folder":"c/","files":["f"]'],
        ["a folder above", '"step":1,"folder":"../","files":["f"]'],
        ["a file above", '"step":1,"folder":"c/","files":["../../f"]'],
      ],
      commit: [
        ["no files", '"files":[]'],
        ["files of other sizes", '"files":[{"path":"c/f","bytes":9}]'],
        ["metrics without end", '"files":[{"path":"c/f","bytes":1}],"metrics":{"loss":1e999}'],
        ["a file above", '"files":[{"path":"../x","bytes":1}]'],
      ],
    };
    const id = await waiting("b");
    const token = String((await lease("runner-b"))[1].token);
    await ask("runner-b", "PUT", `/jobs/${id}/files/c/f?token=${token}`, new Uint8Array(1));
    for (const [path, all] of Object.entries(lies)) {
      for (const [what, text] of all) {
        const at = path.startsWith("/") ? path : `/jobs/${id}/${path}`;
        const body = new TextEncoder().encode(path.startsWith("/") ? text : `{"token":"${token}",${text}}`);
        assert.equal((await ask("runner-b", "POST", at, body))[0], 400, `${path}: ${what} ${text.slice(0, 80)}`);
      }
    }
    assert.deepEqual([(await jobs.jobs.get(id))?.status, (await jobs.jobs.get(id))?.checkpoints], ["running", []]);
    // A loss that is no number any more is told; results that are none are not taken.
    const events = [{ type: "step", step: 1, loss: null }, { type: "end", step: 1 }];
    assert.equal((await ask("runner-b", "POST", `/jobs/${id}/events`, { token, from: 1, events }))[0], 200);
    const path = "adapter/adapter_model.safetensors";
    for (const [code, tensors] of [["no_tensors", {}], ["non_finite", { w: f32([1], [NaN]) }]] as const) {
      const job = await waiting("b");
      const { token } = (await lease("runner-b"))[1];
      const bytes = writeSafetensors(tensors) as Uint8Array<ArrayBuffer>;
      await ask("runner-b", "PUT", `/jobs/${job}/files/${path}?token=${token}`, bytes);
      const files = [{ path, bytes: bytes.length }];
      assert.equal((await ask("runner-b", "POST", `/jobs/${job}/commit`, { token, files }))[0], 400);
      assert.equal((await jobs.jobs.get(job))?.error?.code, code);
    }
  });

  it("lives where the disk is full while a job is refused, which is told when there is room again", async () => {
    const inner = await memory().open(host);
    let full = false;
    const fail = (key: string): never => {
      throw storeFailed("test", key, Object.assign(new Error("no room"), { code: "ENOSPC" }));
    };
    const { jobs, app, errors } = await server({
      ...inner,
      put: (key, bytes, options) => (full ? fail(key) : inner.put(key, bytes, options)),
    });
    const { id } = await jobs.jobs.create("a", { model: "tiny" }, {});
    full = true;
    await jobs.watch();
    await until("an error", () => errors.length > 0);
    // A promise that nobody waited for would fail this test on every runtime.
    assert.equal((await app.request("/healthz")).status, 200);
    full = false;
    await until("the refusal", async () => {
      await jobs.watch();
      return (await jobs.jobs.get(id))?.status === "failed";
    });
  });
});

type Lying = Readonly<{ lease: Json; files?: Named<string>; revision?: string }>;

/** Lets a runner take the jobs of a server that lies; gives what it asked for, and what lies outside its work folder. */
async function lied(root: string, ...lies: readonly Lying[]) {
  const asked: string[] = [];
  const abort = new AbortController();
  let requests = 0;
  const proxy = createServer((request, response) => {
    const path = decodeURIComponent(request.url ?? "");
    asked.push(`${request.method} ${path}`);
    request.resume();
    const json = (value: Json): void => void response.end(JSON.stringify(value));
    const { files = {}, revision = "1" } = lies[requests - 1] ?? {};
    if (path.endsWith("/lease")) {
      const next = lies[requests++];
      if (next) return json(next.lease);
      abort.abort();
      response.statusCode = 204;
      return void response.end();
    }
    if (path.includes("/models?")) {
      const all = Object.entries(files).map(([path, text]) => ({ path, bytes: text.length, revision }));
      return json({ files: all });
    }
    if (path.includes("/models/file?")) {
      return void response.end(files[new URL(request.url ?? "", "http://x").searchParams.get("path") ?? ""] ?? "x");
    }
    if (/\/(leases|uploads)\//.test(path)) return void response.end("planted");
    json({ wants: null, heard: 1, status: "queued" });
  });
  await new Promise<void>((resolve) => proxy.listen(0, "127.0.0.1", resolve));
  const url = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`;
  const work = join(root, "a", "work");
  mkdirSync(work, { recursive: true });
  const said: string[] = [];
  const running = runRunner({
    server: url,
    token: "x",
    work,
    jobs: lies.length,
    threads: 1,
    signal: abort.signal,
    report: (t) => said.push(t),
  });
  await running.catch((error) => said.push(String(error)));
  proxy.closeAllConnections();
  await new Promise((resolve) => proxy.close(resolve));
  const outside = readdirSync(root, { recursive: true }).map(String).filter((path) =>
    !path.startsWith(join("a", "work"))
  );
  return { asked, said: said.join("\n"), outside: outside.sort(), work };
}

const spec = (path: string, rows = "file-abc"): Json => ({
  version: 1,
  model: { use: "pretrained", with: { path } },
  task: { use: "sequence-classification", with: { labels: ["bad", "good"] } },
  data: { train: { use: "jsonl", with: { path: rows } } },
});
const leaseOf = (more: Named<Json> = {}): Json => ({
  id: "ftjob-abc",
  token: "t",
  step: 0,
  totalSteps: null,
  checkpoint: null,
  leaseSeconds: 30,
  heartbeatSeconds: 10,
  spec: spec("attune:base"),
  ...more,
});

describe("a runner and a server that lies", () => {
  const checkpoint = (folder: string, file: string): Json => ({ step: 1, folder, files: [file] });
  const cases: Named<Lying> = {
    "an id": { lease: leaseOf({ id: "../../victim" }) },
    "a token": { lease: leaseOf({ token: "../../victim" }) },
    "a checkpoint's file": {
      lease: leaseOf({ checkpoint: checkpoint("jobs/ftjob-abc/leases/1/c/", "../../../../victim/planted") }),
    },
    "a checkpoint's file for another system": {
      lease: leaseOf({ checkpoint: checkpoint("jobs/x/leases/1/", "..\\..\\planted") }),
    },
    "a checkpoint's folder": { lease: leaseOf({ checkpoint: checkpoint("jobs/x/../../leases/", "planted") }) },
    "a model": { lease: leaseOf({ spec: spec("ft:a/../../../victim") }), files: { planted: "x" } },
    "a model, read": { lease: leaseOf({ spec: spec("ft:a/../../victim") }), files: { precious: "precious" } },
    "a model's file": { lease: leaseOf({ spec: spec("some-model") }), files: { "../../../../victim/planted": "x" } },
    "a model's absolute file": { lease: leaseOf({ spec: spec("some-model") }), files: { "/tmp/planted": "x" } },
    "rows": { lease: leaseOf({ spec: spec("attune:base", "../../../victim/precious") }) },
    "no lease at all": { lease: ["x"] },
    "a heartbeat without end": { lease: leaseOf({ heartbeatSeconds: "1e9", id: "../x" }) },
  };
  for (const [name, lie] of Object.entries(cases)) {
    it(`makes, removes and reads nothing outside its folder: ${name}`, async () => {
      const root = mkdtempSync(join(tmpdir(), "attune-lies-"));
      for (const folder of ["victim", "a/victim"]) {
        mkdirSync(join(root, folder), { recursive: true });
        writeFileSync(join(root, folder, "precious"), "precious");
      }
      const before = ["a", "a/victim", "a/victim/precious", "victim", "victim/precious"].map((path) => join(path));
      const { outside, said, asked } = await lied(root, lie);
      assert.deepEqual(outside, before);
      assert.ok(!existsSync("/tmp/planted"));
      assert.match(said, /expected|does not answer like a job server/);
      assert.ok(!asked.some((path) => path.includes("/commit")));
    });
  }

  it("follows no link out of its folder", async () => {
    const root = mkdtempSync(join(tmpdir(), "attune-lies-"));
    mkdirSync(join(root, "victim"));
    mkdirSync(join(root, "a", "work"), { recursive: true });
    symlinkSync(join(root, "victim"), join(root, "a", "work", "models"));
    const { outside, said } = await lied(root, {
      lease: leaseOf({ spec: spec("some-model") }),
      files: { planted: "x" },
    });
    assert.deepEqual(outside, ["a", "victim"]);
    assert.match(said, /a path below/);
  });

  it("fetches a model again whose revision is another, and removes files that it has no longer", async () => {
    const root = mkdtempSync(join(tmpdir(), "attune-lies-"));
    const lease = leaseOf({ spec: spec("some-model") });
    const lies: Lying[] = [
      { lease, files: { "config.json": "{}", "old.bin": "1" } },
      { lease, files: { "config.json": "{}", "old.bin": "1" } },
      { lease, files: { "config.json": "[]" }, revision: "2" },
      { lease, files: { "config.json": "[]" }, revision: "2" },
    ];
    const { asked, work } = await lied(root, ...lies);
    const fetches = asked.join("\n").split("POST /v1/runners/lease").slice(1, 5)
      .map((text) => text.split("/models/file?").length - 1);
    assert.deepEqual(fetches, [2, 0, 1, 0]);
    const left = readdirSync(join(work, "models"), { recursive: true }).map(String).filter((path) =>
      /files./.test(path)
    );
    assert.deepEqual(left.map((path) => basename(path)), ["config.json"]);
    // A server of another address may mean another model by the same name.
    assert.equal((await lied(root, ...lies)).asked.filter((path) => path.includes("/models/file?")).length, 3);
  });
});
