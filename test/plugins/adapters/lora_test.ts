import type { Json } from "../../../core/types.ts";
import { testAdapter } from "../../adapter_checks.ts";

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
ofLora("over groups of inputs", { useQalora: true, qaloraGroupSize: 4 });
ofLora("pissa", { initLoraWeights: "pissa" });
ofLora("olora", { initLoraWeights: "olora", useRslora: true });
testAdapter("dora", { use: "dora", with: { r: 2, targetModules: ["query", "output.dense"] } }, lora);
