/** What every server answers over HTTP, whichever runtime it is: it knows the model "tiny" and the key "key". */
import assert from "node:assert/strict";
import { request } from "node:http";
import { describe, it } from "node:test";
import { tinyRows } from "./tiny.ts";

/** A server. `jobs`: it has the routes of files, jobs and runners. */
export type ContractServer = Readonly<{ url: string; jobs: boolean }>;

type Failure = Readonly<{ error: { message: string; type: string; code: string; param: string | null } }>;

/** Declares the tests. */
export function edgeContract(name: string, start: () => Promise<ContractServer>): void {
  const headers = { authorization: "Bearer key", "content-type": "application/json" };
  let started: Promise<ContractServer> | undefined;
  const server = (): Promise<ContractServer> => started ??= start();
  const call = async (path: string, init: RequestInit = {}): Promise<Response> =>
    await fetch(`${(await server()).url}${path}`, { headers, ...init });
  const post = async (path: string, body: unknown): Promise<Response> =>
    await call(path, { method: "POST", body: JSON.stringify(body) });
  const failure = async (answer: Response): Promise<Failure["error"]> => (await answer.json() as Failure).error;

  describe(`${name} over HTTP`, () => {
    it("is well, and says what it is", async () => {
      assert.deepEqual(await (await call("/healthz")).json(), { status: "ok" });
      assert.equal((await (await call("/", { headers: { accept: "application/json" } })).json()).name, "attune");
      assert.match(await (await call("/", { headers: { accept: "text/html" } })).text(), /^<!doctype html>/);
      assert.match(await (await call("/docs")).text(), /\/v1\/<wbr>tokenize/);
      const document = await (await call("/openapi.json")).json();
      assert.equal(document.openapi, "3.1.0");
      const { jobs } = await server();
      for (const path of ["tokenize", "detokenize", "evaluate", "models", ...jobs ? ["fine_tuning/jobs"] : []]) {
        assert.ok(document.paths[`/v1/${path}`], path);
      }
      const models = (await (await call("/v1/models")).json()).data.map(({ id }: { id: string }) => id);
      assert.ok(models.includes("tiny"), models.join());
    });

    it("tokenizes, and back", async () => {
      const input = ["a film was good", "the very nice food was not bad ."];
      const options = { padding: true, truncation: true, maxLength: 8, returnOverflowingTokens: true };
      const answer = await post("/v1/tokenize", { tokenizer: "tiny", input, options });
      const { encodings } = await answer.json();
      assert.deepEqual(encodings.map((e: { inputIds: number[] }) => e.inputIds), [
        [2, 6, 7, 10, 13, 3, 0, 0],
        [2, 5, 12, 17, 8, 10, 21, 3],
      ]);
      assert.deepEqual(encodings[0].offsets.slice(1, 3), [[0, 1], [2, 6]]);
      assert.deepEqual(encodings[1].overflowing[0].inputIds, [2, 14, 25, 3, 0, 0, 0, 0]);
      const inputIds = encodings[0].inputIds;
      const { text } = await (await post("/v1/detokenize", { tokenizer: "tiny", inputIds, skipSpecialTokens: true }))
        .json();
      assert.equal(text, input[0]);
    });

    it("evaluates one body, and a stream of lines", async () => {
      const predictions = Array.from({ length: 400 }, (_, i) => (i % 5 === 0 ? 1 : 0));
      const references = predictions.map((_, i) => (i % 4 === 0 ? 1 : 0));
      const metrics = ["accuracy", "matthews-correlation", { use: "f1", with: { average: "macro" } }];
      const body = { metrics, predictions, references, intervals: { samples: 50, seed: 3 } };
      const whole = await (await post("/v1/evaluate", body)).json();
      assert.equal(whole.metrics.accuracy, 0.65);
      assert.ok(whole.intervals.accuracy.low < 0.65 && whole.intervals.accuracy.high > 0.65);
      const lines = predictions.map((prediction, i) => JSON.stringify({ prediction, reference: references[i] }));
      const query = new URLSearchParams({ metrics: JSON.stringify(metrics) });
      const streamed = await sent(
        `${(await server()).url}/v1/evaluate?${query}`,
        { ...headers, "content-type": "application/x-ndjson" },
        (i) => lines[i] && `${lines[i]}\n`,
      );
      assert.equal(streamed.status, 200, streamed.text);
      assert.deepEqual(JSON.parse(streamed.text).metrics, whole.metrics);
    });

    it("evaluates rows with a model", async () => {
      const task = { use: "sequence-classification", with: { labels: ["bad", "good"] } };
      const answer = await post("/v1/evaluate", { model: "tiny", task, rows: tinyRows });
      const { metrics } = await answer.json();
      assert.ok(metrics.loss > 0 && metrics.accuracy >= 0 && metrics.accuracy <= 1, JSON.stringify(metrics));
    });

    it("says what is wrong in OpenAI's shape", async () => {
      const cases: readonly (readonly [Promise<Response>, number, string, string | null])[] = [
        [call("/v1/models", { headers: {} }), 401, "missing_api_key", null],
        [call("/v1/models", { headers: { authorization: "Bearer no" } }), 401, "invalid_api_key", null],
        ...(await server()).jobs
          ? [[post("/v1/runners/lease", {}), 403, "insufficient_scope", null]] as const
          : [[post("/v1/runners/lease", {}), 404, "not_found", null]] as const,
        [call("/v1/none"), 404, "not_found", null],
        [post("/v1/tokenize", { tokenizer: "none", input: "a" }), 404, "model_not_found", "tokenizer"],
        [
          post("/v1/tokenize", { tokenizer: "tiny", input: "a", options: { maxLenght: 1 } }),
          400,
          "invalid_value",
          "options.maxLenght",
        ],
        [call("/v1/tokenize", { method: "POST", body: "{" }), 400, "invalid_json", null],
        [
          post("/v1/evaluate", { metrics: ["acuracy"], predictions: [], references: [] }),
          400,
          "unknown_name",
          "metrics.0",
        ],
      ];
      for (const [asked, status, code, param] of cases) {
        const answer = await asked;
        const error = await failure(answer);
        assert.deepEqual([answer.status, error.code, error.param], [status, code, param], error.message);
        assert.equal(answer.headers.get("x-content-type-options"), "nosniff");
      }
    });

    it("ends bodies that are too large, said or not", async () => {
      const { url } = await server();
      const piece = `"${"x".repeat(65_534)}`;
      const most = 200; // 13 MB
      const pieces = (i: number): string | undefined => (i < most ? piece : undefined);
      const said = { ...headers, "content-length": String(2 ** 30) };
      for (const own of [headers, said]) {
        const { status, text } = await sent(`${url}/v1/tokenize`, own, pieces);
        assert.ok(status === 413 || status === CUT, `${status} ${text}`);
      }
      assert.equal((await call("/healthz")).status, 200);
    });
  });
}

/** Who is answered early may find the line cut while it still speaks, the answer unread. */
const CUT = 0;

/** A body piece by piece, without a length unless headers say one; what is answered before it ends counts. */
function sent(
  url: string,
  headers: Record<string, string>,
  piece: (i: number) => string | undefined,
): Promise<Readonly<{ status: number; text: string }>> {
  return new Promise((resolve) => {
    let ended = false;
    const call = request(url, { method: "POST", headers }, async (answer) => {
      ended = true;
      let text = "";
      for await (const part of answer) text += new TextDecoder().decode(part);
      resolve({ status: answer.statusCode ?? 0, text });
      call.destroy();
    });
    call.on("error", () => (ended ? undefined : setTimeout(() => ended || resolve({ status: CUT, text: "" }), 500)));
    const next = (i: number): void => {
      const text = ended ? undefined : piece(i);
      if (text === undefined) return void (ended || call.getHeader("content-length") !== undefined || call.end());
      if (call.write(text)) setImmediate(next, i + 1);
      else call.once("drain", () => next(i + 1));
    };
    next(0);
  });
}
