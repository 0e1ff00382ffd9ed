import assert from "node:assert/strict";
import { it } from "node:test";
import { notInstalled } from "../../core/base/not_installed.ts";
import type { Host } from "../../core/types.ts";
import { catalog } from "../../plugins/catalog.ts";
import { createApp } from "../../runtimes/serve/app.ts";
import { folderModels } from "../../runtimes/serve/folder_models.ts";
import { hostHere } from "../../runtimes/host/train.ts";

/** A host as it is where onnxruntime-node is not installed. */
async function without(): Promise<Host> {
  const absent = notInstalled({
    plugin: "host",
    name: "onnxruntime-node",
    purpose: "Running a model",
    install: "npm install it",
  });
  const host = { ...await hostHere(1) };
  return Object.defineProperty(host, "lib", {
    get: () =>
      absent(Object.assign(new Error("Cannot find package 'onnxruntime-node'"), { code: "ERR_MODULE_NOT_FOUND" })),
  });
}

it("a server without ONNX Runtime tokenizes and measures; for a model it answers 503 and tells its owner what to install", async () => {
  const host = await without();
  const lines: string[] = [];
  const app = createApp({
    catalog,
    keys: [{ key: "key", tenant: "me", scopes: ["tokenize", "evaluate", "infer"] }],
    models: folderModels(undefined, host),
    host,
    onError: (error) => void lines.push(error.message),
  });
  const ask = async (path: string, body: object): Promise<[number, { error?: { code: string } }]> => {
    const headers = { authorization: "Bearer key", "content-type": "application/json" };
    const answer = await app.request(path, { method: "POST", headers, body: JSON.stringify(body) });
    return [answer.status, await answer.json()];
  };
  assert.equal((await ask("/v1/tokenize", { tokenizer: "attune:base", input: "a" }))[0], 200);
  assert.equal((await ask("/v1/evaluate", { metrics: ["accuracy"], predictions: [1], references: [1] }))[0], 200);
  assert.deepEqual(lines, []);
  const [status, { error }] = await ask("/v1/embeddings", { model: "attune:base", input: "a" });
  assert.deepEqual([status, error?.code], [503, "not_configured"]);
  assert.match(lines.at(-1) ?? "", /Running a model needs a package that is not installed: npm install it/);
});
