import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { blocksOf, noTools, readmeRig } from "../readme.ts";
import { createApp } from "../../runtimes/edge/app.ts";
import { catalog } from "../../plugins/catalog.ts";

describe("README: Serve at the edge", { skip: noTools }, () => {
  it("its commands work", async () => {
    const blocks = blocksOf("Serve at the edge");
    const [serve, tokenize, evaluate, model, embed, script] = blocks;
    assert.equal(blocks.length, 6);
    const rig = await readmeRig();
    await rig.serve(serve);
    const [urls] = (tokenize ?? "").split("\n");
    const shell = (block: string | undefined): Promise<string> =>
      rig.finished("sh", ["-c", rig.own(`${urls}\n${block}`)]);
    const tokens = await shell(tokenize);
    assert.match(tokens, /"inputIds":\[2,42,507,301,18,3\][^]*"attentionMask":\[1[^]*"text":"a great film/);
    const metrics = await shell(evaluate);
    assert.match(
      metrics,
      /"accuracy":0\.75,"f1_macro":0\.73[^]*"intervals":\{"accuracy":\{"low"[^]*\{"accuracy":0\.5\}/,
    );
    assert.match(await shell(model), /"metrics":\{"loss":[\d.]+,"accuracy":/);
    assert.match(await shell(embed), /"object":"embedding","index":1,"embedding":\[-?0\.[^]*"total_tokens":\d+/);
    // The script's own names, in the place of its imports.
    const made = new Function(
      "createApp",
      "catalog",
      (script ?? "").replace(/^import.*$/gm, "").replace("export default", "return"),
    );
    const { fetch } = made(createApp, catalog);
    const headers = { authorization: "Bearer my-key", "content-type": "application/json" };
    const body = JSON.stringify({ metrics: ["accuracy"], predictions: [1], references: [1] });
    const answer = await fetch(new Request("http://here/v1/evaluate", { method: "POST", headers, body }));
    assert.deepEqual(await answer.json(), { metrics: { accuracy: 1 } });
  });
});
