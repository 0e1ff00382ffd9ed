/** Runs as jobs of a server: rows are uploaded once, events are streamed, results are downloaded. */
import { AttuneError, badValue, missing } from "../../core/base/errors.ts";
import { sha256 } from "../../core/base/sha256.ts";
import { dataPath, taskData } from "../../core/spec/run_data.ts";
import { setAt, valueAt } from "../../core/spec/spec_paths.ts";
import type { Dataset, Host, Json, Named, Run, Store, TrainingEvent } from "../../core/types.ts";
import { composed } from "../host/plugin_packages.ts";
import type { RunEnd, RunOptions, Runs } from "./runs.ts";
import { writeJson } from "../../core/files/json_files.ts";
import { jsonAt } from "./study_files.ts";

/** The server's address and the key for it. */
export type ServerOptions = Readonly<{ url: string; key: string; host: Host; store: Store }>;

/** Parts of a run's spec that the server sets, or that are sent separately. */
const sentSeparately: ReadonlySet<string> = new Set([
  "$schema",
  "version",
  "name",
  "model",
  "data",
  "loggers",
  "search",
  "plugins",
]);

/** The pause before a request is retried, in milliseconds, and the number of retries. */
const [PAUSE, TRIES] = [1000, 30];

/** Returns runs at a server, trained by its runners; results are downloaded into the store. */
export function runsAtServer(options: ServerOptions): Runs {
  const ask = askServer(options);
  const uploads = new Map<string, Promise<string>>();
  const upload = (lines: string): Promise<string> => {
    const known = uploads.get(lines) ?? uploadRows(ask, lines);
    // Identical lines are uploaded once.
    uploads.set(lines, known);
    return known;
  };
  const submitted = async (spec: Named<Json>, folder: string, settings: RunOptions): Promise<NotedJob> => {
    const { request, rows } = await requestOf(spec, settings, options.host, upload);
    return { id: await submit(ask, request, folder), server: options.url, rows };
  };
  return {
    run: async (spec, folder, settings) => {
      const noted = await jsonAt(options.store, `${folder}.job.json`);
      const job = (noted ?? await submitted(spec, folder, settings)) as unknown as NotedJob;
      if (!noted) await writeJson(options.store, `${folder}.job.json`, job as unknown as Json);
      return await followed(ask, job, folder, settings, options.store);
    },
    close: async () => {},
  };
}

/** A job as recorded beside its folder, to be found again. `rows`: number of rows in each split. */
type NotedJob = Readonly<{ id: string; server: string; rows: Named<number> }>;

type Ask = (path: string, init?: RequestInit) => Promise<Response>;

/**
 * Returns a function for requests to the server. It throws AttuneError with the server's message, and retries without a
 * response.
 */
function askServer({ url, key, host }: ServerOptions): Ask {
  const base = `${url.replace(/\/+$/, "")}/v1`;
  return async (path, init = {}) => {
    for (let attempt = 1;; attempt++) {
      try {
        const headers = { authorization: `Bearer ${key}`, ...init.headers as Record<string, string> | undefined };
        const answer = await host.fetch(base + path, { ...init, headers });
        if (answer.ok) return answer;
        const text = await answer.text();
        if (answer.status < 500 || attempt === TRIES) throw refusedBy(url, answer.status, text);
      } catch (error) {
        if (error instanceof AttuneError || init.signal?.aborted) throw error;
        if (attempt === TRIES) throw unreachable(url, error);
      }
      await host.clock.sleep(PAUSE);
    }
  };
}

function unreachable(url: string, cause: unknown): AttuneError {
  const why = cause instanceof Error ? cause.message : String(cause);
  return new AttuneError(`${url} does not answer: ${why}`, { code: "UNREACHABLE", plugin: "server", path: url, cause });
}

function refusedBy(url: string, status: number, text: string): AttuneError {
  let message = text.slice(0, 500);
  try {
    message = (JSON.parse(text) as { error: { message: string } }).error.message;
  } catch {
    // not in the API's format: shown as it is
  }
  return new AttuneError(`${url} answers ${status}: ${message}`, { code: "USAGE", plugin: "server", path: url });
}

/** Converts a run's spec to a request for a job: models are names at the server, rows are uploads. */
async function requestOf(
  spec: Named<Json>,
  { test }: RunOptions,
  host: Host,
  upload: (lines: string) => Promise<string>,
): Promise<Readonly<{ request: Named<Json>; rows: Named<number> }>> {
  const run = await composed(spec);
  const { path } = run.model.options as { path?: unknown };
  if (run.model.name !== "pretrained" || typeof path !== "string" || path.startsWith("/")) {
    throw badValue("server", "model", path ?? run.model.name, "the name of a model on the server, as attune:base");
  }
  const { spec: uploadedSpec, file, rows } = await uploadedData(spec, run, host, upload, test);
  const { path: _path, ...modelOptions } = ((spec.model as Named<Named<Json>>).with ?? {}) as Named<Json>;
  const parts = Object.fromEntries(
    Object.entries(uploadedSpec).filter(([key, value]) => !sentSeparately.has(key) && value !== null),
  );
  const training = { ...parts.training as Named<Json> | undefined, learningRate: run.training.learningRate };
  // The server's runners write the usual logs; predictions must be requested.
  const loggers = run.loggers.filter(({ name }) => name === "predictions").map(({ name }) => name);
  const request = {
    model: path,
    training_file: file,
    suffix: run.name.slice(0, 64),
    attune: {
      adapter: [],
      ...parts,
      training,
      ...(uploadedSpec.data === undefined ? {} : { data: uploadedSpec.data }),
      ...(loggers.length > 0 ? { loggers } : {}),
      ...(Object.keys(modelOptions).length > 0 ? { model: { use: "pretrained", with: modelOptions } } : {}),
    },
  };
  return { request, rows };
}

/** Uploads each task's rows and refers to them in the spec, which keeps transforms. `rows`: number in each split. */
async function uploadedData(
  spec: Named<Json>,
  run: Run,
  host: Host,
  upload: (lines: string) => Promise<string>,
  test: boolean,
): Promise<Readonly<{ spec: Named<Json>; file: string; rows: Named<number> }>> {
  const rows: Record<string, number> = {};
  let [changed, file] = [spec, ""];
  for (const task of run.task.subtasks) {
    const at = task.data ? dataPath(task) : "data";
    const source = (valueAt(spec, at) ?? {}) as Named<Json>;
    const parts: Record<string, Json> = {};
    const splits = taskData(run, task);
    for (const [split, value] of Object.entries(source)) {
      if (split === "leakThreshold") parts[split] = value;
      const dataset = splits[split as keyof typeof splits];
      if (!dataset || (split === "test" && !test)) continue;
      const lines = await linesOf(dataset.transformed?.source ?? dataset, host);
      const id = await upload(lines);
      rows[split] = (rows[split] ?? 0) + lines.split("\n").length - 1;
      if (split === "train" && file === "") file = id;
      const { transforms } = Object(value) as { transforms?: Json };
      parts[split] = { use: "jsonl", with: { path: id }, ...(transforms === undefined ? {} : { transforms }) };
    }
    changed = setAt(changed, at, parts);
  }
  if (file === "") throw missing("server", "the data to train on", "data.train");
  return { spec: changed, file, rows };
}

async function linesOf(dataset: Dataset, host: Host): Promise<string> {
  const lines: string[] = [];
  for await (const { row } of (await dataset.open(host)).read()) lines.push(JSON.stringify(row));
  return lines.map((line) => `${line}\n`).join("");
}

async function uploadRows(ask: Ask, lines: string): Promise<string> {
  const form = new FormData();
  form.set("purpose", "fine-tune");
  form.set("file", new Blob([lines]), "rows.jsonl");
  return String((await (await ask("/files", { method: "POST", body: form })).json() as Named<Json>).id);
}

async function submit(ask: Ask, request: Named<Json>, folder: string): Promise<string> {
  const body = JSON.stringify(request);
  const answer = await ask("/fine_tuning/jobs", {
    method: "POST",
    body,
    // The key keeps a repeated request from creating a second job.
    headers: { "content-type": "application/json", "idempotency-key": await sha256(`${folder} ${body}`) },
  });
  return String((await answer.json() as Named<Json>).id);
}

/** Follows a job to its end, and downloads its results to the folder. */
async function followed(
  ask: Ask,
  { id, rows }: NotedJob,
  folder: string,
  { signal, see }: RunOptions,
  store: Store,
): Promise<RunEnd> {
  const at = { step: 0, epoch: 0 };
  let total: number | undefined;
  const cancel = (): void => {
    // A pruned trial is cancelled; if the search is interrupted, its jobs continue and are found again.
    if (signal.reason === "pruned") ask(`/fine_tuning/jobs/${id}/cancel`, { method: "POST" }).catch(() => {});
  };
  signal.addEventListener("abort", cancel, { once: true });
  try {
    for await (const data of eventsOf(ask, id, signal)) {
      const { step, total_steps: steps } = data as { step?: number; total_steps?: number };
      if (total === undefined && typeof steps === "number") {
        total = steps;
        const { train = 0, eval: evalRows = 0, test } = rows;
        const counted = { trainRows: train, evalRows, ...(test === undefined ? {} : { testRows: test }) };
        see({ type: "start", ...at, ...counted, totalSteps: steps } as TrainingEvent);
      }
      if (typeof step === "number" && "valid_loss" in data) {
        see({ type: "evaluate", step, epoch: 0, metrics: data as Named<number>, best: false });
      }
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  } finally {
    signal.removeEventListener("abort", cancel);
  }
  const end = (reason: RunEnd["reason"], metrics: Named<number>, more: Partial<RunEnd> = {}): RunEnd => ({
    type: "end",
    ...at,
    reason,
    metrics,
    ...more,
  });
  if (signal.aborted) return end("interrupted", {});
  const job = await (await ask(`/fine_tuning/jobs/${id}`)).json() as Named<Json>;
  if (job.status === "cancelled") return end("interrupted", {});
  if (job.status !== "succeeded") {
    const { code, message } = (job.error ?? { code: "failed", message: "it failed" }) as Named<string>;
    if (code === "diverged") return end("diverged", {}, { message: message ?? "" });
    throw new AttuneError(`${id}: ${message}`, { code: String(code).toUpperCase(), plugin: "server", path: id });
  }
  await fetchResults(ask, job, folder, store);
  const { split, eval: evalFigures } = await jsonAt(store, `${folder}/metrics.json`) ?? {};
  const { metrics } = job.attune as { metrics: Named<number> };
  return end("done", metrics, split === "test" ? { split, eval: evalFigures as Named<number> } : { split: "eval" });
}

/** Yields a job's events as they arrive; a stream that breaks off is resumed. */
async function* eventsOf(ask: Ask, id: string, signal: AbortSignal): AsyncIterable<Named<Json>> {
  let last = "";
  for (;;) {
    const headers = { accept: "text/event-stream", ...(last === "" ? {} : { "last-event-id": last }) };
    const answer = await ask(`/fine_tuning/jobs/${id}/events`, { headers, signal });
    const text = answer.body?.pipeThrough(new TextDecoderStream());
    if (!text) return;
    let [rest, event] = ["", ""];
    try {
      for await (const piece of text) {
        const lines = (rest + piece).split("\n");
        rest = lines.pop() ?? "";
        for (const line of lines) {
          if (line.startsWith("event: ")) event = line.slice(7);
          if (line.startsWith("id: ")) last = line.slice(4);
          if (!line.startsWith("data: ")) continue;
          if (event === "done") return;
          const { data } = JSON.parse(line.slice(6)) as { data: Named<Json> | null };
          if (data) yield data;
        }
      }
    } catch (error) {
      if (signal.aborted || error instanceof AttuneError) throw error;
    }
  }
}

async function fetchResults(ask: Ask, job: Named<Json>, folder: string, store: Store): Promise<void> {
  for (const id of job.result_files as readonly string[]) {
    const { filename } = await (await ask(`/files/${id}`)).json() as { filename: string };
    const content = await ask(`/files/${id}/content`);
    await store.put(`${folder}/${filename}`, new Uint8Array(await content.arrayBuffer()));
  }
}
