import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { storeFailed } from "../../core/base/errors.ts";
import type { Json, Named, Store } from "../../core/types.ts";
import { equalDigests, tokenBuckets } from "../../runtimes/http/auth.ts";
import { edgeRig, testJobs, testKeys } from "../edge.ts";
import { soon } from "../soon.ts";
import { heldStore, tinyFiles, tinyRows } from "../tiny.ts";
import { hostHere } from "../../runtimes/host/train.ts";

type Failure = Readonly<{ error: { message: string; type: string; code: string; param: string | null } }>;
type Created = Readonly<{ id: string; data: { id: string }[] }>;

const jobs = await testJobs();
const rates = {
  light: { perSecond: 1e6, burst: 1e6 },
  heavy: { perSecond: 1e6, burst: 1e6 },
  submit: { perSecond: 1e6, burst: 1e6 },
  runner: { perSecond: 1e6, burst: 1e6 },
  failed: { perSecond: 1e6, burst: 1e6 },
};
const rig = edgeRig({
  jobs,
  host: await hostHere(1),
  limits: { rates },
  stores: { "a/private": heldStore(tinyFiles()) },
});
const { app, post, get } = rig;
const bearer = (key: string): Record<string, string> => ({ authorization: `Bearer ${key}` });
const upload = async (
  key: string,
  text = tinyRows.map((row) => JSON.stringify(row)).join("\n"),
  name = "../../rows.jsonl",
): Promise<Response> => {
  const body = new FormData();
  body.set("purpose", "fine-tune");
  body.set("file", new Blob([text]), name);
  return await app.request("/v1/files", { method: "POST", body, headers: bearer(key) });
};
const attune = { task: { use: "sequence-classification", with: { labels: ["bad", "good"] } } };
const submitted = async (key: string): Promise<{ file: string; job: string }> => {
  const file = (await (await upload(key)).json() as Created).id;
  const { json } = await post<Created>("/v1/fine_tuning/jobs", { model: "tiny", training_file: file, attune }, key);
  return { file, job: json.id };
};

/** Every route as Hono has it, with something in the place of each parameter. */
const routes = [
  ...new Map(app.routes.map(({ method, path }) => [`${method} ${path}`, { method, path }])).values(),
];
const pathOf = (path: string): string => path.replace(/:path\{.+\}/, "x").replace(/:\w+/g, "x");
const open = ["GET /", "GET /healthz", "GET /metrics", "GET /openapi.json", "GET /docs", "GET /docs/:file"];
/** A body that says how much of it was read. */
const watched = (bytes: number): { body: ReadableStream<Uint8Array>; read: () => number } => {
  let read = 0;
  const piece = new Uint8Array(65_536).fill(0x20);
  const body = new ReadableStream<Uint8Array>({
    pull: (controller) => {
      if (read >= bytes) return controller.close();
      read += piece.length;
      controller.enqueue(piece.slice());
    },
  }, { highWaterMark: 0 });
  return { body, read: () => read };
};
const send = (method: string, path: string, headers: Record<string, string>, body: ReadableStream<Uint8Array>) =>
  app.request(path, { method, headers, ...(method === "GET" ? {} : { body, duplex: "half" }) } as RequestInit);

describe("OWASP API security top 10 (2023)", () => {
  it("1, objects: a tenant's files, jobs, models and tokenizers are nobody else's", async () => {
    const { file, job } = await submitted("key-a");
    const path = `/v1/fine_tuning/jobs/${job}`;
    for (
      const own of [`/v1/files/${file}`, `/v1/files/${file}/content`, path, `${path}/events`, `${path}/checkpoints`]
    ) {
      assert.equal((await get(own, "key-a")).status, 200, own);
      assert.equal((await get(own, "key-b")).status, 404, own);
    }
    for (const action of ["cancel", "pause", "resume"]) {
      assert.equal((await post(`${path}/${action}`, {}, "key-b")).status, 404);
    }
    const remove = await app.request(`/v1/files/${file}`, { method: "DELETE", headers: bearer("key-b") });
    assert.equal(remove.status, 404);
    const body = { model: "tiny", training_file: file, attune };
    assert.equal((await post("/v1/fine_tuning/jobs", body, "key-b")).status, 400, "with another's rows");
    for (const list of ["/v1/files", "/v1/fine_tuning/jobs", "/v1/files?purpose=fine-tune-results"]) {
      assert.deepEqual((await (await get(list, "key-b")).json() as Created).data, [], list);
    }
    const tokenize = { tokenizer: "private", input: "a film" };
    assert.equal((await post("/v1/tokenize", tokenize, "key-a")).status, 200);
    assert.equal((await post("/v1/tokenize", tokenize, "key-b")).status, 404);
    assert.equal((await post("/v1/tokenize", { ...tokenize, tokenizer: "a/private" }, "key-b")).status, 404);
    const evaluate = { model: "private", task: attune.task, rows: tinyRows };
    assert.deepEqual(
      [(await post("/v1/evaluate", evaluate, "key-a")).status, (await post("/v1/evaluate", evaluate, "key-b")).status],
      [200, 404],
    );
    // What a job has made is its tenant's too.
    await jobs.store.put(`made/tokenizer.json`, tinyFiles()["tokenizer.json"] ?? new Uint8Array());
    await jobs.jobs.change(job, (r) => ({
      record: {
        ...r,
        status: "succeeded",
        result: { token: 1, folder: "made/", files: ["tokenizer.json"], metrics: {} },
      },
    }));
    const { fine_tuned_model: model, result_files: [result] } = await (await get(path)).json();
    assert.equal((await post("/v1/tokenize", { tokenizer: model, input: "a film" }, "key-a")).status, 200);
    assert.equal((await post("/v1/tokenize", { tokenizer: model, input: "a film" }, "key-b")).status, 404);
    assert.equal((await get(`/v1/files/${result}/content`, "key-a")).status, 200);
    assert.equal((await get(`/v1/files/${result}/content`, "key-b")).status, 404);
    const names = async (key: string) =>
      (await (await get("/v1/models", key)).json() as Created).data.map(({ id }) => id);
    assert.deepEqual([await names("key-a"), await names("key-b")], [["tiny", "private", model], ["tiny"]]);
    // The same idempotency key of another tenant is another key.
    const once = async (key: string) => {
      const training_file = (await (await upload(key)).json() as Created).id;
      const headers = { ...bearer(key), "content-type": "application/json", "idempotency-key": "same" };
      const body = JSON.stringify({ model: "tiny", training_file, attune });
      return await app.request("/v1/fine_tuning/jobs", { method: "POST", headers, body });
    };
    assert.deepEqual([(await once("key-a")).status, (await once("key-b")).status], [200, 200]);
  });

  it("2, authentication: every route but the public ones wants a key, before it reads a body", async () => {
    for (const { method, path } of routes) {
      if (open.includes(`${method} ${path}`)) continue;
      for (const key of ["", "wrong", "old", "key-A", "k".repeat(5000)]) {
        const { body, read } = watched(2 ** 20);
        const answer = await send(method, pathOf(path), key === "" ? {} : bearer(key), body);
        assert.equal(answer.status, 401, `${method} ${path} with ${JSON.stringify(key.slice(0, 9))}`);
        const { error } = await answer.json() as Failure;
        assert.deepEqual([error.type, read()], ["authentication_error", 0]);
      }
    }
    assert.ok(equalDigests("abc", "abc") && !equalDigests("abc", "abd") && !equalDigests("abc", "ab"));
  });

  it("3, properties: nothing that was not asked for is taken", async () => {
    const file = (await (await upload("key-a")).json() as Created).id;
    const job = { model: "tiny", training_file: file, attune };
    for (const extra of ["status", "tenant", "tenantId", "id", "fine_tuned_model", "constructor"]) {
      const { status, json } = await post<Failure>("/v1/fine_tuning/jobs", { ...job, [extra]: "succeeded" });
      assert.equal(status, 400, extra);
      assert.match(json.error.message, new RegExp(extra));
      for (const path of ["/v1/tokenize", "/v1/evaluate"]) {
        const known = { tokenizer: "tiny", input: "a", metrics: ["accuracy"], predictions: [1], references: [1] };
        assert.equal((await post(path, { ...known, [extra]: 1 })).status, 400);
      }
    }
    const headers = { ...bearer("key-a"), "content-type": "application/json" };
    for (const body of ['{"tokenizer":"tiny","input":"a","__proto__":{"x":1}}', '{"\\u005f_proto__":{"x":1}}']) {
      const answer = await app.request("/v1/tokenize", { method: "POST", headers, body });
      assert.equal(answer.status, 400);
      assert.match((await answer.json() as Failure).error.message, /__proto__/);
    }
    assert.equal(({} as { x?: number }).x, undefined);
    const uploaded = await (await upload("key-a")).json();
    assert.equal(uploaded.filename, "rows.jsonl", "names are basenames");
    for (const name of ["..", "a/..", "."]) {
      assert.equal((await (await upload("key-a", undefined, name)).json()).filename, "_", "and no folders");
    }
  });

  it("4, resources: bodies of any kind end at their limit, and what they say does not matter", async () => {
    const headers = { ...bearer("key-a"), "content-type": "application/json" };
    const large = 64 * 2 ** 20;
    for (const said of [undefined, "10", String(large)]) {
      const { body, read } = watched(large);
      const length: Record<string, string> = said === undefined ? {} : { "content-length": said };
      const answer = await send("POST", "/v1/tokenize", { ...headers, ...length }, body);
      assert.equal(answer.status, 413, String(said));
      assert.ok(read() <= 4 * 2 ** 20 + 2 * 65_536, `${read()} bytes were read`);
      assert.equal((await answer.json() as Failure).error.code, "body_too_large");
    }
    const bomb = watched(large);
    const packed = await send("POST", "/v1/tokenize", { ...headers, "content-encoding": "gzip" }, bomb.body);
    assert.deepEqual([packed.status, bomb.read()], [415, 0]);
    const slow = edgeRig({ limits: { bodySeconds: 0.05 } });
    const never = new ReadableStream<Uint8Array>({ pull: () => new Promise(() => {}) });
    const drip = await slow.app.request(
      "/v1/tokenize",
      { method: "POST", headers, body: never, duplex: "half" } as RequestInit,
    );
    assert.equal(drip.status, 408);
    for (const open of ["[", '{"a":']) {
      const body = open.repeat(100_000);
      assert.equal((await app.request("/v1/tokenize", { method: "POST", headers, body })).status, 400);
    }
    const many = { tokenizer: "tiny", input: Array.from({ length: 3000 }, () => "a") };
    assert.equal((await post<Failure>("/v1/tokenize", many)).json.error.code, "too_many_inputs");
    const line = new ReadableStream<Uint8Array>({
      start: (controller) => {
        for (let i = 0; i < 40; i++) controller.enqueue(new Uint8Array(65_536).fill(0x20));
        controller.close();
      },
    });
    const lines = { ...headers, "content-type": "application/x-ndjson" };
    assert.equal(
      (await send("POST", "/v1/evaluate?metrics=accuracy", lines, line)).status,
      413,
      "a line without an end",
    );
  });

  it("5, functions: a key opens what it is for, and nothing else", async () => {
    const document = await (await get("/openapi.json")).json();
    for (const { method, path } of routes) {
      if (open.includes(`${method} ${path}`)) continue;
      const openApi = document.paths[path.replace(/:(\w+)(\{.+\})?/g, "{$1}")][method.toLowerCase()];
      const scope = openApi.tags[0];
      for (const { key, scopes, expires } of testKeys) {
        if (expires !== undefined || scopes.includes(scope)) continue;
        const { body, read } = watched(65_536);
        const answer = await send(method, pathOf(path), bearer(key), body);
        assert.deepEqual([answer.status, read()], [403, 0], `${method} ${path} with ${key}`);
      }
    }
  });

  it("6, business flows: one job under one key, and no more submissions than the rate", async () => {
    const file = (await (await upload("key-a")).json() as Created).id;
    const headers = { ...bearer("key-a"), "content-type": "application/json", "idempotency-key": crypto.randomUUID() };
    const body = JSON.stringify({ model: "tiny", training_file: file, attune });
    const make = () => app.request("/v1/fine_tuning/jobs", { method: "POST", headers, body });
    const made = await Promise.all(Array.from({ length: 100 }, make));
    const ids = new Set(await Promise.all(made.map(async (answer) => (await answer.json() as Created).id)));
    assert.equal(ids.size, 1);
    let now = 0;
    const few = edgeRig({
      jobs,
      now: () => now,
      limits: { rates: { ...rates, submit: { perSecond: 0.5, burst: 20 } } },
    });
    const submit = (key: string) => few.post<Failure>("/v1/fine_tuning/jobs", {}, key);
    const statuses: number[] = [];
    for (let i = 0; i < 30; i++) statuses.push((await submit("key-a")).status);
    assert.deepEqual([statuses.slice(0, 20), statuses.slice(20)], [Array(20).fill(400), Array(10).fill(429)]);
    const answer = await few.app.request("/v1/fine_tuning/jobs", { method: "POST", headers, body });
    assert.deepEqual([answer.status, answer.headers.get("retry-after")], [429, "2"]);
    assert.equal((await submit("key-b")).status, 400, "another key has its own");
    now += 2000;
    assert.deepEqual([(await submit("key-a")).status, (await submit("key-a")).status], [400, 429]);
    const guessing = edgeRig({ now: () => 0, limits: { rates: { ...rates, failed: { perSecond: 1, burst: 5 } } } });
    const guesses = [];
    for (let i = 0; i < 7; i++) guesses.push((await guessing.get("/v1/models", `guess-${i}`)).status);
    assert.deepEqual(guesses, [401, 401, 401, 401, 401, 429, 429]);
    assert.equal((await guessing.get("/v1/models", "key-a")).status, 200, "who has a key is not kept out");
  });

  it("7, requests of the server's own: none, whatever is named", async () => {
    const asked: string[] = [];
    const host = await hostHere(1);
    const watching: typeof fetch = async (input) => {
      asked.push(String(input));
      throw new Error("no");
    };
    const inside = edgeRig({ host: { ...host, fetch: watching }, jobs });
    const names = ["http://169.254.169.254/", "file:///etc/passwd", "org/name", "../../etc", "//host/x", "\\\\host\\x"];
    for (const name of names) {
      assert.equal((await inside.post("/v1/tokenize", { tokenizer: name, input: "a" })).status, 404, name);
      const rows = { model: name, task: attune.task, rows: tinyRows };
      assert.equal((await inside.post("/v1/evaluate", rows)).status, 404, name);
      assert.equal((await inside.post("/v1/evaluate", { ...rows, model: "tiny", adapter: name })).status, 404, name);
      for (const key of ["path", "from", "source", "teacher", "cache", "url"]) {
        const task = { use: "sequence-classification", with: { [key]: name } };
        const { status, json } = await inside.post<Failure>("/v1/evaluate", { ...rows, model: "tiny", task });
        assert.equal(status, 400);
        assert.match(json.error.message, new RegExp(key));
      }
    }
    assert.deepEqual(asked, []);
  });

  it("8, configuration: failures tell nothing, headers say what they should", async () => {
    const warnings: string[] = [];
    const failing = (error: Error): Store => ({ ...heldStore(tinyFiles()), get: () => Promise.reject(error) });
    const broken = edgeRig({
      stores: {
        bug: failing(new Error("canary /srv/secret/path at line 3")),
        disk: failing(storeFailed("directory", "/srv/secret", new Error("canary"))),
      },
      onError: (error) => void warnings.push(error.message),
    });
    for (const [tokenizer, status] of [["bug", 500], ["disk", 503]] as const) {
      const answer = await broken.post<Failure>("/v1/tokenize", { tokenizer, input: "a" });
      assert.equal(answer.status, status);
      assert.doesNotMatch(JSON.stringify(answer.json), /canary|secret|\.ts|\s{4}at /);
    }
    assert.equal(warnings.length, 2, "whoever runs it is told");
    const none = await app.request("/v1/none", { headers: { origin: "https://example.org" } });
    assert.deepEqual([none.status, (await none.json() as Failure).error.type], [404, "invalid_request_error"]);
    for (const path of ["/", "/healthz", "/v1/models", "/openapi.json"]) {
      const { headers } = await app.request(path, { headers: { origin: "https://example.org" } });
      assert.equal(headers.get("x-content-type-options"), "nosniff");
      assert.equal(headers.get("access-control-allow-origin"), null);
    }
    const wrong = { ...bearer("key-a"), "content-type": "text/plain" };
    const plain = await app.request("/v1/tokenize", { method: "POST", headers: wrong, body: "{}" });
    assert.deepEqual([plain.status, (await plain.json() as Failure).error.code], [400, "unsupported_media_type"]);
  });

  it("9, inventory: what is mounted is what is described, each with its policy", async () => {
    const document = await (await get("/openapi.json")).json();
    assert.equal(document.openapi, "3.1.0");
    const described = Object.entries(document.paths as Named<Named<{ security?: Json[]; summary: string }>>)
      .flatMap(([path, methods]) =>
        Object.entries(methods).map(([method, { security }]) => ({
          route: `${method.toUpperCase()} ${path}`,
          isOpen: security?.length === 0,
        }))
      );
    const mounted = routes.map(({ method, path }) => `${method} ${path.replace(/:(\w+)(\{.+\})?/g, "{$1}")}`);
    assert.deepEqual(described.map(({ route }) => route).sort(), mounted.sort());
    const isOpen = described.filter((d) => d.isOpen).map(({ route }) => route.replace("{file}", ":file"));
    assert.ok(isOpen.every((route) => open.includes(route)), isOpen.join());
  });

  it("10, what others send: broken model files are an error of that model", async () => {
    const files = tinyFiles();
    const text = (value: string): Uint8Array => new TextEncoder().encode(value);
    const header = new Uint8Array(16);
    new DataView(header.buffer).setBigUint64(0, 2n ** 60n, true);
    const stores: Named<Store> = {
      nothing: heldStore({}),
      cut: heldStore({ ...files, "tokenizer.json": text('{"model":{') }),
      empty: heldStore({ ...files, "tokenizer.json": text("{}") }),
      ids: heldStore({ ...files, "tokenizer.json": text('{"model":{"type":"WordPiece","vocab":{"a":1e15}}}') }),
      weights: heldStore({ ...files, "model.safetensors": header }),
      config: heldStore({ ...files, "config.json": text('{"model_type":"bert","hidden_size":1e12}') }),
    };
    const hostile = edgeRig({ stores, host: await hostHere(1) });
    for (const tokenizer of ["nothing", "cut", "empty", "ids"]) {
      const { status, json } = await soon(() => hostile.post<Failure>("/v1/tokenize", { tokenizer, input: "a" }));
      assert.equal(status, 400, JSON.stringify(json));
    }
    for (const model of ["nothing", "weights", "config"]) {
      const body = { model, task: attune.task, rows: tinyRows };
      const { status, json } = await hostile.post<Failure>("/v1/evaluate", body);
      assert.equal(status, 400, `${model}: ${JSON.stringify(json)}`);
    }
  });
});

describe("token buckets", () => {
  it("fill at their rate, and forget those that are full", () => {
    let now = 0;
    const take = tokenBuckets(() => now);
    const rate = { perSecond: 2, burst: 3 };
    assert.deepEqual([0, 0, 0, 0].map(() => take("a", rate)), [0, 0, 0, 0.5]);
    now = 500;
    assert.deepEqual([take("a", rate), take("a", rate)], [0, 0.5]);
    for (let i = 0; i < 20_000; i++) take(`other-${i}`, rate);
    assert.equal(take("a", rate), 0);
  });
});
