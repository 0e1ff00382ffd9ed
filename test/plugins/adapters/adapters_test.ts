import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { layerIndex, matchModules, patternValue } from "../../../core/patterns/module_patterns.ts";
import { inLayers } from "../../../blocks/adapter/targets.ts";
import { testAdapter } from "../../adapter_checks.ts";

const lora = { startsAtBase: true, mergeable: true, peft: true };
testAdapter("ia3", { use: "ia3" }, lora);
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
  it("layer numbers", () => {
    assert.equal(layerIndex("enc.layer.12.query"), 12);
    assert.equal(layerIndex("decoder.block.1.layer.0.SelfAttention.q"), 1);
    assert.equal(layerIndex("decoder.block.1.layer.0.SelfAttention.q", "layer"), 0);
    assert.equal(layerIndex("layers.3.q"), undefined);
    assert.equal(layerIndex("layers.3.q", ["h", "layers"]), 3);
  });
  it("a path named whole is meant whatever its layer", () =>
    assert.deepEqual(
      inLayers(paths, { targetModules: ["query", "enc.layer.0.key"], layersToTransform: 1, layersPattern: null }),
      ["enc.layer.0.key", "enc.layer.1.query"],
    ));
});
