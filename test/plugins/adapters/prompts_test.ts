import { testAdapter } from "../../adapter_checks.ts";

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
