import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { layerIndex, matchModules, patternValue } from "../../../core/modules.ts";
import type { Json } from "../../../core/types.ts";
import { testAdapter } from "../../conformance/adapter.ts";

const lora = { startsAtBase: true, mergeable: true, peft: true };
testAdapter("lora", { use: "lora", with: { r: 2, loraAlpha: 4, loraDropout: 0.1 } }, lora);
testAdapter(
  "lora all-linear rslora",
  { use: "lora", with: { r: 2, useRslora: true, targetModules: "all-linear" } },
  lora,
);
testAdapter("lora patterns", {
  use: "lora",
  with: { r: 2, rankPattern: { value: 3 }, alphaPattern: { query: 5 }, layersToTransform: [1] },
}, lora);
testAdapter("lora bias", { use: "lora", with: { r: 2, bias: "lora_only", modulesToSave: ["pooler"] } }, lora);
testAdapter("lora random b", { use: "lora", with: { r: 2, initLoraWeights: false } }, { ...lora, startsAtBase: false });
const ofLora = (name: string, options: Readonly<Record<string, Json>>): void =>
  testAdapter(`lora ${name}`, { use: "lora", with: { r: 2, ...options } }, lora);
ofLora("with a bias", { loraBias: true });
ofLora("on embeddings", { targetModules: ["query", "word_embeddings"] });
ofLora("and token rows", { trainableTokenIndices: [5, 6] });
ofLora("gaussian", { initLoraWeights: "gaussian" });
ofLora("orthogonal", { initLoraWeights: "orthogonal" });
ofLora("pissa", { initLoraWeights: "pissa" });
ofLora("olora", { initLoraWeights: "olora", useRslora: true });
testAdapter("dora", { use: "dora", with: { r: 2, targetModules: ["query", "output.dense"] } }, lora);
testAdapter("ia3", { use: "ia3" }, lora);
testAdapter("prompt-tuning", { use: "prompt-tuning", with: { numVirtualTokens: 3 } }, {
  startsAtBase: false,
  mergeable: false,
  peft: true,
});
testAdapter("prompt-tuning from a text", {
  use: "prompt-tuning",
  with: { numVirtualTokens: 5, promptTuningInit: "TEXT", promptTuningInitText: "the film was" },
}, { startsAtBase: false, mergeable: false, peft: true });
testAdapter("prefix-tuning", { use: "prefix-tuning", with: { numVirtualTokens: 3 } }, {
  startsAtBase: false,
  mergeable: false,
  peft: true,
});
testAdapter("prefix-tuning with a projection", {
  use: "prefix-tuning",
  with: { numVirtualTokens: 3, prefixProjection: true, encoderHiddenSize: 6 },
}, { startsAtBase: false, mergeable: false, peft: true });
testAdapter("p-tuning", { use: "p-tuning", with: { numVirtualTokens: 3, encoderHiddenSize: 6 } }, {
  startsAtBase: false,
  mergeable: false,
  peft: true,
});
testAdapter("vera", { use: "vera", with: { r: 8, targetModules: ["query", "output.dense"] } }, lora);
testAdapter("ln-tuning", { use: "ln-tuning" }, lora);
testAdapter("bitfit", { use: "bitfit" }, { startsAtBase: true, mergeable: false, peft: false });
testAdapter("full", { use: "full" }, { startsAtBase: true, mergeable: false, peft: false });
testAdapter("freeze", { use: "freeze", with: { trainLastLayers: 1 } }, {
  startsAtBase: true,
  mergeable: false,
  peft: false,
});

describe("targets, by PEFT's rules", () => {
  const paths = ["enc.layer.0.query", "enc.layer.0.key", "enc.layer.1.query", "out.query_extra"];
  it("end of a path", () =>
    assert.deepEqual([...matchModules("t", ["query"], paths)], ["enc.layer.0.query", "enc.layer.1.query"]));
  it("a regular expression for all of it", () =>
    assert.deepEqual([...matchModules("t", ".*\\.1\\.query", paths)], ["enc.layer.1.query"]));
  it("all but those excluded", () =>
    assert.deepEqual([...matchModules("t", "all-linear", paths, ["query"])], ["enc.layer.0.key", "out.query_extra"]));
  it("no match lists what there is", () => assert.throws(() => matchModules("t", ["q_prj"], paths), /q_prj.*"query"/));
  it("patterns give ranks", () => assert.equal(patternValue("enc.layer.1.query", { "layer.1.query": 4 }, 8), 4));
  it("layer numbers", () => assert.equal(layerIndex("enc.layer.12.query"), 12));
});
