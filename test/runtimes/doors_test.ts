import assert from "node:assert/strict";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { describe, it } from "node:test";
import { AttuneError } from "../../core/base/errors.ts";
import { main } from "../../runtimes/cli/main.ts";
import { createApp, keysOf } from "../../runtimes/serve/app.ts";
import { listen } from "../../runtimes/host/listen.ts";
import { type RunnerOptions, runRunner } from "../../runtimes/runner/runner.ts";
import { edgeRig, testJobs } from "../edge.ts";
import { until } from "../until.ts";
import { commands, here, killableRun, started } from "../faults/killed_runs.ts";

const folder = mkdtempSync(join(tmpdir(), "attune-doors-"));
const env = { ...process.env, ATTUNE_API_KEY: "k", ATTUNE_RUNNER_TOKEN: "t", ATTUNE_ADMIN_KEY: "a" };
const attune = (...args: string[]) => started([...commands[here] ?? [], ...args], () => {}, env);
const file = join(folder, "file");
writeFileSync(file, "");

/** A port of this machine that something else listens on. */
async function takenPort(): Promise<Readonly<{ port: number; close(): void }>> {
  const server = createServer();
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  const address = server.address();
  return { port: typeof address === "object" ? address?.port ?? 0 : 0, close: () => void server.close() };
}

/** A port that nothing listens on. */
async function freePort(): Promise<number> {
  const { port, close } = await takenPort();
  close();
  return port;
}

describe("attune serve", () => {
  it("says in one line why it cannot listen, and ends", async () => {
    const { port, close } = await takenPort();
    try {
      const ended = await attune("serve", "--port", String(port), "--store", join(folder, "store"));
      assert.equal(ended.code, 1, ended.output);
      assert.match(ended.output, new RegExp(`Cannot listen on port ${port} of 127.0.0.1: another program uses it`));
      assert.doesNotMatch(ended.output, /^ {4}at /m);
    } finally {
      close();
    }
    await assert.rejects(
      listen(() => new Response(), { port: 0, hostname: "192.0.2.1" }),
      (error) => error instanceof AttuneError && error.code === "LISTEN" && error.message.includes("192.0.2.1"),
    );
  });

  it("does not listen where jobs could not be kept, or the models are not there", async () => {
    const proc = process.platform === "linux"
      ? [[["--store", "/proc/attune"], /\/proc\/attune cannot be written to/]]
      : [];
    const wrong = [
      [["--store", join(file, "store")], /store cannot be written to/],
      [["--models", join(folder, "none")], /none: does not exist/],
      [["--models", file], /file: is not a folder/],
      [["--cors", "app.example"], /cors: expected an origin/],
      ...proc,
    ] as [string[], RegExp][];
    for (const [args, said] of wrong) {
      const ended = await attune("serve", "--port", "0", "--store", join(folder, "store"), ...args);
      assert.equal(ended.code, 2, ended.output);
      assert.match(ended.output, said);
      assert.doesNotMatch(ended.output, /listening on|^ {4}at /m);
    }
    assert.ok(!existsSync(join(folder, "store")));
  });
});

describe("a runner", () => {
  const run = (options: Partial<RunnerOptions>): { said: string[]; ended: Promise<void> } => {
    const said: string[] = [];
    const signal = new AbortController().signal;
    const own = { server: "http://127.0.0.1:9", token: "runner-token", work: join(folder, "work"), signal };
    return { said, ended: runRunner({ ...own, report: (text) => void said.push(text), ...options }) };
  };

  it("ends where what it is told is no address, or there is nowhere to work", async () => {
    for (const server of ["nowhere", "localhost:8787", "ftp://a", "/tmp"]) {
      const ended = await attune("runner", "--server", server);
      assert.equal(ended.code, 2, ended.output);
      assert.match(ended.output, /--server: expected the address of a server/);
    }
    for (const args of [["--work", join(file, "work")], ["--models", join(folder, "none")]]) {
      assert.equal((await attune("runner", "--server", "http://127.0.0.1:9", ...args)).code, 2);
    }
  });

  it("says once that its server is not there, asks on, and ends", async () => {
    const server = `http://127.0.0.1:${await freePort()}`;
    const { said, ended } = run({ server, patienceSeconds: 1 });
    await assert.rejects(ended, (error) => error instanceof AttuneError && error.code === "UNREACHABLE");
    assert.deepEqual(said.slice(1).map((text) => text.replace(/ \(.+\)/, " (why)")), [
      `${server} does not answer (why): retrying for 1 s`,
    ]);
  });

  it("goes on where a server comes back, and ends at once where it is another kind", async () => {
    const port = await freePort();
    const abort = new AbortController();
    const { said, ended } = run({ server: `http://127.0.0.1:${port}`, signal: abort.signal });
    await until("what it says", () => said.some((text) => /does not answer/.test(text)));
    const { app } = edgeRig({ jobs: await testJobs() });
    const { close } = await listen(app.fetch, { port, hostname: "127.0.0.1" });
    try {
      // Its next question is answered when there is nothing for it, or when it goes.
      await new Promise((done) => setTimeout(done, 1500));
    } finally {
      abort.abort();
      await ended;
      await close();
    }
    assert.equal(said.filter((text) => /does not answer/.test(text)).length, 1);
    for (const answer of [() => new Response("<html>"), () => new Response("no", { status: 404 })]) {
      const other = await listen(answer, { port: 0, hostname: "127.0.0.1" });
      try {
        const one = run({ server: `http://127.0.0.1:${other.port}` });
        await assert.rejects(one.ended, (error) => error instanceof AttuneError && error.code === "REFUSED");
      } finally {
        await other.close();
      }
    }
  });

  it("with a wrong token says so and ends", async () => {
    const app = createApp({
      catalog: {},
      keys: keysOf({ api: "k", runner: "t", admin: "a" }),
      models: { names: async () => [], open: async () => undefined },
      jobs: await testJobs(),
    });
    const { port, close } = await listen(app.fetch, { port: 0, hostname: "127.0.0.1" });
    try {
      const { said, ended } = run({ server: `http://127.0.0.1:${port}`, token: "another" });
      await assert.rejects(ended, (error) => error instanceof AttuneError && error.code === "BAD_TOKEN");
      assert.equal(said.length, 1);
    } finally {
      await close();
    }
  });
});

describe("attune export and merge", () => {
  it("leave nothing where they cannot do what they are asked", async () => {
    const { folder, spec } = killableRun({ adapter: [], loggers: [], training: { maxSteps: 1 } });
    const out = join(folder, "out");
    const trained = await attune("run", spec, "--output", out);
    assert.equal(trained.code, 0, trained.output);
    const before = readdirSync(out);
    for (const format of ["gguf", "onnx", "onnx-train", "mlx", "workers-ai", "ollama", "ort-genai", "pefft", "peft"]) {
      assert.equal(await main(["export", out, "--format", format]), 2, format);
      assert.deepEqual(readdirSync(out), before, format);
    }
    for (const output of [join(file, "out"), ...process.platform === "linux" ? ["/proc/attune"] : []]) {
      assert.equal(await main(["export", out, "--format", "hf", "--output", output]), 2, output);
    }
    mkdirSync(join(folder, "adapter"));
    assert.equal(await main(["merge", join(folder, "adapter"), "--output", join(folder, "merged")]), 2);
    assert.ok(!existsSync(join(folder, "merged")));
    assert.equal(await main(["export", out, "--format", "hf"]), 0);
    assert.ok(existsSync(join(out, "export-hf", "config.json")));
  });
});
