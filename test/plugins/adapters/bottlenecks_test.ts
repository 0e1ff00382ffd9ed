import { testAdapter } from "../../adapter_checks.ts";

const bottleneck = { startsAtBase: false, mergeable: false, peft: true };
testAdapter("houlsby", { use: "houlsby", with: { reductionFactor: 4 } }, bottleneck);
testAdapter("pfeiffer", { use: "pfeiffer", with: { reductionFactor: 4, scaling: "channel" } }, bottleneck);
testAdapter("parallel", { use: "parallel" }, { ...bottleneck, startsAtBase: true });
testAdapter("parallel with a learned factor", { use: "parallel", with: { scaling: "learned", leaveOut: [0] } }, {
  ...bottleneck,
  startsAtBase: true,
});
testAdapter("reft", { use: "reft", with: { r: 3, prefixPositions: 2, suffixPositions: 1, dropout: 0 } }, bottleneck);
testAdapter("reft without orthogonality", {
  use: "reft",
  with: { r: 2, prefixPositions: 1, suffixPositions: 2, orthogonality: false, tiedWeights: true, layers: [1] },
}, bottleneck);
