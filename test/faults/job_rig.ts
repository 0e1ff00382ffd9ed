/** A server with a tiny model, and runners as processes that can be stopped and killed. */
import { mkdirSync, mkdtempSync, writeFileSync } from "node:fs";
import { spawn } from "node:child_process";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { sha256 } from "../../core/base/sha256.ts";
import type { JobRecord } from "../../core/jobs/record.ts";
import type { Json, Named } from "../../core/types.ts";
import { createApp, keysOf } from "../../runtimes/serve/app.ts";
import { folderModels } from "../../runtimes/serve/folder_models.ts";
import { type JobsServerOptions, openJobs } from "../../runtimes/jobs/jobs_server.ts";
import { listen } from "../../runtimes/host/listen.ts";
import { hostHere } from "../../runtimes/host/train.ts";
import { tinyFiles, tinyRows } from "../tiny.ts";
import { until } from "../until.ts";
import { commands, here } from "./killed_runs.ts";

/** A runner's process. */
export type RunnerProcess = Readonly<{
  name: string;
  signal(signal: NodeJS.Signals): void;
  ended: Promise<number | null>;
  output(): string;
}>;

/** A server and what is done with it. */
export type JobRig = Readonly<{
  url: string;
  /** The tiny model's folder. */
  models: string;
  server: Awaited<ReturnType<typeof openJobs>>;
  /** Sends a job over tiny rows, so many times; `training` of its spec, and other parts. */
  submit(training: Named<Json>, times?: number, parts?: Named<Json>): Promise<string>;
  /** Asks something of a job, as its user. */
  ask(id: string, what: "cancel" | "pause" | "resume"): Promise<void>;
  /** The newest step that was told of a job. */
  step(id: string): Promise<number>;
  runner(name: string, runtime?: string): RunnerProcess;
  /** Lets time pass for leases, of which none ends by itself, however slow the machine is just now. */
  pass(seconds: number): Promise<void>;
  /** Lets time pass until a job's lease is lost, of which nothing is heard any more; gives the seconds of it. */
  lose(id: string): Promise<number>;
  /** Waits until a job is as wanted. */
  until(id: string, what: string, wanted: (job: JobRecord) => boolean): Promise<JobRecord>;
  /** SHA-256 of a finished job's files by name, but for what tells times. */
  results(id: string): Promise<Named<string>>;
  close(): Promise<void>;
}>;

/** Starts one. `args`: what its runners are told besides. */
export async function jobRig(
  options: Partial<JobsServerOptions> = {},
  args: readonly string[] = [],
): Promise<JobRig> {
  const folder = mkdtempSync(join(tmpdir(), "attune-rig-"));
  mkdirSync(join(folder, "models", "tiny"), { recursive: true });
  for (const [name, bytes] of Object.entries(tinyFiles())) writeFileSync(join(folder, "models", "tiny", name), bytes);
  const keys = keysOf({ api: "key", runner: "runner-token" });
  const host = await hostHere(1);
  const models = folderModels(join(folder, "models"), host);
  let passed = 0;
  const server = await openJobs({
    host,
    now: () => passed,
    store: join(folder, "store"),
    models,
    leaseSeconds: 1.5,
    heartbeatSeconds: 0.4,
    ...options,
  });
  const pass = async (seconds: number): Promise<void> => {
    passed += 1000 * seconds;
    await server.watch();
  };
  const { port, close } = await listen(
    createApp({ catalog: {}, keys, models, jobs: server }).fetch,
    { port: 0, hostname: "127.0.0.1" },
  );
  const url = `http://127.0.0.1:${port}`;
  const stop = server.start();
  const children: RunnerProcess[] = [];
  const headers = { authorization: "Bearer key", "content-type": "application/json" };
  return {
    url,
    models: join(folder, "models", "tiny"),
    server,
    submit: async (training, times = 1, parts = {}) => {
      const form = new FormData();
      form.set("purpose", "fine-tune");
      form.set(
        "file",
        new Blob([Array(times).fill(tinyRows.map((row) => JSON.stringify(row)).join("\n")).join("\n")]),
        "rows.jsonl",
      );
      const { authorization } = headers;
      const file = await (await fetch(`${url}/v1/files`, { method: "POST", body: form, headers: { authorization } }))
        .json();
      const attune = {
        task: { use: "sequence-classification", with: { labels: ["bad", "good"] } },
        adapter: { use: "lora", with: { r: 2, loraDropout: 0.1, targetModules: ["query", "value"] } },
        training: { perDeviceTrainBatchSize: 4, gradientAccumulationSteps: 2, learningRate: 0.01, ...training },
        ...parts,
      };
      const body = JSON.stringify({ model: "tiny", training_file: file.id, validation_file: file.id, attune });
      const answer = await fetch(`${url}/v1/fine_tuning/jobs`, { method: "POST", body, headers });
      if (!answer.ok) throw new Error(await answer.text());
      return (await answer.json()).id;
    },
    ask: async (id, what) => {
      const answer = await fetch(`${url}/v1/fine_tuning/jobs/${id}/${what}`, { method: "POST", headers });
      if (!answer.ok) throw new Error(await answer.text());
    },
    step: async (id) => {
      let step = 0;
      for await (const { data } of server.jobs.events(id).after(0)) {
        if (data?.train_loss !== undefined) step = Number(data.step);
      }
      return step;
    },
    runner: (name, runtime = here) => {
      const [program = "", ...command] = commands[runtime] ?? [];
      const work = join(folder, "work", name);
      const child = spawn(
        program,
        [...command, "runner", "--server", url, "--work", work, "--name", name, "--threads", "1", ...args],
        { stdio: ["ignore", "pipe", "pipe"], env: { ...process.env, ATTUNE_RUNNER_TOKEN: "runner-token" } },
      );
      let output = "";
      for (const stream of [child.stdout, child.stderr]) {
        stream.on("data", (chunk: Uint8Array) => (output += new TextDecoder().decode(chunk)));
      }
      const runner: RunnerProcess = {
        name,
        signal: (signal) => {
          if (child.exitCode === null && child.signalCode === null) process.kill(child.pid ?? 0, signal);
        },
        ended: new Promise((resolve) => child.on("close", resolve)),
        output: () => output,
      };
      children.push(runner);
      return runner;
    },
    pass,
    lose: async (id) => {
      const [before, token] = [passed, (await server.jobs.get(id))?.token];
      return await until(`the end of the lease of ${id}`, async () => {
        const job = await server.jobs.get(id);
        if (job?.lease && job.token === token) return void await pass((options.leaseSeconds ?? 30) / 10);
        return (passed - before) / 1000;
      });
    },
    until: async (id, what, wanted) => {
      try {
        return await until(what, async () => {
          const job = await server.jobs.get(id);
          return job && wanted(job) && job;
        });
      } catch (error) {
        const outputs = children.map((c) => `${c.name}: ${c.output()}`).join("\n");
        throw new Error(`${what}: ${JSON.stringify(await server.jobs.get(id))}\n${outputs}`, { cause: error });
      }
    },
    results: async (id) => {
      const job = await server.jobs.get(id);
      const files: Record<string, string> = {};
      for (const [i, name] of (job?.result?.files ?? []).entries()) {
        if (name === "report.html") continue;
        const answer = await fetch(`${url}/v1/files/file-result-${id.slice(6)}-${i}/content`, { headers });
        files[name] = await sha256(new Uint8Array(await answer.arrayBuffer()));
      }
      return files;
    },
    close: async () => {
      for (const child of children) {
        child.signal("SIGCONT");
        child.signal("SIGKILL");
      }
      for (const child of children) await child.ended;
      stop();
      await close();
    },
  };
}
